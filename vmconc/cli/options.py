"""The options that several commands share, as types: name and help stand here once."""

from pathlib import Path
from typing import Annotated

import typer

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

DIRECTORY_DEFAULT = Path("/dev/shm")
RUNS_DEFAULT = Path("runs")


def core_count() -> int:
    """Return how many cores this process may use."""
    import os

    return len(os.sched_getaffinity(0))
