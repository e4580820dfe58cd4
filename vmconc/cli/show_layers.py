"""Writes depth over time for people, and as CSV."""

import csv
import sys

import msgspec
from rich.table import Table

from vmconc.analysis.layers import Layers, LayersBin
from vmconc.cli.show import console
from vmconc.cli.show_report import figure, print_wide, show_summary

BAR = 30  # characters


def print_csv(found: Layers) -> None:
    """Print the bins, a line each."""
    writer = csv.DictWriter(sys.stdout, LayersBin.__struct_fields__, lineterminator="\n")
    writer.writeheader()
    writer.writerows(msgspec.structs.asdict(row) for row in found.bins)


def show_layers(found: Layers) -> None:
    """Print a line for each bin; the bars are of the mean."""
    out = console()
    show_summary(out, found.summary)
    table = Table("from ms", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("faults", "layers: least", "mean", "most", "objects at its end", "backings"):
        table.add_column(title, justify="right")
    table.add_column("mean", no_wrap=True)
    for row in found.bins:
        table.add_row(f"{row.begin_ns / 1e6:,.3f}", *cells(row), bar(row, found.total.most))
    table.add_row("all", *cells(found.total), "objects and backings: the most that there were")
    out.print()
    print_wide(out, table)
    out.print(f"a bin is {found.bin_ns:,.0f} ns; a bar as long as {BAR} characters is {found.total.most} layers")


def cells(row: LayersBin) -> list[str]:
    """Return the figures of a bin."""
    depth = [str(row.least), figure(row.mean), str(row.most)] if row.faults else ["-"] * 3
    return [f"{row.faults:,}", *depth, f"{row.objects:,}", f"{row.backings:,}"]


def bar(row: LayersBin, most: int) -> str:
    """Return the mean of a bin as a bar."""
    return "#" * round(BAR * row.mean / most) if row.faults else ""
