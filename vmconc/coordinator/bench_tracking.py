"""What tracking costs: the same faults in every mode, and what an event takes; each round in a process of its own.

Where code and data lie changes what a fault costs by more than a tenth, and stays so as long as a process lives: no
number of runs in one process averages that out.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec

from vmconc.coordinator.anew import call_anew
from vmconc.coordinator.bench import PROTOCOLS
from vmconc.coordinator.bench_life import MODES, Endurance, Life, endure, live, prepare
from vmconc.coordinator.result import encode
from vmconc.coordinator.rundir import RunDirectory
from vmconc.statistics import Ratio, paired_ratio, summarise

EXPECTED = {"counted": "at most 1.10", "timed": "at most 1.5", "recorded": "at most 2"}


class TrackingCost(msgspec.Struct):
    """What one protocol's faults cost in one mode."""

    protocol: str
    mode: str
    nanoseconds: Ratio  # CPU time of a fault
    of_off: Ratio  # times what it costs in mode off
    expected: str = ""


class EventCost(msgspec.Struct):
    """What one event adds to what mode counted costs."""

    protocol: str
    events_per_fault: float
    nanoseconds: Ratio
    beyond_stamp: Ratio


class TrackingResult(msgspec.Struct):
    """The whole measurement."""

    rounds: int
    stamp: Ratio  # ns of a time stamp
    costs: list[TrackingCost]
    events: list[EventCost]
    endurance: Endurance
    run_dir: str


def cost(lives: list[Life], protocol: str, mode: str) -> TrackingCost:
    """Return what one protocol's faults cost in a mode."""
    spent, off = ([life.spent[protocol, which] for life in lives] for which in (mode, "off"))
    return TrackingCost(protocol, mode, summarise(spent), paired_ratio(spent, off), EXPECTED.get(mode, ""))


def event(lives: list[Life], protocol: str) -> EventCost:
    """Return what one event costs."""
    each = [
        (life.spent[protocol, "recorded"] - life.spent[protocol, "counted"]) / life.events[protocol] for life in lives
    ]
    beyond = [spent - life.stamp for spent, life in zip(each, lives, strict=True)]
    return EventCost(protocol, lives[-1].events[protocol], summarise(each), summarise(beyond))


def bench(
    rounds: int, pages: int, seconds: float, seed: int, runs: Path, show: bool, note: Callable[[int], None]
) -> TrackingResult:
    """Measure; `note` is told the rounds done.  What is cold is compiled before, with a bar if `show`."""
    directory, lives = RunDirectory(runs, "bench-tracking"), []
    try:
        call_anew(prepare, directory.path, show)
        for number in range(rounds):
            lives.append(call_anew(live, directory.path, pages, seed, number))
            note(number + 1)
        result = TrackingResult(
            rounds, summarise([life.stamp for life in lives]),
            [cost(lives, protocol, mode) for protocol in PROTOCOLS for mode in MODES],
            [event(lives, protocol) for protocol in PROTOCOLS],
            call_anew(endure, directory.path, seconds, seed), str(directory.path),
        )  # fmt: skip
        directory.write_json("run.json", encode(result))
    finally:
        directory.close()
    return result
