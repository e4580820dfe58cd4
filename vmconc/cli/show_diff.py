"""Writes what changed between runs for people, and as CSV."""

import csv
import sys

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vmconc.analysis.changes import NO_INTERVAL, PAIRS_LEAST, Change
from vmconc.analysis.diff import Diff, EdgeCount, Side
from vmconc.cli.show import console
from vmconc.cli.show_report import print_wide
from vmconc.page.figures import percent, quantity
from vmconc.statistics import interval

STYLES = {"worse": "bold red", "new": "bold red", "moved here": "bold red", "better": "green", "fixed": "green"}
EDGES_SHOWN = 10


def print_csv(found: Diff) -> None:
    """Print all rows."""
    writer = csv.DictWriter(sys.stdout, Change.__struct_fields__, lineterminator="\n")
    writer.writeheader()
    writer.writerows(msgspec.structs.asdict(row) for row in found.rows)
    for line in found.warnings + found.notes:
        print(f"vmconc: {line}", file=sys.stderr)


def show_diff(found: Diff, top: int) -> None:
    """Print what was compared and what is wrong with that, the rows, where waiting went, and new and gone edges."""
    out = console()
    for name, side in (("before", found.before), ("after", found.after)):
        out.print(f"{name:8} {said_side(side)}", markup=False)
    for warning in found.warnings:
        out.print(f"warning  {warning}", markup=False, style="bold")
    for note in found.notes:
        out.print(f"note     {note}", markup=False)
    out.print()
    rows = found.rows[: top or None]
    print_wide(out, table(rows, len(found.before.runs)))
    if len(found.rows) > len(rows):
        out.print(f"rows that are left out: {len(found.rows) - len(rows):,}; --top 0 shows them", markup=False)
    show_hot_spot(out, found)
    show_edges(out, "new", found.new_edges)
    show_edges(out, "gone", found.gone_edges)


def said_side(side: Side) -> str:
    """Say what was run."""
    what = f"{side.program} under {side.protocol}" if side.protocol else side.program
    more = f" and {len(side.runs) - 1:,} more" if len(side.runs) > 1 else ""
    return f"{what} ({side.mode}): {side.runs[0]}{more}"


def table(rows: list[Change], pairs: int) -> Table:
    """Return the rows."""
    shown = Table("", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("before", "after", "change"):
        shown.add_column(name, justify="right")
    shown.add_column(said_interval(pairs), justify="right")
    shown.add_column("verdict")
    for row in rows:
        interval = f"{percent(row.low_percent)} … {percent(row.high_percent)}" if row.low_percent is not None else "-"
        values = quantity(row.before, row.unit), quantity(row.after, row.unit), percent(row.change_percent)
        verdict = "-" if row.verdict == NO_INTERVAL else row.verdict
        shown.add_row(Text(row.figure), *values, interval, Text(verdict, STYLES.get(verdict, "")))
    return shown


def said_interval(pairs: int) -> str:
    """Name the intervals, with what they cover; of too few pairs there is none."""
    return f"{100 * interval(pairs)[1]:.1f} % CI ({pairs} pairs)" if pairs >= PAIRS_LEAST else "CI"


def show_hot_spot(out: Console, found: Diff) -> None:
    """Say where waiting went."""
    if moved := found.hot_spot:
        out.print(
            f"hot spot moved to {moved.target}: {moved.target_before:.1f} % of all waiting before, "
            f"{moved.target_after:.1f} % after; {moved.source} had {moved.source_before:.1f} %, now "
            f"{moved.source_after:.1f} %", markup=False,
        )  # fmt: skip


def show_edges(out: Console, what: str, edges: list[EdgeCount]) -> None:
    """Print lock-order edges that only one side has."""
    for edge in edges[:EDGES_SHOWN]:
        out.print(f"{what + ' lock-order edge':22} {edge.edge} ({edge.count:,} times)", markup=False)
    if len(edges) > EDGES_SHOWN:
        out.print(f"{len(edges) - EDGES_SHOWN:,} more {what} edges: --json has all", markup=False)
