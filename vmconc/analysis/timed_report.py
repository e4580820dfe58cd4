"""The report of a run in mode `timed`, in the same rows as that of a recorded one.

Sums, counts and longest times are exact.  A percentile is the upper end of its bin: at most a 16th too high.
"""

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from vmconc.analysis.events import RunError
from vmconc.analysis.report import SORTS, Report
from vmconc.analysis.rows import Columns, nanoseconds, ordered, percent, rows_of
from vmconc.analysis.summary import Lasted, Summary, told_by_run
from vmconc.analysis.tally import Times as Tally
from vmconc.analysis.timing import Times, Timing, crowded, gaps, load_timing
from vmconc.locks.classes import CLASS_NAMES, MODE_NAMES
from vmconc.locks.times import BINS, PART_BITS

OTHERS = "others, for which there was no room"
GROUPS: dict[str, Callable[[Times], str]] = {
    "class": lambda times: times.cls, "instance": lambda times: times.lock, "site": lambda times: times.site,
    "cpu": lambda times: f"cpu {times.cpu}",
}  # fmt: skip
NOT_HERE: dict[str, Any] = dict.fromkeys(("acquired", "holds", "hold_ns"), math.nan)  # fields of Row
WAITED, HELD, TAKEN = ("wait",), ("hold", "hold again"), ("hold",)  # Times.what
NEVER = Lasted(0, math.nan, math.nan, math.nan, math.nan)


def report_timed(path: Path, by: str, sort: str, top: int, classes: list[int]) -> Report:
    """Report on a run directory as `report.report` does.  Raises RunError if that cannot be told from histograms."""
    if by not in GROUPS:
        raise RunError(f"{path} was timed, which tells nothing by {by}; record it with vmconc run --mode recorded")
    if sort == "bounces":
        raise RunError(f"{path} was timed, which tells nothing of bounces; record it with vmconc run --mode recorded")
    run, timing = load_timing(path)
    names = [CLASS_NAMES[cls] for cls in classes]
    return tabulated_timed(summary(run, timing, str(path)), timing, by, sort, top, names)


def tabulated_timed(head: Summary, timing: Timing, by: str, sort: str, top: int, names: list[str]) -> Report:
    """Return the `top` largest rows (0: all) of what was timed of some classes (none: of all)."""
    wanted = [times for times in timing.kinds if in_classes(times, names)]
    if by == "instance":
        listed = [times for times in timing.locks if in_classes(times, names)]
        whole = not (names and crowded(timing))  # of some classes there may be more than their histograms have
        wanted = listed + (rest(wanted, listed) if whole else [])
    keys = [GROUPS[by](times) or OTHERS for times in wanted]
    groups = sorted(set(keys))
    order, found = ordered(columns(wanted, [groups.index(key) for key in keys], len(groups), timing.tick), SORTS[sort])
    shown = [groups[group] for group in order][: top or None]
    _, total = ordered(columns(wanted, [0] * len(wanted), 1, timing.tick), SORTS[sort])
    rows = rows_of(found, shown)
    if by == "instance":
        rows = [msgspec.structs.replace(row, **NOT_HERE) if row.name == OTHERS else row for row in rows]
    return Report(head, by, sort, names, rows, len(groups) - len(shown), rows_of(total, ["total"])[0])


def rest(kinds: list[Times], locks: list[Times]) -> list[Times]:
    """Return the waits that are in no histogram of a lock as one histogram, if there are any.

    Its longest wait is the upper end of a bin: those of locks may have had the longest of all.
    """
    every, listed = ([times for times in some if times.what in WAITED] for some in (kinds, locks))
    bins = summed(every) - summed(listed)
    if not bins:
        return []
    end = int(bin_begins(np.array(max(bins) + 1))) - 1
    total = sum(times.total for times in every) - sum(times.total for times in listed)
    return [Times(0, "wait", "", total=total, most=min(end, max(times.most for times in every)), bins=dict(bins))]


