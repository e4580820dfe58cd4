"""What `run` and `compare` are asked for alike: what memory, disk, checks and results are like, and what is tracked."""

from dataclasses import dataclass, field

from vmconc.cli import options as o
from vmconc.coordinator.errors import UsageError
from vmconc.coordinator.options import FRAMES, RING, RunOptions
from vmconc.coordinator.units import bandwidth, duration, probability


@dataclass(frozen=True)
class Recording:
    """The options of mode recorded."""

    ring: o.Ring = RING
    when_full: o.WhenFull = "stop"
    check_events: o.CheckEvents = True


@dataclass(frozen=True)
class Session:
    """The options of every mode, but which it is and on how many CPUs."""

    frames: o.Frames = FRAMES
    seed: o.Seed = 0
    settings: o.Set = field(default_factory=list)
    time_limit: o.TimeLimit = 0.0
    stall: o.Stall = 10.0
    skip_bad: o.SkipBad = False
    directory: o.Directory = o.DIRECTORY_DEFAULT
    runs: o.RunsDir = o.RUNS_DEFAULT
    io_latency: o.Latency = "0"
    io_error_rate: o.ErrorRate = 0.0
    io_bandwidth: o.Bandwidth = "0"
    fail_fast: o.FailFast = False
    no_checks: o.NoChecks = False
    heuristic: o.Heuristic = True
    keep: o.Keep = True
    tables: o.Table = field(default_factory=list)


def run_options(
    cpus: int, mode: str, session: Session, recording: Recording | None = None,
    delays: list[str] | None = None, bugs: tuple[str, ...] = (),
) -> RunOptions:  # fmt: skip
    """Check the values of a command line.  Raises UsageError naming option, value and fix."""
    recording = recording or Recording()
    if cpus < 0:
        raise UsageError(f"--cpus {cpus} is negative; choose 1 or more, or 0 for the number of cores")
    check_recording(recording, mode)
    return RunOptions(
        cpus=cpus or o.core_count(), mode=mode, ring=recording.ring, drop=recording.when_full == "drop",
        check_events=recording.check_events, frames=session.frames, seed=session.seed, time_limit=session.time_limit,
        stall=session.stall, directory=session.directory, runs=session.runs,
        io_latency=duration("--io-latency", session.io_latency),
        io_error_rate=probability("--io-error-rate", session.io_error_rate),
        io_bandwidth=bandwidth("--io-bandwidth", session.io_bandwidth), fail_fast=session.fail_fast,
        checks=not session.no_checks, heuristic=session.heuristic, keep=session.keep,
        tables=table_sizes(session.tables), bugs=bugs, delays=tuple(delays or ()),
    )  # fmt: skip


def check_recording(asked: Recording, mode: str) -> None:
    """Raise UsageError for what a full ring cannot do, and for options of recording where nothing is recorded."""
    if asked.when_full not in ("stop", "drop"):
        raise UsageError(f"--when-full {asked.when_full!r} is unknown; choose stop or drop")
    if mode != "recorded" and asked != Recording():
        given = "--ring, --when-full and --no-check-events"
        raise UsageError(f"{given} are for --mode recorded, not {mode}; leave them out")


def table_sizes(pairs: list[str]) -> dict[str, int]:
    """Turn `NAME=N` words into a dictionary."""
    sizes = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        if not number.isdigit() or int(number) == 0:
            raise UsageError(f"--table {pair!r} is not NAME=N; write for example --table objects=32768")
        sizes[name.replace("-", "_")] = int(number)
    return sizes
