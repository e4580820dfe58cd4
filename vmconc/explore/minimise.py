"""Makes a failing schedule simple: the fewest preemptions first, then switches, then steps; the same rule broken.

1. What can be left out of the schedule is (`moves.py`).
2. All schedules with 0 preemptions are run, then all with 1, and so on, until one fails: then no failure has fewer.
3. If the time does not suffice for all, PCT looks for other failures with few, and each is made simple as in 1.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from vmconc.explore.failure import Failure, failure_of
from vmconc.explore.fewest import Fewest, fewest_preemptions, other_failures
from vmconc.explore.laboratory import Laboratory
from vmconc.explore.moves import simplify
from vmconc.explore.trials import Check, Trials, try_turns

FIRST = 0.2  # of the time, for what can be left out: where there is much to leave out, others are simple sooner


class Simplest(NamedTuple):
    """The simplest failure that was found, what is known of simpler ones, and whether there is nothing left to know."""

    failure: Failure
    said: str
    proven: bool


def run_turns(lab: Laboratory, turns: list[int], check: Check) -> Failure | None:
    """Run one execution with these decisions, and without preemption after them."""
    try_turns(lab, turns)
    at_rest: list[dict[str, Any]] = check() if check is not None and failure_of(lab) is None else []
    return failure_of(lab, at_rest)


def minimise(
    lab: Laboratory,
    failure: Failure,
    seconds: float,
    check: Check = None,
    note: Callable[[Failure], None] = lambda best: None,
) -> Simplest:
    """Return the simplest failure of the same rule that was found in the time, and what is known of simpler ones."""
    begun = time.monotonic()
    trials = Trials(lab, failure, begun + FIRST * seconds, check, note)
    simplify(trials)
    trials.deadline = begun + seconds
    known = fewest_preemptions(trials)
    other_failures(trials, known.preemptions)
    simplify(trials)
    return Simplest(trials.best, said(trials, known), known.preemptions == trials.best.preemptions)


def said(trials: Trials, known: Fewest) -> str:
    """Say what is known of failures with fewer preemptions than the simplest one found."""
    preemptions = trials.best.preemptions
    if preemptions == 0:
        return "it needs no preemption"
    if known.preemptions == preemptions:
        return f"no failure with fewer preemptions exists: all {known.executions:,} orders with fewer were run"
    proven = f"none with fewer than {known.preemptions} exists, " if known.preemptions else ""
    return f"{proven}none with fewer than {preemptions} was found in {trials.executions:,} executions"