def summed(some: list[Times]) -> Counter[int]:
    """Return how many there are in each bin."""
    found: Counter[int] = Counter()
    for times in some:
        found.update(times.bins)
    return found


def in_classes(times: Times, names: list[str]) -> bool:
    """Tell whether a histogram is of some classes; none: of any."""
    return not names or times.cls in names


def columns(wanted: list[Times], group: list[int], groups: int, tick: float) -> Columns:
    """Sum up by group.  What a lock was acquired is how often it was held, but for holds that go on at the end."""
    waited, held = (tally(wanted, group, groups, what) for what in (WAITED, HELD))
    shared, exclusive = (tally(wanted, group, groups, TAKEN, mode).count for mode in MODE_NAMES.values())
    acquired = tally(wanted, group, groups, TAKEN).count
    unknown, contended = np.full(groups, np.nan), percent(waited.count, acquired)
    if not np.array_equal(shared + exclusive, acquired):  # histograms of locks: of both modes, and from a wait on
        shared = exclusive = contended = unknown
    return {
        "acquired": acquired, "shared": shared, "exclusive": exclusive, "contended": waited.count, "holds": held.count,
        "contended_percent": contended, "wait_percent": percent(waited.total, waited.total.sum()),
        "bounces": unknown, "bounces_percent": unknown,
        **nanoseconds("wait", waited, tick), **nanoseconds("hold", held, tick),
    }  # fmt: skip


def tally(wanted: list[Times], group: list[int], groups: int, what: tuple[str, ...], mode: str = "") -> Tally:
    """Merge the histograms of each group that are of one kind."""
    bins, total, most = np.zeros((groups, BINS), np.int64), np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    for times, number in zip(wanted, group, strict=True):
        if times.what in what and (not mode or times.mode == mode):
            bins[number, list(times.bins)] += list(times.bins.values())
            total[number] += times.total
            most[number] = max(most[number], times.most)
    p50, p99, p999 = (percentile(bins, most, per_mille) for per_mille in (500, 990, 999))
    return Tally(bins.sum(axis=1), total, p50, p99, p999, most)


def percentile(bins: np.ndarray, most: np.ndarray, per_mille: int) -> np.ndarray:
    """Return the last tick of the bin with the nearest rank above, or the longest time if that is less; 0 of none."""
    upto = np.cumsum(bins, axis=1)
    rank = -(-upto[:, -1:] * per_mille // 1000)
    number = np.argmax(upto >= np.maximum(rank, 1), axis=1)
    return np.minimum(bin_begins(number + 1) - 1, most)


def bin_begins(number: np.ndarray) -> np.ndarray:
    """Return the ticks at which a bin begins: the inverse of `locks.times.bin_of`."""
    scale = np.maximum((number >> PART_BITS) - 1, 0)
    return (number - (scale << PART_BITS)) << scale


def summary(run: dict[str, Any], timing: Timing, run_dir: str) -> Summary:
    """Return the head of a report; what only events tell is not known."""
    waits = [times for times in timing.kinds if times.what in WAITED]
    wait_ns = sum(times.total for times in waits) * timing.tick
    taken = sum(locks["shared"] + locks["exclusive"] for locks in run["locks"].values())
    ended = sum(sum(times.bins.values()) for times in timing.kinds if times.what in TAKEN)
    cpus, seconds = int(run.get("cpus") or run.get("threads") or 1), float(run["wall_seconds"])
    return Summary(
        run_dir, run["program"], run.get("protocol", ""), cpus, "timed", run.get("seed", 0), seconds,
        counted(run.get("faults", 0)), counted(run.get("pageins", 0)), taken, sum(sum(t.bins.values()) for t in waits),
        wait_ns, 100 * wait_ns / max(1.0, seconds * 1e9 * cpus), 0, 0, 0,
        timing.unfinished, taken - ended,
        gaps=gaps(timing), **told_by_run(run),
    )  # fmt: skip


def counted(count: int) -> Lasted:
    """Return what is known of something that was counted, not timed."""
    return msgspec.structs.replace(NEVER, count=count)
