"""Graphviz DOT: the lock-order graph, classes in their declared order from top to bottom."""

from collections.abc import Callable
from typing import BinaryIO

from vmconc.analysis.events import Events
from vmconc.analysis.order_told import Ordered, OrderEdge, ordered


def write_dot(events: Events, out: BinaryIO, say: Callable[[str], None]) -> list[str]:
    """Write the graph of a run; with one event lost it is empty, and that is said."""
    say("finding what was held at each request")
    told = ordered(events, "")
    out.write(dot_graph(told).encode())
    return [f"{len(nodes(told.edges))} classes, {len(told.edges)} edges", *told.notes]


def dot_graph(told: Ordered) -> str:
    """Return the graph: red goes against the declared order, dashed is shared on both sides."""
    edges = told.edges + told.single_locks
    names = nodes(edges)
    ranked = [name for name in told.declared if name in names]
    lines = ["digraph order {", "  rankdir=TB;", "  node [shape=box];"]
    lines += [f"  {quoted(name)};" for name in names]
    if len(ranked) > 1:
        lines.append("  " + " -> ".join(quoted(name) for name in ranked) + " [style=invis];")
    return "\n".join(lines + [edge_line(edge) for edge in edges] + ["}", ""])


def nodes(edges: list[OrderEdge]) -> list[str]:
    """Return what edges lead from and to."""
    return sorted({name for edge in edges for name in (edge.held, edge.wanted)})


def edge_line(edge: OrderEdge) -> str:
    """Return one edge."""
    modes = f"{letter(edge.held_mode)} -> {letter(edge.mode)}"
    style = [f'label="{modes}\\n{edge.count:,}, cpu {edge.example.cpu}"']
    style += ["color=red"] if edge.violates else []
    style += ["style=dashed"] if edge.held_mode == edge.mode == "shared" else []
    return f"  {quoted(edge.held)} -> {quoted(edge.wanted)} [{', '.join(style)}];"


def letter(mode: str) -> str:
    """Return S or X."""
    return "X" if mode == "exclusive" else "S"


def quoted(name: str) -> str:
    """Return a name as Graphviz reads it."""
    return '"' + name.replace('"', '\\"') + '"'
