"""`vmconc blame`: who kept whom waiting in a recorded run, to the last tick."""

import csv
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.recorded import Class, Run, at_least, class_numbers, one_of, reading
from vmconc.coordinator.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from vmconc.analysis.blame_told import Blamed

By = Annotated[str, typer.Option("--by", help="What waiters and holders are put together by: site, class or cpu.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print rows of comma-separated values.")]
Chain = Annotated[
    bool, typer.Option("--chain", help="Where a holder waits itself, charge those who keep it waiting instead.")
]
COLUMNS = 4  # holders that have a column of their own


def blame(
    run: Run,
    by: By = "site",
    classes: Class = [],  # noqa: B006 (typer copies it)
    chain: Chain = False,
    top: Annotated[int, typer.Option("--top", help="Waiters to show; 0: all.")] = 20,
    csv: Csv = False,
    json: o.Json = False,
) -> int:
    """Charge the time that CPUs waited for locks to those who held them.

    Example: vmconc blame runs/20261123-181845-sh-pipeline-backing --class vm_object
    """
    from vmconc.analysis.blame_told import WAYS, blame_of_run
    from vmconc.cli.show import print_json

    one_of("--by", by, WAYS)
    at_least("--top", top, 0)
    if csv and json:
        raise UsageError("--csv has no effect with --json; choose one")
    with reading(run):
        told = blame_of_run(run, by, class_numbers(classes), chain)
    print_json(told) if json else print_csv(told) if csv else show(told, top)
    return 0


def print_csv(told: "Blamed") -> None:
    """Print a row for each waiter and holder."""
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(("waiter", "holder", "ticks", "nanoseconds", "waits"))
    out.writerows((row.waiter, row.holder, row.ticks, row.nanoseconds, row.waits) for row in told.rows)


def show(told: "Blamed", top: int) -> None:
    """Print the matrix, of so many waiters (0: all)."""
    from vmconc.cli.show import console

    out = console()
    what = f" for {', '.join(told.classes)}" if told.classes else ""
    out.print(f"{told.run_dir}: {told.waits:,} waits{what}, {told.nanoseconds / 1e6:,.3f} ms", markup=False)
    if told.never_ended:
        out.print(f"not charged: {told.never_ended:,} waits that never ended", markup=False)
    if told.rows:
        waiters = ranked(told, "waiter")
        shown = waiters[: top or None]
        out.print(matrix(told, shown))
        if left := len(waiters) - len(shown):
            out.print(f"waiters that are in the total only: {left:,}; --top 0 shows them", markup=False)


def matrix(told: "Blamed", waiters: list[str]) -> "Table":
    """Return some waiters as rows, holders as columns, those with most first; a cell is ms and how many waits."""
    from rich.table import Table

    holders = ranked(told, "holder")
    shown, others = holders[:COLUMNS], holders[COLUMNS:]
    table = Table(f"waiter {told.by} \\ in the way", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    last = [f"{len(others)} others"] if others else []
    for name in [*shown, *last, "total ms"]:
        table.add_column(name, justify="right", overflow="fold")
    for waiter in waiters:
        cells = [cell(told, waiter, [holder]) for holder in shown] + ([cell(told, waiter, others)] if others else [])
        table.add_row(waiter, *cells, cell(told, waiter, holders).split()[0])
    sums = [cell(told, "", [holder]) for holder in shown] + ([cell(told, "", others)] if others else [])
    table.add_row("total", *sums, f"{told.nanoseconds / 1e6:,.3f}")
    return table


def ranked(told: "Blamed", side: str) -> list[str]:
    """Return all waiters, or all holders, those with most time first."""
    sums: dict[str, int] = {}
    for row in told.rows:
        name = str(getattr(row, side))
        sums[name] = sums.get(name, 0) + row.ticks
    return sorted(sums, key=lambda name: -sums[name])


def cell(told: "Blamed", waiter: str, holders: list[str]) -> str:
    """Return the time of a waiter (empty: all) because of some holders, and how many waits they had a part in."""
    rows = [row for row in told.rows if waiter in ("", row.waiter) and row.holder in holders]
    waits = sum(row.waits for row in rows)
    return f"{sum(row.nanoseconds for row in rows) / 1e6:,.3f}  {waits:,} x" if rows else "-"
