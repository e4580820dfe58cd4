"""What tracking costs: the same faults in every mode, in shuffled order within each round, and what an event takes."""

import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from vmconc.coordinator import bench_plans
from vmconc.coordinator.bench import PROTOCOLS
from vmconc.coordinator.errors import EmulatorError
from vmconc.coordinator.options import RunOptions
from vmconc.coordinator.result import RunResult, encode
from vmconc.coordinator.session import Session
from vmconc.memory.build import Build
from vmconc.memory.ring import EVENT_BYTES, FOLDER, read_ticks
from vmconc.program.plan import Plan
from vmconc.statistics import Ratio, paired_ratio, summarise

MODES = ("off", "counted", "timed", "recorded")
EXPECTED = {"counted": "at most 1.10", "timed": "at most 1.5", "recorded": "at most 2"}
STAMPS = 200_000  # time stamps that are read to measure one
LASTING_PAGES = 100_000  # of each CPU in one run at full speed: so many events that each ring is full many times


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


class Endurance(msgspec.Struct):
    """Recording at full speed: whether anything was lost."""

    seconds: float = 0.0  # of all runs, without what is between them
    runs: int = 0
    events: int = 0
    lost: int = 0
    waits: int = 0  # times that a CPU waited for the recorder
    megabytes_a_second: float = 0.0


class TrackingResult(msgspec.Struct):
    """The whole measurement."""

    rounds: int
    stamp: Ratio  # ns of a time stamp
    costs: list[TrackingCost]
    events: list[EventCost]
    endurance: Endurance
    run_dir: str


class Tracking:
    """The measurements so far: ns of a fault by protocol and mode, a value for each round."""

    def __init__(self, session: Session, pages: int, seed: int):
        self.session, self.pages, self.seed = session, pages, seed
        self.plan = bench_plans.zero_fill(pages, 1)
        self.stamps: list[float] = []
        self.spent: dict[tuple[str, str], list[float]] = {(p, m): [] for p in PROTOCOLS for m in MODES}
        self.events: dict[str, float] = {}

    def round(self, order: random.Random) -> None:
        """Run every protocol in every mode once, and read the counter."""
        self.stamps.append(stamp_cost())
        for protocol, mode in order.sample(list(self.spent), len(self.spent)):
            result = self.run(self.plan, protocol, mode, 1)
            self.spent[protocol, mode].append(result.cpu_seconds / result.faults * 1e9)
            if result.recording:
                self.events[protocol] = sum(result.recording.events) / result.faults

    def run(self, plan: Plan, protocol: str, mode: str, cpus: int) -> RunResult:
        """Run a plan.  Raises EmulatorError if it did not go well."""
        runs = self.session.options.runs
        pages = len(plan.ops) + 4096
        options = RunOptions(cpus=cpus, mode=mode, frames=pages, seed=self.seed, runs=runs, checks=False)
        result = self.session.run(plan, protocol, options)
        shutil.rmtree(self.session.directory.path / FOLDER, ignore_errors=True)
        if result.exit_code:
            raise EmulatorError(f"{protocol} {mode}: {result.ending.message}; see {result.run_dir}")
        return result

    def cost(self, protocol: str, mode: str) -> TrackingCost:
        """Return what one protocol's faults cost in a mode."""
        spent, off = self.spent[protocol, mode], self.spent[protocol, "off"]
        ratio = paired_ratio(spent, off)
        return TrackingCost(protocol, mode, summarise(spent), ratio, EXPECTED.get(mode, ""))

    def event(self, protocol: str) -> EventCost:
        """Return what one event costs."""
        pairs = zip(self.spent[protocol, "recorded"], self.spent[protocol, "counted"], self.stamps, strict=True)
        each = [((recorded - counted) / self.events[protocol], stamp) for recorded, counted, stamp in pairs]
        whole = summarise([cost for cost, _ in each])
        beyond = summarise([cost - stamp for cost, stamp in each])
        return EventCost(protocol, self.events[protocol], whole, beyond)

    def endure(self, seconds: float) -> Endurance:
        """Record two CPUs that fault as fast as they can, in one run after the other, until they took so long."""
        found = Endurance()
        plan = bench_plans.zero_fill(LASTING_PAGES, 2)
        while found.seconds < seconds:
            result = self.run(plan, "backing", "recorded", 2)
            recording = result.recording
            assert recording is not None
            found.seconds += result.wall_seconds
            found.runs += 1
            found.events += sum(recording.events)
            found.lost += sum(recording.dropped) + sum(recording.unwritten)
            found.waits += sum(recording.waits)
        found.megabytes_a_second = found.events * EVENT_BYTES / found.seconds / 1e6 if found.seconds else 0.0
        return found


def stamp_cost() -> float:
    """Return the CPU ns that reading the counter takes."""
    read_ticks(STAMPS)
    begun = time.process_time_ns()
    read_ticks(STAMPS)
    return (time.process_time_ns() - begun) / STAMPS


def bench(
    rounds: int, pages: int, seconds: float, seed: int, runs: Path, show: bool, note: Callable[[int], None]
) -> TrackingResult:
    """Measure; `note` is told the rounds done."""
    builds = [Build(mode, protocol) for mode in MODES for protocol in PROTOCOLS]
    order = random.Random(seed)
    with Session(builds, RunOptions(runs=runs), "bench-tracking", show) as session:
        measured = Tracking(session, pages, seed)
        for number in range(rounds):
            measured.round(order)
            note(number + 1)
        result = TrackingResult(
            rounds, summarise(measured.stamps),
            [measured.cost(protocol, mode) for protocol in PROTOCOLS for mode in MODES],
            [measured.event(protocol) for protocol in PROTOCOLS], measured.endure(seconds),
            str(session.directory.path),
        )  # fmt: skip
        session.directory.write_json("run.json", encode(result))
    return result
