"""When was waited for which class: the share of the CPUs' time, in bins of time of equal width."""

from pathlib import Path

import msgspec
import numpy as np

from vmconc.analysis.events import Events, load
from vmconc.analysis.rows import percent
from vmconc.analysis.spans import Spans
from vmconc.analysis.summary import Summary, extent, summarise
from vmconc.analysis.usage import usage
from vmconc.locks.classes import CLASS_NAMES


class HeatRow(msgspec.Struct):
    """One class, or all."""

    name: str
    wait_ns: float
    percents: list[float]  # of the CPUs' time in each bin that was waiting


class Heat(msgspec.Struct):
    """A row for each class that was waited for, the one with the most waiting first, and one for all."""

    summary: Summary
    bin_ns: float  # the first bin begins at the first event of a CPU
    rows: list[HeatRow]
    total: HeatRow


def heat_run(path: Path, bins: int) -> Heat:
    """Return a run's waiting in so many bins of time.  Raises RunError as `load` does."""
    return heat(load(path), str(path), bins)


def heat(events: Events, run_dir: str, bins: int) -> Heat:
    """Return events' waiting; a wait counts in every bin in which it lasted, for as long as it did."""
    used = usage(events)
    return heated(used.waited, summarise(events, run_dir, used), bins)


def heated(waited: Spans, summary: Summary, bins: int) -> Heat:
    """Return the same of waits that were found before."""
    first, last = extent(waited.events)
    edges = edges_of(first, last, bins)
    rows = [row(waited.only(waited.cls == cls), CLASS_NAMES[cls], edges) for cls in np.unique(waited.cls).tolist()]
    rows.sort(key=lambda one: -one.wait_ns)
    width = (last - first) / bins * waited.events.tick
    return Heat(summary, width, rows, row(waited, "total", edges))


def edges_of(first: int, last: int, bins: int) -> np.ndarray:
    """Return the ticks between which the bins lie."""
    return first + (last - first) * np.arange(bins + 1) // bins


def row(spans: Spans, name: str, edges: np.ndarray) -> HeatRow:
    """Spread waits over the bins between edges, in ticks."""
    time = spans.events.raw["time"]
    past = lasted_until(time[spans.begin], edges) - lasted_until(time[spans.end], edges)
    shares = np.nan_to_num(percent(np.diff(past), np.diff(edges) * spans.events.cpus))
    return HeatRow(name, float(spans.ticks.sum()) * spans.events.tick, shares.tolist())


def lasted_until(begun: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return, for each edge, how long ago all that had begun before it did, together, in ticks."""
    begun = np.sort(begun)
    count = np.searchsorted(begun, edges)
    return count * edges - np.concatenate([[0], np.cumsum(begun)])[count]
