"""Makes a failing schedule simpler: fewer preemptions first, then fewer steps, the same rule broken.

Each try is an execution: decisions are left out or given to the CPU before, what follows is decided without
preemption, and what the execution then did is the new schedule if it is simpler.
"""

import time
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

from vmconc.explore.failure import Failure, failure_of
from vmconc.explore.laboratory import Laboratory
from vmconc.schedule.strategies import STAY


def run_turns(lab: Laboratory, turns: list[int], check: Callable[[], list[dict[str, Any]]] | None) -> Failure | None:
    """Run one execution with these decisions, and without preemption after them."""
    engine: Any = lab.engine
    engine.strategy = STAY
    lab.prescribe(turns)
    lab.run(1)
    at_rest = check() if check is not None and failure_of(lab) is None else []
    return failure_of(lab, at_rest)


def minimise(
    lab: Laboratory,
    failure: Failure,
    seconds: float,
    check: Callable[[], list[dict[str, Any]]] | None = None,
    note: Callable[[Failure], None] = lambda best: None,
) -> Failure:
    """Return the simplest failure of the same rule that was found in the time; at least the one given."""
    deadline = time.monotonic() + seconds
    best, improved = failure, True
    while improved and time.monotonic() < deadline:
        improved = False
        for turns in simpler(best.turns):
            if time.monotonic() >= deadline:
                break
            tried = run_turns(lab, turns, check)
            if tried and tried.rule == failure.rule and size(tried) < size(best):
                tried.strategy, tried.execution = failure.strategy, failure.execution
                best, improved = tried, True
                note(best)
                break
    return best


def size(failure: Failure) -> tuple[int, int, int]:
    """Return what is made small, the most important first."""
    return failure.preemptions, failure.steps, len(failure.turns)


def simpler(turns: list[int]) -> Iterator[list[int]]:
    """Yield schedules to try: beginnings; runs of one CPU left out, joined to others; single turns left out."""
    step = max(1, len(turns) // 2)
    while step >= 1:
        yield turns[: len(turns) - step]
        step //= 2
    runs = [list(group) for _, group in groupby(turns)]
    starts = [sum(len(run) for run in runs[:i]) for i in range(len(runs))]
    for start, run in zip(starts, runs, strict=True):
        yield turns[:start] + turns[start + len(run) :]
    for i in range(1, len(runs)):
        start = starts[i]
        yield turns[:start] + [turns[start - 1]] * len(runs[i]) + turns[start + len(runs[i]) :]
    for i in range(len(runs) - 2):
        moved = [*runs[:i], runs[i] + runs[i + 2], runs[i + 1], *runs[i + 3 :]]
        yield [cpu for run in moved for cpu in run]
    for i in range(len(turns)):
        yield turns[:i] + turns[i + 1 :]
