"""Tries of schedules, one execution each, and the simplest failure among them."""

import time
from collections.abc import Callable
from typing import Any

from vmconc.explore.failure import Failure, breaks, failure_of
from vmconc.explore.laboratory import Laboratory
from vmconc.schedule.records import ANY, FINISHED
from vmconc.schedule.strategies import STAY

Check = Callable[[], list[dict[str, Any]]] | None
Size = tuple[int, int, int, int]


def size(failure: Failure) -> Size:
    """Return what is made small, the most important first."""
    return failure.preemptions, failure.switches, failure.steps, len(failure.turns)


def try_turns(lab: Laboratory, turns: list[int]) -> None:
    """Run one execution with these decisions, `ANY` and what follows them decided without preemption."""
    lab.engine.strategy = STAY
    lab.prescribe(turns)
    lab.run(1)


def judge(lab: Laboratory, check: Check) -> Failure | None:
    """Return what is wrong with the last execution; a state at rest is looked at once, and marked if it is bad."""
    engine: Any = lab.engine
    at_rest = check() if check is not None and engine.ended == FINISHED and engine.is_new else []
    if at_rest:
        lab.mark_bad()
    return failure_of(lab, at_rest)


class Trials:
    """What is tried with one failure until a deadline: which is the simplest so far, and how many were executed."""

    def __init__(
        self, lab: Laboratory, failure: Failure, deadline: float, check: Check, note: Callable[[Failure], None]
    ):
        self.lab, self.best, self.deadline, self.check, self.note = lab, failure, deadline, check, note
        self.executions = 0
        lab.forget_states()

    def over(self) -> bool:
        """Tell whether the time is up."""
        return time.monotonic() >= self.deadline

    def again(self, turns: list[int]) -> Failure | None:
        """Run these decisions; return the failure if it is one of the same rule."""
        try_turns(self.lab, turns)
        self.executions += 1
        return self.judged()

    def judged(self) -> Failure | None:
        """Return the last execution if it failed by the same rule."""
        engine: Any = self.lab.engine
        if engine.ended == FINISHED and not engine.is_new:
            return None
        found = judge(self.lab, self.check)
        if found is None or not breaks(found, self.best.rule):
            return None
        found.rule = self.best.rule
        found.strategy, found.execution = self.best.strategy, self.best.execution
        return found

    def simpler(self, turns: list[int]) -> bool:
        """Run these decisions; if that fails and is simpler it is the best from now on."""
        return self.take(self.again(turns))

    def take(self, found: Failure | None) -> bool:
        """Keep a failure if it is the simplest so far; tell whether it is."""
        if found is None or size(found) >= size(self.best):
            return False
        self.best = found
        self.note(found)
        return True

    def deviations(self) -> dict[int, int]:
        """Return the decisions of the simplest failure that stay would not have made: number of decision -> CPU."""
        self.again(self.best.turns)
        count = len(self.best.turns)
        apart = self.lab.segment.view("Turn")["apart"][:count]
        return {number: self.best.turns[number] for number in apart.nonzero()[0].tolist()}


def turns_of(deviations: dict[int, int]) -> list[int]:
    """Return the decisions to prescribe: these, and the others as stay makes them."""
    turns = [ANY] * (max(deviations, default=-1) + 1)
    for number, cpu in deviations.items():
        turns[number] = cpu
    return turns
