"""Delays at lock operations: how they are asked for, and that every hold of the class lasts at least as long."""

from pathlib import Path

import pytest
from helpers_runs import options

from vmconc.analysis.events import load
from vmconc.analysis.spans import holds, waits
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.coordinator.delays import Asked, delay_of, delays_of
from vmconc.coordinator.errors import UsageError
from vmconc.explore.lockrun import run_locks
from vmconc.locks import mutex
from vmconc.locks.classes import MUTEX, VM_OBJECT
from vmconc.locks.delay import AFTER_ACQUIRE, BEFORE_ACQUIRE, BEFORE_RELEASE
from vmconc.memory.build import Build
from vmconc.memory.jit import jit_off
from vmconc.program.programs import lock_program

DELAY = 5_000  # ns
WORDS = ["5us@mutex", "5us@mutex:before-release", "5us@mutex.lock"]
ROUNDS = 30
DRIFT = 0.999  # of the processor's counter against the clock, in a run of milliseconds


def test_a_delay_names_a_time_a_class_or_site_and_a_point():
    assert delay_of("5us@vm_object") == Asked(AFTER_ACQUIRE, VM_OBJECT, 0, 5_000)
    assert delay_of("70ns@vm_object:before-acquire") == Asked(BEFORE_ACQUIRE, VM_OBJECT, 0, 70)
    assert delay_of("2ms@mutex:before-release") == Asked(BEFORE_RELEASE, MUTEX, 0, 2_000_000)
    assert delay_of("1us@mutex.lock") == Asked(AFTER_ACQUIRE, 0, mutex.LOCK, 1_000)


def test_delays_that_are_too_long_together_are_refused():
    assert len(delays_of(["500ms@mutex", "500ms@mutex.lock"])) == 2
    with pytest.raises(UsageError, match="longer than 1s together"):
        delays_of(["500ms@mutex", "501ms@mutex.lock"])


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("5us", "names no place; write DELAY@WHERE"), ("5us@", "names no place"), ("@mutex", "no number with a unit"),
        ("5us@mutexx", "no lock class or site 'mutexx'; did you mean 'mutex'"), ("2s@mutex", "out of range"),
        ("0us@mutex", "out of range"), ("5us@mutex:after-release", "no point 'after-release'; choose one of"),
        ("5us@mutex.lock:before-release", "at a site the only point is after-acquire"),
    ],
)  # fmt: skip
def test_a_delay_that_there_cannot_be_is_refused_with_the_fix(word, says):
    with pytest.raises(UsageError, match=r"--delay .*" + says):
        delay_of(word)


def test_where_cpus_take_turns_there_are_no_delays():
    with pytest.raises(ValueError, match="a delay has no meaning there"):
        Build("controlled", delayed=True)


def recorded(tmp_path, *delays):
    """Return the events of a lock program with these delays."""
    wanted = options(tmp_path, mode="recorded", delays=delays)
    return load(Path(run_locks(lock_program("dining"), {"fixed": 1}, ROUNDS, wanted).run_dir))


@pytest.mark.skipif(jit_off(), reason="worker processes need the JIT")
def test_every_hold_of_a_delayed_class_lasts_at_least_as_long_and_there_are_as_many_as_without(tmp_path):
    without = holds(recorded(tmp_path))
    for word in WORDS:
        events = recorded(tmp_path, word)
        found = holds(events)
        assert len(found.cls) == len(without.cls) > 0
        assert found.nanoseconds[found.cls == MUTEX].min() >= DELAY * DRIFT
        assert events.run["options"]["delays"] == [word]


@pytest.mark.skipif(jit_off(), reason="worker processes need the JIT")
def test_a_delay_of_another_class_or_before_a_request_makes_no_hold_longer(tmp_path):
    """A hold of another class is not delayed: some are shorter than the delay, as they are without."""
    for word in ("5ms@vm_object", "5ms@condition.wait"):
        events = recorded(tmp_path, word)
        assert holds(events).nanoseconds.min() < 5_000_000
        assert len(waits(events).cls) <= len(holds(events).cls)


@pytest.mark.skipif(jit_off(), reason="worker processes need the JIT")
def test_a_delay_that_there_cannot_be_ends_the_command(tmp_path, capsys):
    assert guarded(app, ["run", "dining", "--delay", "5us@nowhere", "--runs-dir", str(tmp_path)]) == 2
    assert "no lock class or site 'nowhere'" in capsys.readouterr().err
