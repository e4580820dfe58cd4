"""`vmconc sql`: ask a recorded run whatever a report does not say."""

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.recorded import Run, reading
from vmconc.coordinator.errors import UsageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SHOWN = 100  # rows of a table that is printed
WIDEST = 10_000  # columns of characters: a value that is cut off is worse than a line that is too long
AT_ONCE = 10_000

Query = Annotated[str, typer.Argument(metavar="QUERY", help="A query on the tables events, waits, holds and run.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print comma-separated values, with a line of titles.")]


def sql(run: Run, query: Query, csv: Csv = False, json: o.Json = False) -> int:
    """Ask a recorded run in SQL, as DuckDB understands it.

    Example: vmconc sql runs/20261123-181845-sh-pipeline-backing "select class, sum(ns) from waits group by class"
    """
    if csv and json:
        raise UsageError("--csv and --json are two ways to print; choose one")
    answer = asked(run, query, quiet=csv or json)
    import duckdb

    try:
        (show_json if json else show_csv if csv else show)(answer)
    except duckdb.Error as error:
        raise UsageError(f"the query failed: {str(error).splitlines()[0]}") from error
    return 0


def asked(run: Path, query: str, quiet: bool) -> "DuckDBPyConnection":
    """Return what came of a query, to be fetched.  Raises UsageError."""
    from vmconc.analysis.events import load
    from vmconc.cli.show_explore import Progress
    from vmconc.export.errors import ExportError
    from vmconc.export.tables import ask

    with reading(run):
        events = load(run)
    try:
        with Progress(not quiet) as progress:
            return ask(events, query, progress.say)
    except ExportError as error:
        raise UsageError(str(error)) from error


def titles(answer: "DuckDBPyConnection") -> list[str]:
    """Return the names of the columns."""
    return [column[0] for column in answer.description or []]


def show(answer: "DuckDBPyConnection") -> None:
    """Print a table, and how many rows were left out."""
    from rich.table import Table
    from rich.text import Text

    from vmconc.cli.show import console

    rows = answer.fetchmany(SHOWN)
    numbers = [all(isinstance(value, int | float | None) for value in column) for column in zip(*rows, strict=True)]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, title in enumerate(titles(answer)):
        table.add_column(Text(title), justify="right" if rows and numbers[index] else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(written(value)) for value in row))
    out = console()
    out.width = WIDEST
    out.print(table)
    left = 0
    while more := answer.fetchmany(AT_ONCE):
        left += len(more)
    if left:
        out.print(f"{left:,} more rows are left out; --csv and --json print them all", markup=False)


def written(value: object) -> str:
    """Write a value, numbers so that they can be read."""
    if value is None:
        return "null"
    if isinstance(value, float):
        return f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def show_csv(answer: "DuckDBPyConnection") -> None:
    """Print all rows, some at a time."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(titles(answer))
    while rows := answer.fetchmany(AT_ONCE):
        writer.writerows(rows)


def show_json(answer: "DuckDBPyConnection") -> None:
    """Print one object, whose rows are lists in the order of its columns."""
    from vmconc.cli.show import print_json

    print_json({"columns": titles(answer), "rows": answer.fetchall()})
