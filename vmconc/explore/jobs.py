"""Searches side by side: several processes, each with a machine and a seed of its own, until one finds a failure."""

import mmap
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

import numpy as np

from vmconc.coordinator.processes import FORK, finish, start
from vmconc.explore.checkpoint import Part, go_on
from vmconc.explore.coverage import Classes, rows_of, summary, united
from vmconc.explore.covered import Covered, remember_nothing
from vmconc.explore.failure import Failure
from vmconc.explore.search import Budget, Choice, Position, Tally
from vmconc.explore.target import Target, make

SEED_STRIDE = 1_000_003  # between the seeds of two processes
NOTED = 0.2  # seconds between two reports of a process
LAST_WORDS = 10.0  # seconds in which processes that are told to stop have to report

Keep = Callable[[int, Part], None]


class Report(NamedTuple):
    """What a process says: what it has done so far, what it has found, whether it has ended, a part to be kept."""

    tally: Tally | None
    failure: Failure | None = None
    ended: bool = False
    part: Part | None = None
    fresh: np.ndarray | None = None  # fingerprints of the classes seen since its last report
    classes: np.ndarray | None = None  # at the end: all that were seen


def search_side_by_side(
    target: Target,
    choices: tuple[Choice, ...],
    budget: Budget,
    seed: int,
    jobs: int,
    note: Callable[[Tally], None],
    parts: list[Part] | None = None,
    keep: Keep | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Tally, Failure | None]:
    """Search with `jobs` processes; whoever finds a failure first ends all.  The code must be compiled already.

    Each goes on from its part, and hands it to `keep` now and then and at the end; `stop` is asked when to end.
    """
    pipes: list[Connection] = []
    processes: list[BaseProcess] = []
    parts, told = parts or [Part(Position()) for _ in range(jobs)], mmap.mmap(-1, 1)
    covered = remember_nothing()
    try:
        for number in range(jobs):
            reader, writer = FORK.Pipe(duplex=False)
            share = Budget(share_of(budget.executions, number, jobs), budget.seconds)
            own_seed = seed + number * SEED_STRIDE
            body = partial(
                work, target, choices, share, own_seed, writer, parts[number], keep is not None, told, covered
            )
            processes.append(start(f"explorer{number}", None, body))
            writer.close()
            pipes.append(reader)
        return gather(pipes, note, keep, stop, told)
    finally:
        finish(processes, grace=0.0)


def share_of(executions: int, number: int, jobs: int) -> int:
    """Return how many of the executions one process runs; 0 if there is no limit."""
    return executions // jobs + (number < executions % jobs) if executions else 0


def work(
    target: Target,
    choices: tuple[Choice, ...],
    budget: Budget,
    seed: int,
    pipe: Connection,
    part: Part,
    kept: bool,
    told: mmap.mmap,
    covered: Covered,
) -> None:
    """Be one of the processes: search, report now and then, and at the end; stop when told to."""
    from vmconc.explore.session import at_rest

    lab = make(target)
    lab.covered = covered
    reported, counted = time.monotonic(), 0

    def note(tally: Tally) -> None:
        nonlocal reported, counted
        if time.monotonic() - reported > NOTED:
            rows = rows_of(lab)
            pipe.send(Report(tally, fresh=rows["fingerprint"][rows["first"] > counted]))
            reported, counted = time.monotonic(), lab.engine.counted

    def keep(part: Part) -> None:
        if kept:
            pipe.send(Report(None, part=part))

    tally, failure = go_on(lab, choices, budget, seed, at_rest(lab, target), part, note, keep, lambda: told[0] != 0)
    rows = rows_of(lab)
    pipe.send(Report(tally, failure, True, fresh=rows["fingerprint"], classes=rows))


def gather(
    pipes: list[Connection], note: Callable[[Tally], None], keep: Keep | None, stop: Callable[[], bool], told: mmap.mmap
) -> tuple[Tally, Failure | None]:
    """Collect what the processes report until one has found a failure or all have ended.

    Those that are to be kept, or told to stop, get some time to report how far they are.
    """
    latest: dict[int, Tally] = {}
    found: Failure | None = None
    rows: list[np.ndarray] = []
    seen: set[int] = set()
    open_pipes, deadline = list(pipes), 0.0
    while open_pipes and not (deadline and time.monotonic() > deadline):
        if (stop() or found) and not deadline:
            told[0] = 1
            deadline = time.monotonic() + LAST_WORDS
        for pipe in wait(open_pipes, NOTED):
            number = pipes.index(pipe)  # type: ignore[arg-type]
            report = receive(pipe)
            if report is None or report.ended:
                open_pipes.remove(pipe)  # type: ignore[arg-type]
            if report and report.part and keep:
                keep(number, report.part)
            if report and report.classes is not None:
                rows.append(report.classes)
            if report and report.fresh is not None:
                seen.update(report.fresh.tolist())
            if report and report.tally:
                latest[number] = report.tally
                note(added(list(latest.values()), Classes(len(seen))))
                found = found or report.failure
        if found and not keep:
            break
    if len(latest) < len(pipes) and not found and not deadline:
        raise RuntimeError("a process that explored ended without a word")
    return added(list(latest.values()), summary(united(rows)) if rows else Classes(len(seen))), found


def receive(pipe: Any) -> Report | None:
    """Return a report, None if the process is gone."""
    try:
        report: Report = pipe.recv()
    except EOFError:
        return None
    return report


def added(tallies: list[Tally], classes: Classes) -> Tally:
    """Add up what was done by all, who have seen these classes.

    States are counted by each, and may be the same; when, is put in proportion.
    """
    executions = sum(tally.executions for tally in tallies)
    total = Tally(executions=executions, processes=len(tallies), classes=classes)
    for tally in tallies:
        total.points += tally.points
        total.seconds = max(total.seconds, tally.seconds)
        total.at_rest += tally.at_rest
        total.longest = max(total.longest, tally.longest)
        total.crowded |= tally.crowded
        total.new_at += [number * total.executions // tally.executions for number in tally.new_at]
        for name, count in tally.by_strategy.items():
            total.by_strategy[name] = total.by_strategy.get(name, 0) + count
        for name, count in tally.settled.items():
            total.settled[name] = total.settled.get(name, 0) + count
    return total
