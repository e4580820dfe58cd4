"""Writes a lock-order graph for Graphviz: classes in their declared order from top to bottom."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmconc.analysis.order_told import Ordered, OrderEdge


def dot_graph(told: "Ordered") -> str:
    """Return the graph: red goes against the declared order, dashed is shared on both sides."""
    edges = told.edges + told.single_locks
    nodes = {name for edge in edges for name in (edge.held, edge.wanted)}
    ranked = [name for name in told.declared if name in nodes]
    lines = ["digraph order {", "  rankdir=TB;", "  node [shape=box];"]
    lines += [f"  {quoted(name)};" for name in sorted(nodes)]
    if len(ranked) > 1:
        lines.append("  " + " -> ".join(quoted(name) for name in ranked) + " [style=invis];")
    return "\n".join(lines + [edge_line(edge) for edge in edges] + ["}", ""])


def edge_line(edge: "OrderEdge") -> str:
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
