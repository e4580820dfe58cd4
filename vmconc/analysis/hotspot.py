"""Where most is waited, and whether that is another class of locks than before."""

import msgspec
import numpy as np

from vmconc.analysis.figures import Figures
from vmconc.locks.classes import CLASS_NAMES

LEAST = 10.0  # percentage points by which shares of all waiting must change, in every pair of runs


class HotSpot(msgspec.Struct):
    """Waiting went from one class to another; shares of all waiting, in percent, medians of the runs."""

    source: str
    source_before: float
    source_after: float
    target: str
    target_before: float
    target_after: float


def hot_spot(before: list[Figures], after: list[Figures]) -> HotSpot | None:
    """Return the class whose share of all waiting fell most and the one whose share grew most, if both are large."""
    old, new = (np.array([shares(run) for run in runs]) for runs in (before, after))
    names = list(CLASS_NAMES.values())
    grown = np.median(new - old, axis=0)
    source, target = int(grown.argmin()), int(grown.argmax())
    if (new - old)[:, target].min() < LEAST or (new - old)[:, source].max() > -LEAST:
        return None
    (fell, to), (rose, up) = ([float(np.median(run[:, place])) for run in (old, new)] for place in (source, target))
    return HotSpot(names[source], fell, to, names[target], rose, up)


def shares(run: Figures) -> list[float]:
    """Return each class's share of all waiting, in percent; of no waiting there are none."""
    total = run["all.wait.total"]
    return [100 * run.get(f"{name}.wait.total", 0.0) / total if total else 0.0 for name in CLASS_NAMES.values()]
