"""What charts show of a run beside another one: little, so that the events of both need never be there at once."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import cast

import msgspec

from vmconc.analysis.events import RunError
from vmconc.analysis.findings import Findings
from vmconc.analysis.histogram import Bin, Histogram, counted
from vmconc.analysis.layers import Layers, layered
from vmconc.analysis.order_told import Ordered, OrderEdge
from vmconc.analysis.timed_histogram import WHAT, counted_timed
from vmconc.analysis.timing import Timing
from vmconc.page.depth import BINS
from vmconc.page.flames import Frames, weighed
from vmconc.page.timed import stacked

Stacks = dict[Frames, int]  # ns
EdgeKey = tuple[str, str, str, str]  # held and its mode, asked for and its mode
Edges = dict[EdgeKey, OrderEdge]


@dataclass(frozen=True)
class Charted:
    """One run, or all runs of a side together."""

    histograms: dict[str, list[Histogram]]  # of waits, of holds
    stacks: dict[str, Stacks]  # by wait, hold, blame; the last one only if nothing was lost
    edges: Edges | None  # None: not known
    declared: list[str] = field(default_factory=list)  # classes in their order
    layers: Layers | str = ""  # of one run; why there are none
    timed: bool = False  # no operations in stacks, neither blame nor order nor layers


def charted(left: Findings | Timing, order: Ordered | None) -> Charted:
    """Find it in what a run left."""
    if order is None or isinstance(left, Timing):
        return charted_times(cast(Timing, left))
    return charted_events(left, order)


def charted_times(timing: Timing) -> Charted:
    """Find it in histograms."""
    histograms = {f"{what}s": counted_timed(timing, what, True, []) for what in WHAT}
    return Charted(histograms, {what: added(some) for what, some in stacked(timing).items()}, None, timed=True)


def as_timed(run: Charted) -> Charted:
    """Return a recorded run as it would be if it had been timed: its stacks without the operation."""
    if run.timed:
        return run
    stacks = {what: added((frames[1:], weight) for frames, weight in run.stacks[what].items()) for what in WHAT}
    return Charted(run.histograms, stacks, None, timed=True)


def charted_events(run: Findings, order: Ordered) -> Charted:
    """Find it in events."""
    histograms = {"waits": counted(run.used.waited, True), "holds": counted(run.used.held, True)}
    stacks = {what: added(some) for what, some in weighed(run).items()}
    edges = None if order.notes else {edge_key(edge): edge for edge in order.edges}
    layers: Layers | str
    try:
        layers = layered(run.events, BINS, run.summary)
    except RunError as error:
        layers = str(error)
    return Charted(histograms, stacks, edges, order.declared, layers)


def together(runs: list[Charted]) -> Charted:
    """Add the runs of a side up; of layers and examples of edges, those of the first run."""
    if len(runs) == 1:
        return runs[0]
    whats = [what for what in runs[0].stacks if all(what in run.stacks for run in runs)]
    stacks = {what: added(pair for run in runs for pair in run.stacks[what].items()) for what in whats}
    histograms = {
        what: histograms_added([one for run in runs for one in run.histograms[what]]) for what in runs[0].histograms
    }
    return replace(runs[0], histograms=histograms, stacks=stacks, edges=edges_added([run.edges for run in runs]))


def added(weights: Iterable[tuple[Frames, int]]) -> Stacks:
    """Return each stack once."""
    sums: Stacks = {}
    for frames, weight in weights:
        sums[frames] = sums.get(frames, 0) + weight
    return sums


def histograms_added(every: list[Histogram]) -> list[Histogram]:
    """Put those of the same class and mode together."""
    found: dict[tuple[str, str], Histogram] = {}
    for one in every:
        key = one.cls, one.mode
        old = found.get(key, Histogram(*key, 0, 0.0, []))
        found[key] = Histogram(*key, old.count + one.count, old.total_ns + one.total_ns, bins_added(old.bins, one.bins))
    return sorted(found.values(), key=lambda one: -one.total_ns)


def bins_added(some: list[Bin], others: list[Bin]) -> list[Bin]:
    """Return the bins of both."""
    found: dict[float, Bin] = {}
    for one in some + others:
        old = found.get(one.from_ns, Bin(one.from_ns, 0, 0.0))
        found[one.from_ns] = Bin(one.from_ns, old.count + one.count, old.total_ns + one.total_ns)
    return [found[edge] for edge in sorted(found)]


def edge_key(edge: OrderEdge) -> EdgeKey:
    """Return by what edges of two runs are the same."""
    return edge.held, edge.held_mode, edge.wanted, edge.mode


def edges_added(every: list[Edges | None]) -> Edges | None:
    """Add up how often each was seen, if that is known of all runs."""
    found: Edges = {}
    for edges in every:
        if edges is None:
            return None
        for key, edge in edges.items():
            before = found[key].count if key in found else 0
            found[key] = msgspec.structs.replace(found.get(key, edge), count=before + edge.count)
    return found
