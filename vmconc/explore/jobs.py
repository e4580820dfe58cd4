"""Searches side by side: several processes, each with a machine and a seed of its own, until one finds a failure."""

import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np

from vmconc.coordinator.processes import FORK, finish, start
from vmconc.explore.coverage import rows_of, summary, united
from vmconc.explore.failure import Failure
from vmconc.explore.search import Budget, Choice, Tally, search
from vmconc.explore.target import Target, make

SEED_STRIDE = 1_000_003  # between the seeds of two processes
NOTED = 0.2  # seconds between two reports of a process

# What was done so far, what was found, and at the end the classes seen.
Message = tuple[Tally, Failure | None, np.ndarray | None]


def search_side_by_side(
    target: Target,
    choices: tuple[Choice, ...],
    budget: Budget,
    seed: int,
    jobs: int,
    note: Callable[[Tally], None],
) -> tuple[Tally, Failure | None]:
    """Search with `jobs` processes; whoever finds a failure first ends all.  The code must be compiled already."""
    pipes: list[Connection] = []
    processes: list[BaseProcess] = []
    try:
        for number in range(jobs):
            reader, writer = FORK.Pipe(duplex=False)
            share = Budget(share_of(budget.executions, number, jobs), budget.seconds)
            body = partial(work, target, choices, share, seed + number * SEED_STRIDE, writer)
            processes.append(start(f"explorer{number}", None, body))
            writer.close()
            pipes.append(reader)
        return gather(pipes, note)
    finally:
        finish(processes, grace=0.0)


def share_of(executions: int, number: int, jobs: int) -> int:
    """Return how many of the executions one process runs; 0 if there is no limit."""
    return executions // jobs + (number < executions % jobs) if executions else 0


def work(target: Target, choices: tuple[Choice, ...], budget: Budget, seed: int, pipe: Connection) -> None:
    """Be one of the processes: search, report now and then, and at the end."""
    from vmconc.explore.session import at_rest

    lab = make(target)
    reported = time.monotonic()

    def note(tally: Tally) -> None:
        nonlocal reported
        if time.monotonic() - reported > NOTED:
            reported = time.monotonic()
            pipe.send((tally, None, None))

    tally, failure = search(lab, choices, budget, seed, at_rest(lab, target), note)
    pipe.send((tally, failure, rows_of(lab)))


def gather(pipes: list[Connection], note: Callable[[Tally], None]) -> tuple[Tally, Failure | None]:
    """Collect what the processes report until one has found a failure or all have ended."""
    latest: dict[int, Tally] = {}
    rows: list[np.ndarray] = []
    open_pipes = list(pipes)
    while open_pipes:
        for pipe in wait(open_pipes):
            number = pipes.index(pipe)  # type: ignore[arg-type]
            message = receive(pipe)
            if message is None or message[2] is not None:
                open_pipes.remove(pipe)  # type: ignore[arg-type]
            if message is None:
                continue
            latest[number], failure, classes = message
            rows += [classes] if classes is not None else []
            note(added(list(latest.values())))
            if failure:
                return added(list(latest.values())), failure
    if len(latest) < len(pipes):
        raise RuntimeError("a process that explored ended without a word")
    total = added(list(latest.values()))
    total.classes = summary(united(rows))
    return total, None


def receive(pipe: Any) -> Message | None:
    """Return a report, None if the process is gone."""
    try:
        message: Message = pipe.recv()
    except EOFError:
        return None
    return message


def added(tallies: list[Tally]) -> Tally:
    """Add up what was done by all.  States are counted by each, and may be the same; when, is put in proportion."""
    total = Tally(executions=sum(tally.executions for tally in tallies), processes=len(tallies))
    for tally in tallies:
        total.points += tally.points
        total.seconds = max(total.seconds, tally.seconds)
        total.at_rest += tally.at_rest
        total.longest = max(total.longest, tally.longest)
        total.classes = max(total.classes, tally.classes, key=lambda classes: classes.seen)
        total.new_at += [number * total.executions // tally.executions for number in tally.new_at]
        for name, count in tally.by_strategy.items():
            total.by_strategy[name] = total.by_strategy.get(name, 0) + count
        for name, count in tally.settled.items():
            total.settled[name] = total.settled.get(name, 0) + count
    return total
