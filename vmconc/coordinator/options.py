"""Every knob of a run, with its default and what it means: the one place where defaults stand."""

import math
from dataclasses import dataclass, field
from pathlib import Path

from vmconc.coordinator.errors import UsageError
from vmconc.memory.build import Build

MODES = ("counted", "timed", "recorded", "off")
RING, RING_MAX = 1 << 16, 1 << 24
FRAMES, FRAMES_MAX = 65536, 1_048_576
CPUS_MAX = 255  # one more record is the disk's


@dataclass(frozen=True)
class RunOptions:
    """How a plan is executed."""

    cpus: int = 2  # emulated CPUs: one worker process each
    mode: str = "counted"  # what every lock operation tracks
    frames: int = FRAMES  # 4 KiB frames in the pool
    seed: int = 0  # of everything that is random
    time_limit: float = 0.0  # seconds, 0: none
    stall: float = 10.0  # seconds without any progress after which the run is given up
    ring: int = RING  # mode recorded: events that a CPU can be ahead of the recorder
    check_events: bool = True  # mode recorded: hold the events against every rule when the run has ended
    drop: bool = False  # mode recorded: a full ring drops events, and counts them; else its CPU waits
    directory: Path = Path("/dev/shm")  # where the shared mapping lives
    runs: Path = Path("runs")  # where results go
    io_latency: int = 0  # ns added to each I/O
    io_bandwidth: float = 0.0  # bytes per second, 0: no limit
    io_error_rate: float = 0.0  # share of the I/Os that fail
    fail_fast: bool = False  # stop at the first violation
    checks: bool = True  # check the shared state when nothing runs any more
    heuristic: bool = True  # backing: EXCL_HEUR
    keep: bool = True  # keep the run directory
    bugs: tuple[str, ...] = ()  # known bugs that are switched on
    delays: tuple[str, ...] = ()  # where CPUs are delayed, and how long: as delays.py reads them
    tables: dict[str, int] = field(default_factory=dict)  # records of a table, where the default is too small

    def build(self, protocol: str = "") -> Build:
        """Return what is compiled for a run with these options."""
        return Build(self.mode, protocol, self.bugs, delayed=bool(self.delays))

    def __post_init__(self) -> None:
        if not 1 <= self.cpus <= CPUS_MAX:
            raise UsageError(f"--cpus {self.cpus} is out of range; choose 1 to {CPUS_MAX}")
        if self.mode not in MODES:
            raise UsageError(f"--mode {self.mode!r} is unknown; choose one of {', '.join(MODES)}")
        if not 1 <= self.frames <= FRAMES_MAX:
            raise UsageError(f"--frames {self.frames} is out of range; choose 1 to {FRAMES_MAX}")
        if not 2 <= self.ring <= RING_MAX or self.ring & self.ring - 1:
            raise UsageError(f"--ring {self.ring} is no power of two from 2 to {RING_MAX:,}; choose for example {RING}")
        if not 0 <= self.time_limit < math.inf:
            raise UsageError(f"--time-limit {self.time_limit:g} is out of range; choose seconds, or 0 for none")
        if not 0 < self.stall < math.inf:
            raise UsageError(f"--stall {self.stall:g} is out of range; choose seconds, for example 10")
        if not self.directory.is_dir():
            raise UsageError(f"--dir {self.directory} is no directory; create it or choose another")
