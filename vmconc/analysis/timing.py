"""What a run in mode `timed` leaves: histograms of its waits and holds, by CPU, site, class and mode, and by lock."""

from pathlib import Path
from typing import Any

import msgspec

from vmconc.analysis.events import RunError, read_run
from vmconc.locks.times import BINS, HOLD, HOLD_AGAIN, KINDS_MAX, WAIT

WHAT = {WAIT: "wait", HOLD: "hold", HOLD_AGAIN: "hold again"}
FILE = "times.json"
WORD_MAX = (1 << 63) - 1


class Times(msgspec.Struct):
    """How long what one CPU did lasted, in ticks."""

    cpu: int
    what: str  # of WHAT; "hold again": of a token that was given up and is owned again
    cls: str  # empty: of all that has no histogram of its own
    mode: str = ""  # empty: of both
    site: str = ""  # empty: of all
    lock: str = ""  # empty: of all
    total: int = 0
    most: int = 0
    bins: dict[int, int] = {}  # how many by number of the bin, as in locks/times.py


class Timing(msgspec.Struct):
    """All that was timed: each wait and hold stands in `kinds`, and perhaps in `locks` too."""

    tick: float  # ns
    kinds: list[Times] = []
    locks: list[Times] = []
    unlisted: int = 0  # waits for locks that are not in `locks`, for want of room
    unfinished: int = 0  # waits that went on when the run ended: in no histogram
    sites: list[str] = []  # all there are, also those at which nothing was timed


def crowded(timing: Timing) -> bool:
    """Tell whether some waits and holds had no histogram of their own kind."""
    return any(not times.cls for times in timing.kinds)


def gaps(timing: Timing) -> list[str]:
    """Say what is not known of a timed run, and why."""
    found = []
    if crowded(timing):
        found.append(
            f"a CPU has room for {KINDS_MAX} sites, classes and modes, and there were more: by class there is only "
            "what was counted, by site nothing"
        )
    return found + unlisted(timing)


def unlisted(timing: Timing) -> list[str]:
    """Say how many waits were for locks without histograms of their own, if any were."""
    if not timing.unlisted:
        return []
    listed = len({times.lock for times in timing.locks})
    others = f"waits for others, for which there was no room: {timing.unlisted:,}"
    return [f"locks with rows of their own: {listed:,}; {others}"]


def is_timed(path: Path) -> bool:
    """Tell whether a run was in mode `timed`.  Raises RunError if the directory is no run."""
    return bool(read_run(path).get("mode") == "timed")


def load_timing(path: Path) -> tuple[dict[str, Any], Timing]:
    """Return what run.json says and what was timed.  Raises RunError, naming the directory, if that cannot be read."""
    run = read_run(path)
    try:
        timing = msgspec.json.decode((path / FILE).read_bytes(), type=Timing)
        check(timing)
    except (OSError, ValueError) as error:  # what msgspec raises is a ValueError, too
        raise RunError(f"{path / FILE} cannot be read ({error}); run again with --mode timed") from error
    return run, timing


def check(timing: Timing) -> None:
    """Raise ValueError, naming it, if there is a number that no run leaves."""
    if not timing.tick > 0:
        raise ValueError(f"tick is {timing.tick:g} ns, and must be more than 0")
    for times in timing.kinds + timing.locks:
        if times.what not in WHAT.values():
            raise ValueError(f"{times.what!r} is none of {', '.join(WHAT.values())}")
        for number in times.bins:
            if not 0 <= number < BINS:
                raise ValueError(f"there is no bin {number}, but {BINS:,} from 0 on")
        for count in (times.cpu, times.total, times.most, *times.bins.values()):
            if not 0 <= count <= WORD_MAX:
                raise ValueError(f"{count} is no count and no time of a {times.what}")
