"""What a run leaves: the structs behind `run.json` and every `--json` answer."""

from typing import Any

import msgspec

from vmconc.analysis.checked import Checked
from vmconc.coordinator.recorder import Recording
from vmconc.statistics import Ratio


class Locks(msgspec.Struct):
    """Operations on the locks of one class, over all CPUs."""

    shared: int = 0
    exclusive: int = 0
    recursive: int = 0
    contended: int = 0
    wait_ns: int = 0
    failed: int = 0
    reowned: int = 0


class Ending(msgspec.Struct):
    """How a run ended; `cpus` and all below are filled when it did not end by itself."""

    reason: str = "done"
    exit_code: int = 0
    message: str = ""
    report: list[str] = []
    cpus: list[dict[str, Any]] = []
    wait_for: list[dict[str, Any]] = []
    cycle: list[int] = []
    victims: list[int] = []  # that wait for one of the cycle


class CpuWork(msgspec.Struct):
    """What one emulated CPU did."""

    faults: int = 0
    cpu_seconds: float = 0.0
    lock_operations: int = 0


class RunResult(msgspec.Struct):
    """One protocol, one plan, one run."""

    program: str
    protocol: str
    cpus: int
    mode: str
    seed: int
    operations: int = 0
    faults: int = 0
    faults_per_cpu_second: float = 0.0
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    per_cpu: list[CpuWork] = []
    locks: dict[str, Locks] = {}
    events: dict[str, int] = {}
    pageins: int = 0
    pageins_map_released: int = 0
    pageins_map_held: int = 0
    retries: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    max_depth: int = 0
    order: list[tuple[str, str]] = []
    violations: list[dict[str, Any]] = []
    violation_count: int = 0
    skipped: dict[str, int] = {}
    notes: list[str] = []
    ending: Ending = msgspec.field(default_factory=Ending)
    agreement: dict[str, Any] = {}
    recording: Recording | None = None
    checked: Checked | None = None  # mode recorded: what its events say
    run_dir: str = ""
    options: dict[str, Any] = {}
    machine: dict[str, Any] = {}
    versions: dict[str, str] = {}

    @property
    def exit_code(self) -> int:
        """Return the exit code the run deserves."""
        return self.ending.exit_code or int(bool(self.violation_count or broken_in(self.checked)))


def broken_in(checked: Checked | None) -> list[str]:
    """Return the rules that a run's events break, if they were checked."""
    return [found.rule for found in checked.broken] if checked else []


class CompareResult(msgspec.Struct):
    """Both protocols on the same operations, round after round; `ratio` is backing over chained."""

    program: str
    rounds: int
    protocols: dict[str, RunResult]
    ratio: Ratio
    per_round: list[dict[str, float]] = []
    agreement: dict[str, Any] = {}
    run_dir: str = ""

    @property
    def exit_code(self) -> int:
        """Return the exit code of the worst run."""
        return worst([result.exit_code for result in self.protocols.values()])


def worst(codes: list[int]) -> int:
    """Return the exit code that says most: own fault, deadlock, violation, interrupted, clean."""
    for code in (4, 3, 2, 1):
        if code in codes:
            return code
    return max(codes, default=0)


def encode(result: Any) -> bytes:
    """Write a result as JSON."""
    return msgspec.json.encode(result)
