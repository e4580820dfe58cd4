"""The tables of `vmconc report`: who waited and who held, by everything it can be summed up by."""

import math

from vmconc.analysis.grouping import GROUPINGS
from vmconc.analysis.report import Report, tabulated
from vmconc.analysis.rows import Row
from vmconc.page.parts import Cell, Choice, Column, Part, Section, Table
from vmconc.page.recorded import Recorded

MS, US = 1e6, 1e3
ROWS = 200  # of a table
COLUMNS = [  # group, title, field of Row, what it is divided by
    ("acquired", "shared", "shared", 1), ("acquired", "exclusive", "exclusive", 1),
    ("waited", "times", "contended", 1), ("waited", "% of acq.", "contended_percent", 1),
    ("waited", "ms", "wait_ns", MS), ("waited", "% of all", "wait_percent", 1), ("waited", "avg µs", "wait_avg_ns", US),
    ("waited", "p50 µs", "wait_p50_ns", US), ("waited", "p99 µs", "wait_p99_ns", US),
    ("waited", "max µs", "wait_max_ns", US),
    ("held", "times", "holds", 1), ("held", "ms", "hold_ns", MS), ("held", "avg µs", "hold_avg_ns", US),
    ("held", "p50 µs", "hold_p50_ns", US), ("held", "p99 µs", "hold_p99_ns", US), ("held", "max µs", "hold_max_ns", US),
    ("bounced", "times", "bounces", 1), ("bounced", "%", "bounces_percent", 1),
]  # fmt: skip
SORTED_BY = 1 + [field for _, _, field, _ in COLUMNS].index("wait_ns")
BARS = ("wait_percent",)
NAMES = {"site": "place in the source", "instance": "lock", "cpu": "CPU", "lwp": "LWP"}
TEXT = (
    "Click a heading to sort by it. A wait belongs to the place where the lock was acquired afterwards, a hold to "
    "where it was acquired; bounced: another CPU had the lock before."
)


def tables(run: Recorded) -> Section:
    """Return a table for each way to sum up."""
    return Section("tables", "Who waited, who held", TEXT, [by(run, way) for way in GROUPINGS])


def by(run: Recorded, way: str) -> Choice:
    """Return one table."""
    return choice(tabulated(run.found, way, "wait", ROWS, []))


def choice(found: Report, *more: Part) -> Choice:
    """Return a report as a table, and what is to be said of it."""
    return Choice(f"by {NAMES.get(found.by, found.by)}", [table(found), *more])


def table(found: Report) -> Table:
    """Return a report as a table."""
    name = NAMES.get(found.by, found.by)
    columns = [Column(name, number=False)]
    columns += [Column(title, group, bar=field in BARS) for group, title, field, _ in COLUMNS]
    left = f"left out, but in the total: {found.left_out:,} rows with less waiting" if found.left_out else ""
    rows = [cells(row) for row in found.rows]
    return Table(columns, rows, cells(found.total), SORTED_BY, left, f"waits and holds by {name}")


def cells(row: Row) -> list[Cell]:
    """Return a row."""
    return [row.name, *(cell(getattr(row, field), unit) for _, _, field, unit in COLUMNS)]


def cell(value: float, unit: float) -> Cell:
    """Return a number in its unit; what was divided by nothing is no number."""
    return None if math.isnan(value) else value if unit == 1 else value / unit
