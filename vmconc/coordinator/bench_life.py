"""What one process of `vmconc bench tracking` measures: a fault in every mode, or recording at full speed."""

import random
import shutil
import statistics
import time
from pathlib import Path

import msgspec

from vmconc.coordinator import bench_plans
from vmconc.coordinator.bench import PROTOCOLS
from vmconc.coordinator.options import RunOptions
from vmconc.coordinator.result import RunResult
from vmconc.coordinator.session import Session
from vmconc.memory.build import Build
from vmconc.memory.ring import EVENT_BYTES, FOLDER, read_ticks
from vmconc.program.plan import Plan

MODES = ("off", "counted", "timed", "recorded")
ARMS = [(protocol, mode) for protocol in PROTOCOLS for mode in MODES]
RUNS = 3  # of each arm in a process; their median counts
STAMPS = 200_000  # time stamps that are read to measure one
LASTING_PAGES = 100_000  # of each CPU in one run at full speed: so many events that each ring is full many times


class Life(msgspec.Struct):
    """What one process found."""

    stamp: float  # ns of a time stamp
    spent: dict[tuple[str, str], float]  # ns of a fault by protocol and mode
    events: dict[str, float]  # of a recorded fault by protocol


class Endurance(msgspec.Struct):
    """Recording at full speed: whether anything was lost."""

    seconds: float = 0.0  # of all runs, without what is between them
    runs: int = 0
    events: int = 0
    lost: int = 0
    waits: int = 0  # times that a CPU waited for the recorder
    megabytes_a_second: float = 0.0


def prepare(runs: Path, show: bool) -> None:
    """Compile what is not compiled yet; where code lies that a process has compiled itself is no user's usual case."""
    with loaded(ARMS, runs, show):
        pass


def live(runs: Path, pages: int, seed: int, number: int) -> Life:
    """Load every build in an order that belongs to round `number`, and run each, in orders of their own."""
    chance = random.Random(f"{seed} {number}")
    plan = bench_plans.zero_fill(pages, 1)
    spent: dict[tuple[str, str], list[float]] = {arm: [] for arm in ARMS}
    events = {}
    with loaded(chance.sample(ARMS, len(ARMS)), runs) as session:
        stamp = stamp_cost()
        for _ in range(RUNS):
            for protocol, mode in chance.sample(ARMS, len(ARMS)):
                result = run(session, plan, protocol, mode, seed)
                spent[protocol, mode].append(result.cpu_seconds / result.faults * 1e9)
                if result.recording:
                    events[protocol] = sum(result.recording.events) / result.faults
    return Life(stamp, {arm: statistics.median(values) for arm, values in spent.items()}, events)


def endure(runs: Path, seconds: float, seed: int) -> Endurance:
    """Record two CPUs that fault as fast as they can, in one run after the other, until they took so long."""
    found = Endurance()
    plan = bench_plans.zero_fill(LASTING_PAGES, 2)
    with loaded([("backing", "recorded")], runs) as session:
        while found.seconds < seconds:
            result = run(session, plan, "backing", "recorded", seed)
            recording = result.recording
            assert recording is not None
            found.seconds += result.wall_seconds
            found.runs += 1
            found.events += sum(recording.events)
            found.lost += sum(recording.dropped) + sum(recording.unwritten)
            found.waits += sum(recording.waits)
    found.megabytes_a_second = found.events * EVENT_BYTES / found.seconds / 1e6 if found.seconds else 0.0
    return found


def loaded(arms: list[tuple[str, str]], runs: Path, show: bool = False) -> Session:
    """Return a session whose builds are loaded in this order.  Of what goes well it keeps nothing."""
    builds = [Build(mode, protocol) for protocol, mode in arms]
    return Session(builds, RunOptions(runs=runs, keep=False), "process", show)


def run(session: Session, plan: Plan, protocol: str, mode: str, seed: int) -> RunResult:
    """Run a plan, every LWP on a CPU of its own, and remove the events."""
    cpus, frames = len(plan.lwps), len(plan.ops) + 4096
    options = RunOptions(cpus=cpus, mode=mode, frames=frames, seed=seed, runs=session.options.runs, checks=False)
    result = session.run_well(plan, protocol, options, f"{protocol} {mode}")
    shutil.rmtree(session.directory.path / FOLDER, ignore_errors=True)
    return result


def stamp_cost() -> float:
    """Return the CPU ns that reading the counter takes."""
    read_ticks(STAMPS)
    begun = time.process_time_ns()
    read_ticks(STAMPS)
    return (time.process_time_ns() - begun) / STAMPS
