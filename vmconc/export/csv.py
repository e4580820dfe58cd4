"""Comma-separated values: one of the tables, with a line of titles, in the order of its rows."""

from collections.abc import Callable
from pathlib import Path

from vmconc.analysis.events import Events
from vmconc.export.tables import connect


def write_csv(events: Events, path: Path, say: Callable[[str], None], table: str) -> list[str]:
    """Write a table.  Raises ExportError without DuckDB."""
    rows = connect(events, table, say).table(table)
    say(f"writing {table}")
    rows.write_csv(str(path), header=True)
    return [f"{len(rows):,} rows of {table}"]
