"""`vmconc order`: in which order a recorded run's CPUs asked for locks, and whether that can end in a deadlock."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.recorded import Run, reading

if TYPE_CHECKING:
    from rich.table import Table

    from vmconc.analysis.order_told import Ordered, OrderEdge, OrderRing

Instances = Annotated[
    bool, typer.Option("--instances", help="Also the order between single locks of one class, and in lock programs.")
]
Dot = Annotated[Path | None, typer.Option("--dot", metavar="FILE", help="Also write the graph for Graphviz.")]
SHOWN = 40


def order(run: Run, instances: Instances = False, dot: Dot = None, json: o.Json = False) -> int:
    """Say which locks were held when others were asked for, and report rings in which CPUs can wait for one another.

    Example: vmconc order runs/20261123-181845-sh-pipeline-backing --dot order.dot
    """
    from vmconc.analysis.order_told import order_of_run
    from vmconc.cli.show import print_json
    from vmconc.coordinator.errors import UsageError
    from vmconc.export.dot import dot_graph

    with reading(run):
        told = order_of_run(run, instances)
    try:
        if dot:
            dot.write_text(dot_graph(told))
    except OSError as error:
        raise UsageError(f"--dot {dot}: {error.strerror}") from error
    print_json(told) if json else show(told)
    return told.exit_code


def show(told: "Ordered") -> None:
    """Print rings first, then the edges."""
    from vmconc.cli.show import console

    out = console()
    out.print(f"{told.run_dir}: {told.events:,} events, {len(told.edges)} edges", markup=False)
    for number, ring in enumerate(told.rings, 1):
        for line in ring_lines(number, ring):
            out.print(line, markup=False, style="bold red" if line.startswith("ring") else "")
    if told.not_followed:
        out.print(f"{told.not_followed:,} more edges are part of rings that are not listed", markup=False)
    if not told.rings and not told.notes:
        out.print("no rings", markup=False)
    out.print("S: shared, X: exclusive; declared order " + " < ".join(told.declared), markup=False)
    for line in told.notes:
        out.print(f"not checked: {line}", markup=False)
    out.print(edge_table(told.edges))
    if told.single_locks:
        out.print(edge_table(told.single_locks[:SHOWN]))
    if len(told.single_locks) > SHOWN:
        out.print(f"{len(told.single_locks) - SHOWN:,} more pairs of single locks: --json has all", markup=False)


def ring_lines(number: int, ring: "OrderRing") -> list[str]:
    """Describe a ring, an edge a line, each with the first time that it was seen."""
    path = " -> ".join([edge.held for edge in ring.edges] + [ring.edges[-1].wanted])
    lines = [f"ring {number}  {path}   confidence {ring.confidence}"]
    lines += [f"  {doubt}" for doubt in ring.doubts]
    for edge in ring.edges:
        seen = edge.example
        lines.append(
            f"  {edge.held} {edge.held_mode} -> {edge.wanted} {edge.mode}: {times(edge.count)}; first cpu {seen.cpu}, "
            f"{seen.held_lock} since {seen.held_at_ms:.6f} ms at {seen.held_site}, {seen.lock} asked for at "
            f"{seen.at_ms:.6f} ms at {seen.site}"
        )
    return lines


def times(count: int) -> str:
    """Write how often."""
    return "once" if count == 1 else f"{count:,} times"


def edge_table(edges: "list[OrderEdge]") -> "Table":
    """Return edges as a table."""
    from rich.table import Table

    from vmconc.export.dot import letter

    table = Table("held", "asked for", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("times", "lock pairs", "cpus", "first ms"):
        table.add_column(name, justify="right")
    for name in ("held at", "asked at", "order"):
        table.add_column(name, overflow="fold")
    for edge in edges:
        seen = edge.example
        table.add_row(
            f"{edge.held} {letter(edge.held_mode)}", f"{edge.wanted} {letter(edge.mode)}", f"{edge.count:,}",
            str(edge.lock_pairs or "-"), str(len(edge.cpus)), f"{seen.at_ms:.3f}", seen.held_site, seen.site,
            "VIOLATED" if edge.violates else "",
        )  # fmt: skip
    return table
