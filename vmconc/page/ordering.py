"""In which order locks were asked for, as `vmconc order` has it."""

from typing import NamedTuple

from vmconc.analysis.order_told import OrderEdge, OrderRing
from vmconc.locks.classes import MODE_NAMES, SHARED
from vmconc.page.figures import often
from vmconc.page.parts import Arc, Arcs, Cell, Column, Lines, Part, Section, Table, section
from vmconc.page.recorded import Recorded

ROWS, NODES, RINGS = 200, 40, 5
WORDS = ("held", "its mode", "asked for", "mode", "held since, first time", "asked at")
COLUMNS = [*(Column(name, number=False) for name in WORDS), Column("CPUs"), Column("times")]
AGAINST = Column("order", number=False)  # only if there is such an edge
TEXT = (
    "An arrow leads from what a CPU held to what it asked for meanwhile, and might have had to wait for. Classes stand "
    "in their declared order, arrows down are on the right; one that goes against that order is dashed. "
    "Pale: both shared. The width says how often."
)


class Placed(NamedTuple):
    """Where the nodes of a graph stand."""

    nodes: list[str]
    ranked: int  # so many of them have a rank
    groups: dict[tuple[str, str], list[OrderEdge]]
    left: str  # what is left out


def ordering(run: Recorded) -> Section:
    """Return the lock-order graph, its rings and its edges."""
    told = run.order
    parts: list[Part] = [rings(ring) for ring in told.rings[:RINGS]]
    if len(told.rings) > RINGS:
        parts.append(Lines([f"More rings: {len(told.rings) - RINGS:,}; vmconc order has them"], "bad"))
    if told.notes:
        parts.append(Lines([f"not checked: {note}" for note in told.notes], "bad"))
    elif not told.rings:
        parts.append(Lines(["No ring: nobody could wait for one another in a circle."], "good"))
    edges = told.single_locks or told.edges
    if edges:
        parts += [arcs(edges, told.declared), table(edges)]
    return section("order", "In which order locks were asked for", TEXT, *parts)


def rings(ring: OrderRing) -> Lines:
    """Describe a ring."""
    path = " → ".join([edge.held for edge in ring.edges] + [ring.edges[-1].wanted])
    return Lines(
        [f"Ring {path}, confidence {ring.confidence}", *ring.doubts, *(said(edge) for edge in ring.edges)], "bad"
    )


def said(edge: OrderEdge) -> str:
    """Say what was asked for while what was held."""
    seen = edge.example
    return (
        f"{edge.held} {edge.held_mode} → {edge.wanted} {edge.mode}: {often(edge.count)}; first cpu {seen.cpu} at "
        f"{seen.at_ms:.6f} ms: {seen.held_lock} held since {seen.held_site}, {seen.lock} asked for at {seen.site}"
    )


def arcs(edges: list[OrderEdge], declared: list[str]) -> Arcs:
    """Return the graph; modes of the same two nodes are one arrow."""
    nodes, ranked, groups, left = placed(edges, declared)
    found = [arc(nodes.index(held), nodes.index(wanted), some) for (held, wanted), some in groups.items()]
    return Arcs(nodes, ranked, found, left)


def placed(edges: list[OrderEdge], declared: list[str]) -> Placed:
    """Return nodes in their declared order, what has no rank behind them by its name, and edges by their two nodes."""
    names = list(dict.fromkeys(name for edge in edges for name in (edge.held, edge.wanted)))
    used = set(names[:NODES])
    ranked = [name for name in declared if name in used]
    groups: dict[tuple[str, str], list[OrderEdge]] = {}
    for edge in edges:
        if {edge.held, edge.wanted} <= used:
            groups.setdefault((edge.held, edge.wanted), []).append(edge)
    left = f"left out: {len(names) - NODES:,} locks with rarer arrows" if len(names) > NODES else ""
    return Placed(ranked + sorted(used - set(ranked)), len(ranked), groups, left)


def arc(source: int, target: int, edges: list[OrderEdge]) -> Arc:
    """Return one arrow."""
    shared = all(edge.held_mode == edge.mode == MODE_NAMES[SHARED] for edge in edges)
    wrong = any(edge.violates for edge in edges)
    return Arc(source, target, sum(edge.count for edge in edges), "\n".join(map(said, edges)), wrong, shared)


def table(edges: list[OrderEdge]) -> Table:
    """Return the edges, most frequent first."""
    rows = [row(edge) for edge in edges[:ROWS]]
    columns, sort = COLUMNS, len(COLUMNS) - 1
    if any(edge.violates for edge in edges):
        columns = [*COLUMNS, AGAINST]
        rows = [[*one, "VIOLATED" if edge.violates else ""] for one, edge in zip(rows, edges, strict=False)]
    left = f"left out: {len(edges) - ROWS:,} edges seen less often" if len(edges) > ROWS else ""
    return Table(columns, rows, [], sort, left, "what was held when what was asked for")


def row(edge: OrderEdge) -> list[Cell]:
    """Return the row of an edge."""
    modes = edge.held, edge.held_mode, edge.wanted, edge.mode
    return [*modes, edge.example.held_site, edge.example.site, len(edge.cpus), edge.count]
