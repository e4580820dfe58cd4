"""Writes a timeline for people."""

from itertools import groupby

from rich.table import Table
from rich.text import Text

from vmconc.analysis.timeline import (
    HOLDING,
    IDLE,
    MOSTLY_IDLE,
    OPERATION,
    PAGE_IN,
    STATES,
    WAITING,
    Timeline,
    TimelineRow,
)
from vmconc.analysis.timeline_waits import LongWait
from vmconc.cli.show import console
from vmconc.cli.show_report import figure

GLYPHS = {WAITING: "-", PAGE_IN: "#", HOLDING: "=", OPERATION: "+", MOSTLY_IDLE: ":", IDLE: "."}
MEANING = {
    WAITING: "waits for a lock", PAGE_IN: "a page is read", HOLDING: "holds locks", OPERATION: "in an operation",
    MOSTLY_IDLE: "most of it outside of operations", IDLE: "all of it",
}  # fmt: skip
LETTERS = {"exclusive": "X", "shared": "S", "partly": ".", "": " "}
MARGIN = 16  # characters in front of the columns
TICK = 20  # columns between two times


def columns_that_fit() -> int:
    """Return how many columns of time fit the console."""
    return max(TICK, console().width - MARGIN - 2)


def show_timeline(found: Timeline) -> None:
    """Print a line of columns for each CPU, what they mean, and the time in each state."""
    out = console()
    out.print(
        f"{found.run_dir}: {found.begin_ns / 1e6:,.6f} to {found.end_ns / 1e6:,.6f} ms since the run began; "
        f"a column is {found.column_ns:,.0f} ns\n", markup=False,
    )  # fmt: skip
    out.print(axis(found), markup=False)
    for row in found.rows:
        out.print(f"{row.name:<{MARGIN}}|{picture(row)}|", markup=False)
        for held in row.held:
            line = "".join(LETTERS[mode] for mode in held.modes)
            out.print(f"{'  ' + held.cls:<{MARGIN}}|{line}|", markup=False)
    out.print("\n" + "   ".join(f"{glyph} {MEANING[state]}" for state, glyph in GLYPHS.items()), markup=False)
    out.print("a column shows what took most of it, the first of these that a CPU did at a time", markup=False)
    if any(row.held for row in found.rows):
        out.print("X held exclusively, S shared, for most of the column; . for less", markup=False)
    if found.lost:
        out.print(f"events lost: {found.lost:,}; what a CPU held is not known behind a gap", markup=False)
    out.print()
    out.print(sums(found))
    if found.longest:
        out.print(f"\nlongest waits: {len(found.longest):,} of {found.waits:,}", markup=False)
        out.print(waits_table(found.longest))


def axis(found: Timeline) -> str:
    """Return the times in ms at which every TICKth column begins, above it."""
    places = range(0, len(found.rows[0].states), TICK)
    times = [f"{(found.begin_ns + place * found.column_ns) / 1e6:,.6g}" for place in places]
    return f"{'ms':>{MARGIN - 1}}  " + "".join(f"{time:<{TICK}}" for time in times)


def picture(row: TimelineRow) -> str:
    """Return the columns of a CPU; the name of what is waited for stands where it has room."""
    text = ""
    for (state, lock), columns in groupby(zip(row.states, row.waits_for, strict=True), told):
        length = len(list(columns))
        name = f" {lock} " if lock and len(lock) + 4 <= length else ""
        text += name.center(length, GLYPHS[state])
    return text


def told(column: tuple[str, str]) -> tuple[str, str]:
    """Return what a column says: the lock only if most of it was waiting."""
    state, lock = column
    return state, lock if state == WAITING else ""


def sums(found: Timeline) -> Table:
    """Return the time of each CPU in each state, which the columns only show the most of."""
    table = Table("cpu", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for state in STATES:
        table.add_column(f"{state} ms", justify="right")
        table.add_column("%", justify="right")
    whole = found.end_ns - found.begin_ns
    for row in found.rows:
        times = [row.nanoseconds[state] for state in STATES]
        table.add_row(row.name, *(cell for time in times for cell in (figure(time / 1e6), figure(100 * time / whole))))
    return table


def waits_table(longest: list[LongWait]) -> Table:
    """Return a line for each wait."""
    table = Table("cpu", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("from ms", "µs"):
        table.add_column(title, justify="right")
    for title in ("for", "at"):
        table.add_column(title)
    for wait in longest:
        times = f"{wait.begin_ns / 1e6:,.6f}", figure(wait.nanoseconds / 1e3)
        table.add_row(str(wait.cpu), *times, Text(wait.lock), Text(wait.site))
    return table
