"""The options that `run` and `compare` share, as types: name, help and default stand here once."""

from pathlib import Path
from typing import Annotated

import typer

from vmconc.coordinator.errors import UsageError
from vmconc.coordinator.options import FRAMES, RING, RunOptions
from vmconc.coordinator.units import bandwidth, duration, probability

What = Annotated[
    str, typer.Argument(metavar="PROGRAM|TRACE", help="A built-in program or trace, a .py file, or a trace file.")
]
Cpus = Annotated[int, typer.Option("--cpus", help="Emulated CPUs, one process each; 0: as many as there are cores.")]
Mode = Annotated[str, typer.Option("--mode", help="What each lock operation tracks: off, counted, timed or recorded.")]
Ring = Annotated[int, typer.Option("--ring", help="Mode recorded: events of a CPU that may wait to be written.")]
WhenFull = Annotated[
    str, typer.Option("--when-full", help="Mode recorded: a CPU with a full ring waits (stop) or loses events (drop).")
]
CheckEvents = Annotated[
    bool,
    typer.Option("--check-events/--no-check-events", help="Mode recorded: check the events, as vmconc check does."),
]
Frames = Annotated[int, typer.Option("--frames", help="4 KiB frames of emulated memory.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of everything that is random.")]
Set = Annotated[
    list[str], typer.Option("--set", metavar="NAME=VALUE", help="An option of the program; repeat for more.")
]
TimeLimit = Annotated[float, typer.Option("--time-limit", help="Stop after this many seconds; 0: never.")]
Stall = Annotated[float, typer.Option("--stall", help="Give up after this many seconds without progress.")]
SkipBad = Annotated[bool, typer.Option("--skip-bad", help="Leave malformed records of a trace out, and count them.")]
Directory = Annotated[Path, typer.Option("--dir", help="Where the shared mapping lives.")]
RunsDir = Annotated[Path, typer.Option("--runs-dir", help="Where results go.")]
Latency = Annotated[str, typer.Option("--io-latency", help="Time added to each I/O, as 5ms or 100us.")]
ErrorRate = Annotated[float, typer.Option("--io-error-rate", help="Share of the I/Os that fail, 0 to 1.")]
Bandwidth = Annotated[str, typer.Option("--io-bandwidth", help="Limit of the disk, as 200MB/s; 0: none.")]
FailFast = Annotated[bool, typer.Option("--fail-fast", help="Stop at the first violation.")]
NoChecks = Annotated[bool, typer.Option("--no-checks", help="Leave out the checks of the shared state at the end.")]
Heuristic = Annotated[
    bool, typer.Option("--heuristic/--no-heuristic", help="backing: lock exclusively where that paid before.")
]
Keep = Annotated[bool, typer.Option("--keep/--no-keep", help="Keep the run directory.")]
Delay = Annotated[
    list[str],
    typer.Option(
        "--delay", metavar="TIME@WHERE[:POINT]",
        help="Keep a CPU busy at a lock class or site, as 5us@vm_object:before-release; repeat for more.",
    ),
]  # fmt: skip
Table = Annotated[
    list[str], typer.Option("--table", metavar="NAME=N", help="Records of a table that is too small; repeat.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]

FRAMES_DEFAULT, RING_DEFAULT = FRAMES, RING
DIRECTORY_DEFAULT = Path("/dev/shm")
RUNS_DEFAULT = Path("runs")


def core_count() -> int:
    """Return how many cores this process may use."""
    import os

    return len(os.sched_getaffinity(0))


def table_sizes(pairs: list[str]) -> dict[str, int]:
    """Turn `NAME=N` words into a dictionary."""
    sizes = {}
    for pair in pairs:
        name, _, number = pair.partition("=")
        if not number.isdigit() or int(number) == 0:
            raise UsageError(f"--table {pair!r} is not NAME=N; write for example --table objects=32768")
        sizes[name.replace("-", "_")] = int(number)
    return sizes


def run_options(
    *, cpus: int, mode: str, frames: int, seed: int, time_limit: float, stall: float, directory: Path, runs: Path,
    io_latency: str, io_error_rate: float, io_bandwidth: str, fail_fast: bool, no_checks: bool, heuristic: bool,
    keep: bool, tables: list[str], ring: int = RING, when_full: str = "stop", check_events: bool = True,
    bugs: tuple[str, ...] = (), delays: list[str] | None = None,
) -> RunOptions:  # fmt: skip
    """Check the values of a command line.  Raises UsageError naming option, value and fix."""
    if cpus < 0:
        raise UsageError(f"--cpus {cpus} is negative; choose 1 or more, or 0 for the number of cores")
    if when_full not in ("stop", "drop"):
        raise UsageError(f"--when-full {when_full!r} is unknown; choose stop or drop")
    if mode != "recorded" and (ring != RING or when_full != "stop" or not check_events):
        given = "--ring, --when-full and --no-check-events"
        raise UsageError(f"{given} are for --mode recorded, not {mode}; leave them out")
    return RunOptions(
        cpus=cpus or core_count(), mode=mode, ring=ring, drop=when_full == "drop", check_events=check_events,
        frames=frames, seed=seed, time_limit=time_limit, stall=stall, directory=directory, runs=runs,
        io_latency=duration("--io-latency", io_latency), io_error_rate=probability("--io-error-rate", io_error_rate),
        io_bandwidth=bandwidth("--io-bandwidth", io_bandwidth), fail_fast=fail_fast, checks=not no_checks,
        heuristic=heuristic, keep=keep, tables=table_sizes(tables), bugs=bugs, delays=tuple(delays or ()),
    )  # fmt: skip
