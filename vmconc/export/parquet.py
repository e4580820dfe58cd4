"""Parquet: one of the tables, in the order of its rows."""

from collections.abc import Callable
from pathlib import Path

from vmconc.analysis.events import Events
from vmconc.export.tables import connect


def write_parquet(events: Events, path: Path, say: Callable[[str], None], table: str) -> list[str]:
    """Write a table.  Raises ExportError without DuckDB."""
    rows = connect(events, table, say).table(table)
    say(f"writing {table}")
    rows.write_parquet(str(path), compression="zstd")
    return [f"{len(rows):,} rows of {table}"]
