"""How long waits or holds lasted, counted in log-linear bins: each power of two of nanoseconds in equal parts."""

from pathlib import Path

import msgspec
import numpy as np

from vmconc.analysis.events import Events, load
from vmconc.analysis.groups import numbered
from vmconc.analysis.spans import Spans
from vmconc.analysis.summary import Summary, summarise
from vmconc.analysis.usage import usage
from vmconc.locks.classes import CLASS_NAMES, MODE_NAMES

PARTS = 2  # of a power of two
BOTH = 2  # for a mode


class Bin(msgspec.Struct):
    """What lasted at least `from_ns`, and less than the next bin's."""

    from_ns: float  # of the first bin, 1: what lasted less is there too
    count: int
    total_ns: float


class Histogram(msgspec.Struct):
    """The bins of one class, from the first that is not empty to the last."""

    cls: str
    mode: str  # empty: both
    count: int
    total_ns: float
    bins: list[Bin]


class Histograms(msgspec.Struct):
    """Those of a run, the one with the most time first."""

    summary: Summary
    what: str
    histograms: list[Histogram]


def histograms_run(path: Path, what: str, by_mode: bool, classes: list[int]) -> Histograms:
    """Count a run's waits or holds (`what`) by class and, if wanted, by mode.  Raises RunError as `load` does."""
    return histograms(load(path), str(path), what, by_mode, classes)


def histograms(events: Events, run_dir: str, what: str, by_mode: bool, classes: list[int]) -> Histograms:
    """Count events' waits or holds."""
    every = usage(events)
    used = every.only(classes)
    spans = used.waited if what == "wait" else used.held
    return Histograms(summarise(events, run_dir, every), what, counted(spans, by_mode))


def counted(spans: Spans, by_mode: bool) -> list[Histogram]:
    """Count spans by class and, if wanted, by mode; the one with the most time first."""
    mode = spans.mode if by_mode else np.full(len(spans.begin), BOTH)
    kinds, number = numbered(spans.cls.astype(np.int64) * (BOTH + 1) + mode)
    found = [histogram(spans.only(number == i), *divmod(kind, BOTH + 1)) for i, kind in enumerate(kinds.tolist())]
    return sorted(found, key=lambda one: -one.total_ns)


def histogram(spans: Spans, cls: int, mode: int) -> Histogram:
    """Count spans, of which there is at least one."""
    tick, number = spans.events.tick, bin_numbers(spans.nanoseconds)
    first = int(number.min())
    count, ticks = np.bincount(number - first), np.bincount(number - first, weights=spans.ticks)
    bins = [Bin(bin_edge(first + i), int(count[i]), float(ticks[i]) * tick) for i in range(len(count))]
    total = float(spans.ticks.sum()) * tick
    return Histogram(CLASS_NAMES[cls], MODE_NAMES.get(mode, ""), len(spans.begin), total, bins)


def bin_numbers(nanoseconds: np.ndarray) -> np.ndarray:
    """Return the bin of each duration, from 0."""
    mantissa, exponent = np.frexp(np.maximum(nanoseconds, 1.0))  # mantissa from 0.5
    return (exponent - 1) * PARTS + ((2 * mantissa - 1) * PARTS).astype(np.int64)


def bin_edge(number: int) -> float:
    """Return the ns at which a bin begins."""
    exponent, part = divmod(number, PARTS)
    return 2.0**exponent * (1 + part / PARTS)
