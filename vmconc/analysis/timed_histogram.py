"""Histograms of a run in mode `timed`, in the same bins as those of a recorded one.

A bin of ticks is narrower than one of these, and counts where its middle lies; so does its time, in proportion to the
total, which is exact.
"""

from pathlib import Path

import numpy as np

from vmconc.analysis.histogram import Bin, Histogram, Histograms, bin_edge, bin_numbers
from vmconc.analysis.timed_report import HELD, OTHERS, WAITED, bin_begins, in_classes, summary
from vmconc.analysis.timing import Times, Timing, load_timing
from vmconc.locks.classes import CLASS_NAMES

WHAT = {"wait": WAITED, "hold": HELD}


def histograms_timed(path: Path, what: str, by_mode: bool, classes: list[int]) -> Histograms:
    """Count a run's waits or holds as `histogram.histograms` does.  Raises RunError as `load_timing` does."""
    run, timing = load_timing(path)
    found = counted_timed(timing, what, by_mode, [CLASS_NAMES[cls] for cls in classes])
    return Histograms(summary(run, timing, str(path)), what, found)


def counted_timed(timing: Timing, what: str, by_mode: bool, names: list[str]) -> list[Histogram]:
    """Count waits or holds of some classes (none: of all); the one with the most time first."""
    wanted = [times for times in timing.kinds if times.what in WHAT[what] and in_classes(times, names)]
    kinds = sorted({(times.cls, times.mode if by_mode else "") for times in wanted})
    found = [
        histogram(cls, mode, [t for t in wanted if t.cls == cls and mode in ("", t.mode)], timing.tick)
        for cls, mode in kinds
    ]
    return sorted(found, key=lambda one: -one.total_ns)


def histogram(cls: str, mode: str, times: list[Times], tick: float) -> Histogram:
    """Merge histograms, of which there is at least one."""
    ticks = np.array([number for one in times for number in one.bins])
    count = np.array([count for one in times for count in one.bins.values()])
    middle = (bin_begins(ticks) + bin_begins(ticks + 1) - 1) / 2 * tick
    number = bin_numbers(middle)
    first = int(number.min())
    counts = np.bincount(number - first, weights=count)
    spent = np.bincount(number - first, weights=count * middle)
    total = sum(one.total for one in times) * tick
    spent *= total / max(1.0, spent.sum())
    bins = [Bin(bin_edge(first + i), int(counts[i]), float(spent[i])) for i in range(len(counts))]
    return Histogram(cls or OTHERS, mode, int(count.sum()), total, bins)
