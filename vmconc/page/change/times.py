"""How long waits and holds lasted before and after, in the same bins."""

import numpy as np

from vmconc.analysis.histogram import Histogram, bin_edge, bin_numbers
from vmconc.page.change.charted import Charted
from vmconc.page.figures import lasting
from vmconc.page.parts import Bars, Choice, Lines, Part, Section

TEXT = (
    "How long each wait and hold lasted, in all runs of a side. Filled: after; dashed line: before. Both axes are "
    "logarithmic, and that of time is the same in all."
)


def histograms(before: Charted, after: Charted) -> Section:
    """Return histograms of waits and of holds, by class and mode."""
    choices = [choice(what, before.histograms[what], after.histograms[what]) for what in after.histograms]
    return Section("histograms", "How long was waited and held", TEXT, choices)


def choice(what: str, before: list[Histogram], after: list[Histogram]) -> Choice:
    """Return those of waits or holds, the most time first."""
    old, new = ({(one.cls, one.mode): one for one in side} for side in (before, after))
    keys = sorted(old | new, key=lambda key: -sum(side[key].total_ns for side in (old, new) if key in side))
    parts: list[Part] = [bars(*(side.get(key, Histogram(*key, 0, 0.0, [])) for side in (old, new))) for key in keys]
    return Choice(what, parts or [Lines([f"There are no {what} on either side."])])


def bars(before: Histogram, after: Histogram) -> Bars:
    """Return one, with the bins of both."""
    edges = edges_of(before, after)
    (old, old_ns), (new, new_ns) = (in_bins(side, edges) for side in (before, after))
    said = "; ".join(f"{name} {told(side)}" for name, side in (("before", before), ("after", after)))
    return Bars(f"{after.cls} {after.mode}: {said}", edges, new, new_ns, old, old_ns)


def told(found: Histogram) -> str:
    """Say how much of it there is."""
    return f"{found.count:,}, {lasting(found.total_ns)} in all" if found.count else "none"


def edges_of(*found: Histogram) -> list[float]:
    """Return where bins begin, from the first one of all to the last, with none left out between them."""
    ends = np.array([one.bins[place].from_ns for one in found if one.bins for place in (0, -1)])
    numbers = bin_numbers(ends)
    return [bin_edge(number) for number in range(int(numbers.min()), int(numbers.max()) + 1)]


def in_bins(found: Histogram, edges: list[float]) -> tuple[list[int], list[float]]:
    """Return how many are in each bin, and how long they lasted."""
    there = {one.from_ns: one for one in found.bins}
    counts = [there[edge].count if edge in there else 0 for edge in edges]
    return counts, [there[edge].total_ns if edge in there else 0.0 for edge in edges]
