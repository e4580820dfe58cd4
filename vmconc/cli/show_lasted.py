"""Writes histograms and heat maps for people."""

from rich.table import Table

from vmconc.analysis.heat import Heat, HeatRow
from vmconc.analysis.histogram import Histogram, Histograms
from vmconc.cli.show import console
from vmconc.cli.show_report import MS, figure, print_wide, show_summary

BAR = 40  # characters
LEVELS = " ▁▂▃▄▅▆▇█"


def show_histograms(found: Histograms) -> None:
    """Print a table for each."""
    out = console()
    show_summary(out, found.summary)
    for one in found.histograms:
        name = " ".join(filter(None, (one.cls, one.mode, found.what)))
        out.print(f"\n{name}: {one.count:,} times, {figure(one.total_ns / MS)} ms in all", markup=False)
        out.print(bins_table(one))
    if not found.histograms:
        out.print(f"no {found.what} was recorded", markup=False)


def bins_table(one: Histogram) -> Table:
    """Return a line for each bin; the bars are of its share of the count."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("from ns", justify="right")
    table.add_column("distribution".center(BAR, "-"), no_wrap=True)
    for title in ("count", "cum. %", "ms", "of all %"):
        table.add_column(title, justify="right")
    so_far = 0
    for each in one.bins:
        so_far += each.count
        time = 100 * each.total_ns / one.total_ns if one.total_ns else 0.0
        table.add_row(
            f"{each.from_ns:,.0f}", "@" * -(-BAR * each.count // one.count), f"{each.count:,}",
            figure(100 * so_far / one.count), figure(each.total_ns / MS), figure(time),
        )  # fmt: skip
    return table


def show_heat(found: Heat) -> None:
    """Print a line for each class; the highest bar is the highest share of any class."""
    out = console()
    show_summary(out, found.summary)
    most = max(found.total.percents, default=0.0)
    table = Table("\nclass", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("waited\nms", justify="right")
    table.add_column("most\n%", justify="right")
    table.add_column("share of the CPUs' time", no_wrap=True)
    for row in [*found.rows, found.total]:
        table.add_row(row.name, figure(row.wait_ns / MS), figure(max(row.percents)), f"|{bars(row, most)}|")
    out.print()
    print_wide(out, table)
    out.print(f"each column is {figure(found.bin_ns / MS)} ms; █ is {figure(most)} % of the CPUs' time, blank is none")


def bars(row: HeatRow, most: float) -> str:
    """Return a bar for each bin; whatever is more than nothing is seen."""
    top = len(LEVELS) - 1
    return "".join(LEVELS[min(top, -int(-share * top // most))] if share > 0 else LEVELS[0] for share in row.percents)
