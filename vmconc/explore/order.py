"""An execution as the order of its steps: which CPU made each, also where no other could go on; and orders to try.

The decisions that are recorded exist only where several CPUs could go on (`schedule/order.py`).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from vmconc.explore.failure import Failure, failure_of
from vmconc.explore.laboratory import Laboratory
from vmconc.explore.minimise import run_turns
from vmconc.schedule.order import FOLLOWED, NOTED
from vmconc.schedule.records import DONE, TOO_LONG, VIOLATED
from vmconc.schedule.strategies import STAY

Check = Callable[[], list[dict[str, Any]]] | None


class Made(NamedTuple):
    """One step that was made."""

    cpu: int
    what: int  # byte offset of what it touched, plus 1 if it wrote; 0: not known
    preempted: bool  # the CPU of the step before could have gone on
    place: int  # in the order that was followed, -1: in none
    turn: int  # its number in the step log, from 1


class Order(NamedTuple):
    """The steps of an execution."""

    steps: list[Made]
    lucks: list[int]  # what came of chance
    pending: dict[int, int]  # what each CPU that has not finished stands before, as `Made.what`
    whole: bool  # all steps were noted


def observe(lab: Laboratory, turns: list[int], check: Check) -> Failure | None:
    """Run one execution with these decisions; a watched machine notes who makes each step."""
    engine: Any = lab.engine
    engine.observed = NOTED
    try:
        return run_turns(lab, turns, check)
    finally:
        engine.observed = 0


def follow(lab: Laboratory, cpus: list[int], lucks: list[int], check: Check) -> Failure | None:
    """Run one execution whose steps are made by these CPUs as far as they can, and without preemption after them."""
    engine: Any = lab.engine
    engine.strategy, engine.observed = STAY, FOLLOWED
    lab.prescribe(cpus + lucks)
    engine.given, engine.lucks = len(cpus), len(lucks)
    try:
        lab.run(1)
        at_rest = check() if check is not None and failure_of(lab) is None else []
        return failure_of(lab, at_rest)
    finally:
        engine.observed = engine.lucks = 0


def order_of(lab: Laboratory) -> Order:
    """Return the order of the execution that was observed or followed last."""
    engine: Any = lab.engine
    noted = lab.segment.view("Chosen")[: engine.noted]
    before = [*noted["preemptions"].tolist()[1:], engine.preemptions]
    steps, lucks = [], []
    for turn, ((cpu, what, preemptions, place), after) in enumerate(zip(noted.tolist(), before, strict=True), 1):
        if cpu < 0:
            lucks.append(-1 - cpu)
        else:
            steps.append(Made(cpu, what, after > preemptions, place, turn))
    return Order(steps, lucks, pending(lab), len(noted) == engine.noted)


def pending(lab: Laboratory) -> dict[int, int]:
    """Return what each CPU stands before at the end of an execution; who broke a rule is in the midst of a step."""
    engine: Any = lab.engine
    fibers: list[Any] = [lab.segment.nth("Fiber", index) for index in range(engine.fibers)]
    midst = engine.current if engine.ended in (VIOLATED, TOO_LONG) else -1
    return {index: fiber.what for index, fiber in enumerate(fibers) if fiber.state != DONE and index != midst}
