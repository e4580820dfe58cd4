"""A run that is part of something larger: how it ends decides whether that goes on."""

import pytest

from vmconc.coordinator.errors import EXIT_INTERRUPTED, EXIT_STUCK, EmulatorError
from vmconc.coordinator.options import RunOptions
from vmconc.coordinator.result import Ending, RunResult
from vmconc.coordinator.session import Session


def ended(ending, **more):
    """Return a session whose runs all end like this."""
    session = object.__new__(Session)
    result = RunResult("zero", "backing", 1, "off", 0, ending=ending, run_dir="runs/7", **more)
    session.run = lambda plan, protocol, options: result
    return session


def run_well(session):
    """Have it execute its run as part of something."""
    return session.run_well(None, "backing", RunOptions(), "backing off")


def test_one_that_went_well_is_returned():
    assert run_well(ended(Ending())).run_dir == "runs/7"


def test_one_that_the_user_stopped_is_an_interruption():
    with pytest.raises(KeyboardInterrupt):
        run_well(ended(Ending("stopped", EXIT_INTERRUPTED, "interrupted")))


def test_one_that_got_stuck_fails_with_its_message():
    with pytest.raises(EmulatorError, match=r"^backing off: no progress for 10 s; see runs/7$"):
        run_well(ended(Ending("stall", EXIT_STUCK, "no progress for 10 s")))


def test_one_with_a_violation_fails_with_its_text():
    session = ended(Ending(), violation_count=1, violations=[{"rule": "R", "text": "lock order"}])
    with pytest.raises(EmulatorError, match=r"^backing off: lock order; see runs/7$"):
        run_well(session)
