"""Looks for a failing execution: slices of executions, each by one strategy, until time or number is up."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from vmconc.explore.coverage import Classes, begin_classes, rows_of, summary
from vmconc.explore.failure import Failure, failure_of
from vmconc.explore.laboratory import Laboratory
from vmconc.schedule.records import FINISHED
from vmconc.schedule.strategies import DFS, DPOR, NAMES, PCT, POS, SURW, UNIFORM, URW

FIRST_SLICE, SLICE = 1, 256  # executions of one strategy before the next has its turn: at first, and at most
SEED_STEP = 0x9E3779B97F4A7C15
SEED_BITS = (1 << 48) - 1
PREEMPTIONS = 2  # of an execution of DFS at most: most known bugs need no more


class Choice(NamedTuple):
    """A strategy, for PCT the depth of the bugs it looks for, for DFS the most preemptions (-1: any number)."""

    strategy: int
    depth: int = 2
    preemptions: int = PREEMPTIONS

    @property
    def name(self) -> str:
        """Return what the strategy is called."""
        more = {PCT: self.depth, DFS: self.preemptions if self.preemptions >= 0 else "all"}.get(self.strategy, "")
        return f"{NAMES[self.strategy]} {more}".strip()


EXHAUSTIVE = (DFS, DPOR)  # go through all executions, until none is left
# Of four turns SURW and URW, which learn, have one each; the third is PCT's, of each depth in turn, the last is left to
# what needs to know nothing of the program.
PORTFOLIO = (
    Choice(SURW), Choice(URW), Choice(PCT, 1), Choice(POS),
    Choice(SURW), Choice(URW), Choice(PCT, 2), Choice(UNIFORM),
    Choice(SURW), Choice(URW), Choice(PCT, 3), Choice(POS),
)  # fmt: skip


@dataclass(frozen=True)
class Budget:
    """When to stop looking."""

    executions: int = 0  # 0: no limit
    seconds: float = 0.0  # 0: no limit

    def after(self, tally: "Tally") -> "Budget":
        """Return the budget of a search that has done so much already and shall do as much as this one says more."""
        executions = self.executions + tally.executions if self.executions else 0
        return Budget(executions, self.seconds + tally.seconds if self.seconds else 0.0)


class Tally(msgspec.Struct):
    """What was done."""

    executions: int = 0
    points: int = 0
    seconds: float = 0.0
    at_rest: int = 0  # different states at rest, each checked
    new_at: list[int] = []  # the executions that ended in them
    longest: int = 0  # steps
    by_strategy: dict[str, int] = {}
    settled: dict[str, int] = {}  # the same, only those since the longest was seen: before, PCT knew too few steps
    processes: int = 1  # each tells states apart for itself
    classes: Classes = Classes()
    exhausted: bool = False  # a search through all executions has run them all
    unnoted: bool = False  # but not varied the last decisions of some that were too long
    cut: int = 0  # of the executions, those that were not run to their end: the rest was known
    crowded: bool = False  # there was no room for some word that executions touch


class Position(msgspec.Struct):
    """How far a search is: a search goes on from there as if it had not been interrupted."""

    tally: Tally = msgspec.field(default_factory=Tally)
    slice: int = 0
    done: int = 0  # executions of that slice


def choices_of(strategy: str, depth: int = 2, preemptions: int = PREEMPTIONS) -> tuple[Choice, ...]:
    """Return what a strategy's name stands for: `portfolio` is several in turn."""
    if strategy == "portfolio":
        return PORTFOLIO
    number = next(number for number, name in NAMES.items() if name == strategy)
    return (Choice(number, depth, preemptions),)


def search(
    lab: Laboratory,
    choices: tuple[Choice, ...],
    budget: Budget,
    seed: int = 0,
    check: Callable[[], list[dict[str, Any]]] | None = None,
    note: Callable[[Tally], None] = lambda tally: None,
    position: Position | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Tally, Failure | None]:
    """Run executions until one fails, the budget is spent or `stop` says so.

    `check` finds what is wrong with the state at rest; it is asked about each state that was not seen before.
    `position` is where to go on, and is kept up to date; without one the search begins.
    """
    engine: Any = lab.engine
    position = position or Position()
    tally, begun = position.tally, time.monotonic() - position.tally.seconds
    if tally.executions == 0:
        engine.random = (seed + 1) * SEED_STEP & SEED_BITS
        begin_classes(lab)
        lab.begin_again()
    lab.prescribe([])
    failure = None
    while not (failure or tally.exhausted or stop() or spent(tally, budget, begun)):
        choice = choices[position.slice % len(choices)]
        size = min(SLICE, FIRST_SLICE << position.slice // len(choices))
        before = tally.executions
        failure = run_slice(lab, choice, size - position.done, tally, budget, check, stop)
        position.done += tally.executions - before
        if position.done == size:
            position.slice, position.done = position.slice + 1, 0
        tally.seconds = time.monotonic() - begun
        note(tally)
    tally.classes = summary(rows_of(lab))
    return tally, failure


def spent(tally: Tally, budget: Budget, begun: float) -> bool:
    """Tell whether the budget is spent."""
    if budget.executions and tally.executions >= budget.executions:
        return True
    return bool(budget.seconds) and time.monotonic() - begun >= budget.seconds


def run_slice(
    lab: Laboratory,
    choice: Choice,
    size: int,
    tally: Tally,
    budget: Budget,
    check: Callable[[], list[dict[str, Any]]] | None,
    stop: Callable[[], bool],
) -> Failure | None:
    """Run `size` executions by one strategy; return the failure it ended with, if any."""
    engine: Any = lab.engine
    engine.strategy, engine.depth, engine.bound, engine.points = *choice, 0
    name = choice.name
    left = min(size, budget.executions - tally.executions) if budget.executions else size
    failure = None
    while left > 0 and failure is None and not engine.exhausted and not stop():
        before = engine.executions
        done = lab.run(left)
        left -= done
        tally.executions += done
        tally.by_strategy[name] = tally.by_strategy.get(name, 0) + done
        settle(tally, name, engine.executions - max(before, engine.grown), engine)
        new = check is not None and engine.ended == FINISHED and engine.is_new
        if new:
            tally.at_rest += 1
            tally.new_at.append(tally.executions)
        failure = failure_of(lab, check() if check is not None and new else [])
    tally.points += engine.points
    tally.crowded = bool(engine.crowded)
    tally.classes = Classes(engine.classes, engine.counted)
    tally.exhausted, tally.unnoted, tally.cut = bool(engine.exhausted), bool(engine.unnoted), engine.cut
    if failure:
        failure.strategy, failure.execution = name, tally.executions
    return failure


def settle(tally: Tally, name: str, since: int, engine: Any) -> None:
    """Count executions since the longest one, `since` of a strategy just now; before a new longest none count."""
    if engine.longest > tally.longest:
        tally.longest, tally.settled = engine.longest, {}
    tally.settled[name] = tally.settled.get(name, 0) + since
