"""A recorded run that did not end: what its directory was told before the first event, and what its files hold.

It goes on, or `vmconc` was killed.  Of each CPU there are the first events up to some time, and no more than that.
"""

import struct
from pathlib import Path
from typing import Any

import msgspec

from vmconc.memory.ring import EVENT_BYTES, FOLDER

BEGUN = "begun.json"  # what `run.json` says of a run that has ended, as far as it is known before the first event
CLOCKS = "clocks"  # both clocks as they were read last, while it runs
PAIR = struct.Struct("<qq")  # ticks, ns
MISSING = (
    "it goes on, or vmconc was killed; not known: each CPU's last events, how many events were lost, counts, violations"
)


def unended_run(path: Path) -> dict[str, Any]:
    """Return what a run directory without `run.json` says, in the same form; what is not known is left out.

    `unended` says so in a sentence.  Raises OSError, KeyError or an error of msgspec if it was not told.
    """
    run: dict[str, Any] = msgspec.json.decode((path / BEGUN).read_bytes(), type=dict[str, Any])
    recording = run["recording"]
    sizes = [size_of(path / FOLDER / f"cpu{index}") for index in range(recording["rings"])]
    begun = recording["begun"]
    ticks, nanoseconds = zip(begun, clocks_in(path) or begun, strict=True)
    recording |= {
        "events": [size // EVENT_BYTES for size in sizes], "dropped": [], "unwritten": [0] * len(sizes),
        "ticks": ticks, "nanoseconds": nanoseconds,
    }  # fmt: skip
    return run | {"unended": said(sum(size % EVENT_BYTES > 0 for size in sizes))}


def size_of(file: Path) -> int:
    """Return how many bytes a file has, 0 if there is none."""
    return file.stat().st_size if file.exists() else 0


def clocks_in(path: Path) -> tuple[int, ...]:
    """Return both clocks as they were read last; empty: not since the run began."""
    file = path / CLOCKS
    content = file.read_bytes() if file.exists() else b""
    return PAIR.unpack(content) if len(content) == PAIR.size else ()


def said(torn: int) -> str:
    """Say that the run did not end, and what is missing."""
    cut = f"; cut off, since they were not whole: {torn} events" if torn else ""
    return f"this run did not end: {MISSING}{cut}"
