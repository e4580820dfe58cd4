"""In which order locks were asked for, before and after: which edges are new, and which are gone."""

from vmconc.analysis.order_told import OrderEdge
from vmconc.page.change.charted import Charted, EdgeKey, Edges, edge_key
from vmconc.page.ordering import ROWS, placed, said
from vmconc.page.parts import Arc, Arcs, Cell, Column, Lines, Section, Table, section

NEW, GONE, BOTH = "new", "gone", "both"
WORDS = ("side", "held", "its mode", "asked for", "mode", "held since, first time", "asked at")
COLUMNS = [*(Column(word, number=False) for word in WORDS), Column("times before"), Column("times after")]
TEXT = (
    "An arrow leads from what a CPU held to what it asked for meanwhile, and might have had to wait for. Dashed, with "
    "the word new: in the runs after only. Dotted, with the word gone: in the runs before only. Pale: on both sides; "
    "if a mode is new or gone, it says so. Classes stand in their declared order, arrows down are on the right. The "
    "width says how often."
)


def ordering(before: Charted, after: Charted) -> Section:
    """Return the graph of both sides, and the edges, those of one side first."""
    title, old, new = "In which order locks were asked for", before.edges, after.edges
    if old is None or new is None:
        return section("order", title, TEXT, Lines(["Not known: events were lost."], "bad"))
    if not old and not new:
        return section("order", title, TEXT, Lines(["Nobody asked for a lock while holding another one."]))
    return section("order", title, TEXT, arcs(old, new, after.declared), table(old, new))


def side_of(keys: list[EdgeKey], before: Edges, after: Edges) -> str:
    """Return where some edges are, taken together."""
    old, new = (any(key in edges for key in keys) for edges in (before, after))
    return BOTH if old and new else NEW if new else GONE


def arcs(before: Edges, after: Edges, declared: list[str]) -> Arcs:
    """Return the graph; modes of the same two classes are one arrow."""
    nodes, ranked, groups, left = placed(list((before | after).values()), declared)
    found = [arc(nodes.index(one), nodes.index(other), some, before, after) for (one, other), some in groups.items()]
    return Arcs(nodes, ranked, found, left)


def arc(source: int, target: int, edges: list[OrderEdge], before: Edges, after: Edges) -> Arc:
    """Return one arrow, as wide as on the side where it was seen more often."""
    keys = [edge_key(edge) for edge in edges]
    count = max(sum(times(key, side) for key in keys) for side in (before, after))
    text = "\n".join(
        f"{side_of([key], before, after)}, {times(key, before):,} before, {times(key, after):,} after: {said(edge)}"
        for key, edge in zip(keys, edges, strict=True)
    )
    side, wrong = side_of(keys, before, after), any(edge.violates for edge in edges)
    words = [changed(keys, before, after), "against the order" if wrong else ""]
    return Arc(source, target, count, text, wrong, side == BOTH, side, ", ".join(filter(None, words)))


def changed(keys: list[EdgeKey], before: Edges, after: Edges) -> str:
    """Say in a word what has changed of an arrow."""
    sides = {side_of([key], before, after) for key in keys}
    if sides in ({NEW}, {GONE}):
        return sides.pop()
    words = {NEW: "a mode new", GONE: "a mode gone"}
    return ", ".join(words[side] for side in words if side in sides)


def times(key: EdgeKey, edges: Edges) -> int:
    """Return how often an edge was seen on a side."""
    return edges[key].count if key in edges else 0


def table(before: Edges, after: Edges) -> Table:
    """Return all edges: the new ones, those that are gone, and the others; of each the most frequent first."""
    every = before | after
    keys = sorted(every, key=lambda key: -max(times(key, before), times(key, after)))
    keys.sort(key=lambda key: (NEW, GONE, BOTH).index(side_of([key], before, after)))
    rows = [row(every[key], before, after) for key in keys[:ROWS]]
    left = f"left out: {len(keys) - ROWS:,} edges seen less often" if len(keys) > ROWS else ""
    return Table(COLUMNS, rows, [], -1, left, "what was held when what was asked for")


def row(edge: OrderEdge, before: Edges, after: Edges) -> list[Cell]:
    """Return the row of an edge."""
    key, seen = edge_key(edge), edge.example
    counts = times(key, before), times(key, after)
    return [side_of([key], before, after), *key, seen.held_site, seen.site, *counts]
