"""Writes what it takes to find the bugs of the catalogue."""

from rich.table import Table

from vmconc.cli.show import console
from vmconc.explore.measure import Measured

RIGHT = ("found", "executions", "at most", "cold s", "CPU s", "search s", "CPUs", "operations", "preemptions")


def show_measured(rows: list[Measured]) -> None:
    """Print a line for each bug and protocol."""
    table = Table("bug", "protocol", "rule", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in RIGHT:
        table.add_column(name, justify="right")
    for row in rows:
        found = f"{row.by_rule} of {row.seeds}"
        times = (f"{row.cold:.1f}", f"{row.cold_cpu:.1f}", f"{row.search:.2f}")
        least = (str(row.cpus), str(row.operations), str(row.preemptions)) if row.operations else ("", "", "")
        table.add_row(row.bug, row.protocol, row.rule, found, f"{row.executions:,.0f}", f"{row.most:,}", *times, *least)
    out = console()
    out.print(table)
    out.print("found: seeds in which the rule was broken; cold s: from the start of the command, with nothing compiled")
