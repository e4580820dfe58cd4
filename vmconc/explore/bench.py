"""How fast executions are explored, by program and strategy: rates per second of this process's CPU time."""

import random
import statistics
import time
from collections.abc import Callable

import msgspec

from vmconc.explore.laboratory import Laboratory
from vmconc.explore.search import PORTFOLIO, Budget, Choice, search
from vmconc.explore.target import OF_BUG, Target, make
from vmconc.program.programs import lock_program
from vmconc.schedule.strategies import PCT, POS, UNIFORM

MEASURED = 0.2  # CPU-seconds of one measurement
BATCH = 1000
CHOICES = {"uniform": Choice(UNIFORM), "pct 2": Choice(PCT, 2), "pos": Choice(POS)}


class Workload(msgspec.Struct, frozen=True):
    """What is explored, and what is wanted of it under the uniform strategy."""

    name: str
    target: Target
    expected: str = ""


class Rate(msgspec.Struct):
    """What one strategy reached on one program: medians over the rounds, and their extremes."""

    name: str
    strategy: str
    executions: float  # per CPU-second
    low: float
    high: float
    points: float  # schedule points per CPU-second
    steps: float  # of an execution
    expected: str = ""


def workloads() -> list[Workload]:
    """Return the programs that are measured."""
    found = [
        Workload("updates 4 x 50", Target(lock_program("unlocked")), "20M points"),
        Workload("mutex 2 x 1", Target(lock_program("mutex_pair")), "1M"),
        Workload("rwlock 3 x 20", Target(lock_program("readers_writers")), "200,000"),
    ]
    for protocol in ("chained", "backing"):
        fork = Target(f"{OF_BUG}B1", protocol, 2)
        found.append(Workload(f"fork, page-in {protocol}", fork, "20,000"))
    return found


def measure(lab: Laboratory, choice: Choice) -> tuple[float, float, float]:
    """Return executions and points per CPU-second, and steps of an execution."""
    engine = lab.engine
    engine.strategy, engine.depth, engine.points = choice.strategy, choice.depth, 0
    executions, begun, spent = 0, time.process_time(), 0.0
    while spent < MEASURED:
        executions += lab.run(BATCH)
        spent = time.process_time() - begun
    return executions / spent, engine.points / spent, engine.points / executions


def bench(rounds: int, seed: int, note: Callable[[int], None]) -> list[Rate]:
    """Measure every program under every strategy once a round, in shuffled order."""
    shuffle = random.Random(seed)
    labs = {workload.name: make(workload.target) for workload in workloads()}
    for lab in labs.values():
        lab.run(1)
    seen: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for number in range(rounds):
        arms = [(name, choice) for name in labs for choice in CHOICES]
        shuffle.shuffle(arms)
        for name, choice in arms:
            seen.setdefault((name, choice), []).append(measure(labs[name], CHOICES[choice]))
        note(number + 1)
    return [summarise(workload, name, seen[workload.name, name]) for workload in workloads() for name in CHOICES]


class Found(msgspec.Struct):
    """After how many executions the portfolio found a classic program's bug."""

    program: str
    options: dict[str, str]
    median: float
    most: int  # of those that found it
    found: int  # seeds
    seeds: int
    best: float  # the best single strategy of the literature or by calculation, expected executions


CLASSICS = (
    ("account", 0, 3.0), ("lazy01", 0, 1.0), ("uneven", 0, 3.0), ("dining", 3, 2.9), ("dining", 5, 5.5),
    ("lost_update", 0, 1.5), ("bluetooth", 0, 12.0), ("stringbuffer", 0, 2.0), ("twostage", 0, 6.0),
    ("twostage", 20, 45.6), ("twostage", 100, 238.0), ("reorder", 0, 4.1), ("reorder", 10, 19.2),
    ("reorder", 20, 39.7), ("reorder", 50, 102.0), ("reorder", 100, 203.0), ("wronglock", 0, 2.0),
)  # fmt: skip
SIZES = {"dining": "philosophers", "twostage": "setters", "reorder": "setters"}
CAP = 20_000  # executions


def power(seeds: int, note: Callable[[int], None]) -> list[Found]:
    """Return after how many executions the default portfolio finds each classic bug."""
    results = []
    for number, (program, size, best) in enumerate(CLASSICS):
        options = {SIZES[program]: str(size)} if size else {}
        lab = make(Target(lock_program(program), options=options))
        executions = []
        for seed in range(seeds):
            lab.forget()
            _, failure = search(lab, PORTFOLIO, Budget(CAP), seed)
            executions.append(failure.execution if failure else CAP + 1)
        hits = [count for count in executions if count <= CAP]
        median, most = statistics.median(executions), max(hits, default=0)
        results.append(Found(program, options, median, most, len(hits), seeds, best))
        note(number + 1)
    return results


def summarise(workload: Workload, choice: str, measured: list[tuple[float, float, float]]) -> Rate:
    """Return the medians."""
    executions, points, steps = zip(*measured, strict=True)
    return Rate(
        workload.name, choice, statistics.median(executions), min(executions), max(executions),
        statistics.median(points), statistics.median(steps), workload.expected if choice == "uniform" else "",
    )  # fmt: skip
