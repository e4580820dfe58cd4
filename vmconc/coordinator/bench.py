"""Rates of the emulator beside the real kernel's: every arm once a round, in shuffled order, ratios paired by round."""

import os
import random
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from vmconc.coordinator import bench_plans, bench_real
from vmconc.coordinator.options import RunOptions
from vmconc.coordinator.result import RunResult, encode
from vmconc.coordinator.session import Session
from vmconc.memory.build import Build
from vmconc.program.plan import Plan
from vmconc.statistics import Ratio, paired_ratio, summarise

DEPTHS = (1, 4, 8, 16)
PROTOCOLS = ("chained", "backing")
FOREIGN = 0.5  # CPUs of other work from which a round is flagged


@dataclass(frozen=True)
class Arm:
    """One thing that is measured: a protocol's faults, or if there is none what the real machine does."""

    name: str
    protocol: str = ""
    mode: str = "counted"
    depth: int = 0  # 0: zero-fill
    workers: int = 1
    real: Callable[[int], tuple[int, int]] = bench_real.zero_fill


class ArmResult(msgspec.Struct):
    """What an arm came to: faults per CPU-second."""

    name: str
    rate: Ratio
    locks_per_fault: float = 0.0


class RatioResult(msgspec.Struct):
    """Two arms against each other."""

    name: str
    value: Ratio
    expected: str = ""


class BenchResult(msgspec.Struct):
    """A whole benchmark."""

    rounds: int
    pages: int
    arms: list[ArmResult]
    ratios: list[RatioResult]
    flagged: int
    run_dir: str


def arms_of(groups: list[str]) -> list[Arm]:
    """Return the arms of some groups, each once."""
    arms = [Arm("clear only", real=bench_real.clear_only), Arm("real zero")]
    arms += [Arm(f"{name} zero", name) for name in PROTOCOLS]
    if "cow" in groups:
        arms.append(Arm("real cow", depth=1, real=bench_real.copy_on_write))
        arms += [Arm(f"{name} cow d={depth}", name, depth=depth) for depth in DEPTHS for name in PROTOCOLS]
    if "modes" in groups:
        arms += [Arm(f"{name} zero off", name, "off") for name in PROTOCOLS]
    if "workers" in groups:
        arms += [Arm("real zero 2w", workers=2), *[Arm(f"{name} zero 2w", name, workers=2) for name in PROTOCOLS]]
    return arms


PAIRS = (
    ("clear only", "real zero", 1, "no fault can beat it"), ("backing zero", "real zero", 1, "at least 3"),
    ("chained zero", "real zero", 1, ""), ("backing zero", "chained zero", 1, ""),
    ("backing cow d=1", "real cow", 1, ""),
    *[(f"backing cow d={depth}", f"chained cow d={depth}", 1, "") for depth in DEPTHS],
    *[(f"{name} zero off", f"{name} zero", 1, "at most 1.15") for name in PROTOCOLS],
    *[(f"{name} zero 2w", f"{name} zero", 2, "at least 1.8") for name in PROTOCOLS],
    ("real zero 2w", "real zero", 2, ""),
)  # fmt: skip


class Bench:
    """The measurements so far."""

    def __init__(self, session: Session, groups: list[str], pages: int, seed: int):
        self.session, self.pages, self.seed = session, pages, seed
        self.arms = arms_of(groups)
        self.rates: dict[str, list[float]] = {arm.name: [] for arm in self.arms}
        self.locks: dict[str, float] = {}
        self.plans: dict[tuple[int, int], Plan] = {}
        self.flagged = 0

    def round(self, order: random.Random) -> None:
        """Run every arm once."""
        begun, busy, own = time.monotonic(), busy_seconds(), own_seconds()
        for arm in order.sample(self.arms, len(self.arms)):
            self.rates[arm.name].append(self.measure(arm))
        foreign = (busy_seconds() - busy) - (own_seconds() - own)
        self.flagged += foreign / (time.monotonic() - begun) > FOREIGN

    def measure(self, arm: Arm) -> float:
        """Return faults per CPU-second of one arm."""
        if not arm.protocol:
            return bench_real.measure(arm.real, self.pages, arm.workers)
        plan = self.plan(arm)
        cpus = 2 if arm.depth else arm.workers
        options = RunOptions(
            cpus=cpus, mode=arm.mode, frames=2 * self.pages + 4096, seed=self.seed, runs=self.session.options.runs,
            checks=False,
        )  # fmt: skip
        return self.rate(arm, self.session.run_well(plan, arm.protocol, options, arm.name))

    def rate(self, arm: Arm, result: RunResult) -> float:
        """Take the CPUs that count: of a chain only the one whose faults go through it."""
        cpus = result.per_cpu[1:] if arm.depth else result.per_cpu
        faults, seconds = sum(cpu.faults for cpu in cpus), sum(cpu.cpu_seconds for cpu in cpus)
        self.locks[arm.name] = sum(cpu.lock_operations for cpu in cpus) / faults
        return faults / seconds

    def plan(self, arm: Arm) -> Plan:
        """Return an arm's plan, made once."""
        key = (arm.depth, arm.workers)
        if key not in self.plans:
            copy = arm.depth > 0
            self.plans[key] = (
                bench_plans.copy_on_write(self.pages, arm.depth)
                if copy
                else bench_plans.zero_fill(self.pages, arm.workers)
            )
        return self.plans[key]

    def result(self, rounds: int) -> BenchResult:
        """Return rates and ratios."""
        arms = [
            ArmResult(arm.name, summarise(self.rates[arm.name]), self.locks.get(arm.name, 0.0))
            for arm in self.arms
        ]
        ratios = [
            RatioResult(said_pair(above, below, factor), self.paired(above, below, factor), expected)
            for above, below, factor, expected in PAIRS
            if above in self.rates and below in self.rates
        ]
        return BenchResult(rounds, self.pages, arms, ratios, self.flagged, str(self.session.directory.path))

    def paired(self, above: str, below: str, factor: int) -> Ratio:
        """Return one ratio; `factor` turns rates per CPU-second into throughput."""
        return paired_ratio([rate * factor for rate in self.rates[above]], self.rates[below])


def said_pair(above: str, below: str, factor: int) -> str:
    """Name a ratio."""
    return f"{above} / {below}" + (" (throughput)" if factor > 1 else "")


def bench(
    rounds: int, groups: list[str], pages: int, seed: int, runs: Path, show: bool, note: Callable[[int], None]
) -> BenchResult:
    """Measure; `note` is told the rounds done."""
    modes = ("counted", "off") if "modes" in groups else ("counted",)
    builds = [Build(mode, protocol) for mode in modes for protocol in PROTOCOLS]
    order = random.Random(seed)
    with Session(builds, RunOptions(runs=runs), "bench", show) as session:
        measured = Bench(session, groups, pages, seed)
        for number in range(rounds):
            measured.round(order)
            note(number + 1)
        result = measured.result(rounds)
        session.directory.write_json("run.json", encode(result))
    return result


def busy_seconds() -> float:
    """Return the CPU seconds that all work of this machine has taken."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def own_seconds() -> float:
    """Return the CPU seconds of this process and its ended children."""
    times = os.times()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return times.user + times.system + children.ru_utime + children.ru_stime
