"""Who waited and who held, before and after: a table for each way to sum up."""

from vmconc.analysis.diff_tables import Beside, Subject
from vmconc.page.figures import percent
from vmconc.page.parts import Cell, Choice, Column, Section, Shown, Table
from vmconc.page.tables import MS, NAMES, US

MEASURES = {  # heading, what it is divided by, whether the change is told, too
    "acquired": ("acquired", 1, False), "contended": ("waits", 1, False),
    "wait.total": ("waited ms", MS, True), "wait.avg": ("avg µs waited", US, False),
    "wait.p99": ("p99 µs waited", US, False), "hold.total": ("held ms", MS, True),
    "hold.avg": ("avg µs held", US, False), "hold.p99": ("p99 µs held", US, False),
}  # fmt: skip
TEXT = (
    "Click a heading to sort by it. Medians of the runs; a change is the median over the pairs. A wait belongs to the "
    "place where the lock was acquired afterwards, a hold to where it was acquired."
)
ONE_LOCK = "waits only; a lock is told by the number of its record, which in two runs need not stand for the same thing"


def beside(tables: list[Beside]) -> Section:
    """Return them."""
    choices = [Choice(f"by {NAMES.get(one.by, one.by)}", [table(one)]) for one in tables]
    return Section("tables", "Who waited, who held", TEXT, choices)


def table(found: Beside) -> Table:
    """Return one, sorted by the time waited after."""
    name = NAMES.get(found.by, found.by)
    columns = [Column(name, number=False)]
    for what in found.measures:
        heading, _, change = MEASURES[what]
        columns += [Column(side, heading) for side in ("before", "after", *["change"] * change)]
    notes = [ONE_LOCK] if found.by == "instance" else []
    notes += [f"left out, but in the total: {found.left_out:,} rows with less waiting"] if found.left_out else []
    rows, told = [cells(row) for row in found.rows], f"waits and holds by {name}, before and after"
    return Table(columns, rows, cells(found.total), -1, "; ".join(notes), told)


def cells(row: Subject) -> list[Cell]:
    """Return a row."""
    found: list[Cell] = [row.name]
    for what, change in row.changes.items():
        _, unit, told = MEASURES[what]
        found += [change.before / unit, change.after / unit]
        grown = change.change_percent if change.before or change.after else None
        found += [Shown(grown, percent(grown))] if told else []
    return found
