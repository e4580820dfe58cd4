"""Depth over time: how many layers faults looked into, and how many objects there were, in bins of equal width."""

from pathlib import Path

import msgspec
import numpy as np

from vmconc.analysis.events import Events, RunError, load_all
from vmconc.analysis.summary import Summary, extent, faults, summarise
from vmconc.analysis.usage import usage
from vmconc.schedule.steps import STEP_FREE, STEP_MAKE

OBJECT, BACKING = "VmObject", "Backing"


class LayersBin(msgspec.Struct):
    """The faults that ended well within some time, and what there was at its end."""

    begin_ns: float  # since the run began
    faults: int
    least: int  # layers that one of them looked into; 1: only the first.  0: there was no fault
    mean: float  # NaN: there was no fault
    most: int
    objects: int  # made and not freed; those of files, which a run begins with, do not count
    backings: int  # records that join an object to those in front of it (protocol backing)


class Layers(msgspec.Struct):
    """A run's bins, in the order of time, and all of its faults together."""

    summary: Summary
    bin_ns: float
    bins: list[LayersBin]
    total: LayersBin  # what there was is the most that there ever was


def layers_run(path: Path, bins: int) -> Layers:
    """Return a run's depth in so many bins.  Raises RunError as `load_all` and `layers` do."""
    return layers(load_all(path), str(path), bins)


def layers(events: Events, run_dir: str, bins: int) -> Layers:
    """Return events' depth.  Raises RunError if they do not tell of any."""
    return layered(events, bins, summarise(events, run_dir, usage(events)))


def layered(events: Events, bins: int, summary: Summary) -> Layers:
    """Return the same of events whose summary is there already."""
    run_dir = summary.run_dir
    if not events.protocol:
        raise RunError(f"{run_dir} is a run of a program about locks: it has no layers")
    _, ends = faults(events)
    ends = ends[events.site[ends] == 0]  # that ended well
    depth = events.raw["number"][ends]
    if not depth.all():
        raise RunError(f"{run_dir} was recorded before faults told how many layers they looked into; record again")
    first, last = extent(events)
    edges = first + (last - first) * np.arange(bins + 1) // bins
    within = np.minimum(np.searchsorted(edges, events.raw["time"][ends], "right") - 1, bins - 1)
    alive = [there_were(events, name, edges) for name in (OBJECT, BACKING)]
    begin = events.nanoseconds(edges)
    rows = [
        of_depths(float(begin[at]), depth[within == at], *(int(count[at + 1]) for count, _ in alive))
        for at in range(bins)
    ]
    total = of_depths(float(begin[0]), depth, *(most for _, most in alive))
    width = (last - first) / bins * events.tick
    return Layers(summary, width, rows, total)


def of_depths(begin: float, depth: np.ndarray, objects: int, backings: int) -> LayersBin:
    """Sum up the depths of some faults."""
    if not len(depth):
        return LayersBin(begin, 0, 0, float("nan"), 0, objects, backings)
    return LayersBin(begin, len(depth), int(depth.min()), float(depth.mean()), int(depth.max()), objects, backings)


def there_were(events: Events, name: str, edges: np.ndarray) -> tuple[np.ndarray, int]:
    """Return how many records of a table there were at each edge, and the most that there ever were."""
    table = events.run["recording"]["tables"].get(name, {"first": 0, "stride": 0, "capacity": 0})
    rows = np.flatnonzero(np.isin(events.action, (STEP_MAKE, STEP_FREE)))
    place, size = events.raw["lock"][rows] - table["first"], max(1, table["stride"])
    # A record is freed part by part, each an event; the first part stands for all.
    rows = rows[(place >= 0) & (place < table["capacity"] * size) & (place % size == 0)]
    order = np.argsort(events.raw["time"][rows], kind="stable")
    count = np.append(0, np.cumsum(np.where(events.action[rows] == STEP_MAKE, 1, -1)[order]))
    return count[np.searchsorted(events.raw["time"][rows][order], edges, "right")], int(count.max())
