"""What is tried to make a schedule simpler: what differs from staying is left out, moved, or another CPU chosen."""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from vmconc.explore.trials import Trials, turns_of

SHIFTS = (1, -1, 2, -2, 4, -4, 8, -8, 16, -16, 32, -32)  # decisions by which a deviation is moved


def simplify(trials: Trials) -> None:
    """Take each simpler schedule that is found among those like the simplest, until there is none or time is up."""
    while any(trials.simpler(turns) for turns in until_over(trials)):
        pass


def until_over(trials: Trials) -> Iterator[list[int]]:
    """Yield schedules like the simplest one, until time is up."""
    if trials.over():
        return
    deviations, engine = trials.deviations(), trials.lab.engine
    for turns in like(trials.best.turns, deviations, engine):
        if trials.over():
            return
        yield turns


def like(turns: list[int], deviations: dict[int, int], engine: Any) -> Iterator[list[int]]:
    """Yield schedules that are perhaps simpler."""
    yield from left_out(deviations)
    yield from joined(turns)
    yield from moved(deviations)
    yield from exchanged(deviations, engine.fibers)


def left_out(deviations: dict[int, int]) -> Iterator[list[int]]:
    """Leave out halves of the deviations, then quarters, at last one at a time.

    (Zeller, Hildebrandt: Simplifying and isolating failure-inducing input, IEEE TSE 2002: the complements of ddmin.)
    """
    numbers = sorted(deviations, reverse=True)
    length = len(numbers)
    while length >= 1:
        for first in range(0, len(numbers), length):
            gone = numbers[first : first + length]
            yield turns_of({number: cpu for number, cpu in deviations.items() if number not in gone})
        length //= 2


def joined(turns: list[int]) -> Iterator[list[int]]:
    """Leave out what a CPU does at a stretch, or let it do it with its next or last stretch."""
    runs = [list(group) for _, group in groupby(turns)]
    for i in range(len(runs)):
        yield flat(runs[:i] + runs[i + 1 :])
    for i in range(1, len(runs)):
        yield flat([*runs[:i], [runs[i - 1][0]] * len(runs[i]), *runs[i + 1 :]])
    for i in range(len(runs) - 2):
        yield flat([*runs[:i], runs[i] + runs[i + 2], runs[i + 1], *runs[i + 3 :]])
        yield flat([*runs[:i], runs[i + 1], runs[i] + runs[i + 2], *runs[i + 3 :]])


def flat(runs: list[list[int]]) -> list[int]:
    """Return the turns of all runs."""
    return [cpu for run in runs for cpu in run]


def moved(deviations: dict[int, int]) -> Iterator[list[int]]:
    """Make a deviation earlier or later."""
    for number, cpu in deviations.items():
        rest = {other: deviations[other] for other in deviations if other != number}
        for shift in SHIFTS:
            if number + shift >= 0 and number + shift not in rest:
                yield turns_of({**rest, number + shift: cpu})


def exchanged(deviations: dict[int, int], fibers: int) -> Iterator[list[int]]:
    """Let another CPU go on where one was chosen against staying."""
    for number, cpu in deviations.items():
        for other in range(fibers):
            if other != cpu:
                yield turns_of({**deviations, number: other})
