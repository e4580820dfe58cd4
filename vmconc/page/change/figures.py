"""The table of `vmconc diff`, and contention by class as bars of before and after."""

from vmconc.analysis.changes import NO_INTERVAL, Change
from vmconc.analysis.diff import Diff
from vmconc.analysis.diff_rows import BY_CLASS
from vmconc.analysis.diff_tables import Beside
from vmconc.analysis.figures import BLAME
from vmconc.page.figures import percent, quantity
from vmconc.page.parts import Cell, Choice, Column, Lines, Pairs, Section, Shown, Table

TONES = {"worse": "bad", "new": "bad", "moved here": "bad", "better": "good", "fixed": "good"}
INTERVAL = "interval of the change"
COLUMNS = [
    Column("figure", number=False), Column("before", "median of the runs"), Column("after", "median of the runs"),
    Column("change", "of the pairs"), Column("from", INTERVAL), Column("to", INTERVAL), Column("verdict", number=False),
]  # fmt: skip
KINDS = {  # of figures, by how they end or begin
    "faults": ("fault.", ""), "waits": ("", ".wait.total"), "p99 of waits": ("", ".wait.p99"),
    "waits, counted": ("", ".contended"), "holds": ("", ".hold.total"), "acquisitions": ("", ".acquired"),
    "held across I/O": ("", ".io.count"), "blame": (BLAME, ""),
}  # fmt: skip
BARS = {"waited": ".wait.total", "waits, counted": ".contended", "held": ".hold.total", "acquired": ".acquired"}
TABLE_TEXT = (
    "Click a heading to sort by it. The change is the median over the pairs of runs, so it need not be the quotient of "
    "the medians. Without an interval a change may be chance. Figures that are 0 on both sides are left out."
)
BARS_TEXT = "By lock class and mode, medians of the runs. Hatched: before; filled: after."


def table(found: Diff) -> Section:
    """Return the rows, all together and by what they are of."""
    choices = [Choice("all", [of_rows(found.rows)])]
    for name, (begin, end) in KINDS.items():
        rows = [row for row in found.rows if row.figure.startswith(begin) and row.figure.endswith(end)]
        choices += [Choice(name, [of_rows(rows)])] if rows else []
    return Section("figures", "What has changed", TABLE_TEXT, choices)


def of_rows(rows: list[Change]) -> Table:
    """Return some rows in the order of `diff`."""
    return Table(COLUMNS, [cells(row) for row in rows], [], -1, numbers="figures before and after")


def cells(row: Change) -> list[Cell]:
    """Return a row; units differ between rows, so each number brings its own."""
    values = [Shown(value, quantity(value, row.unit)) for value in (row.before, row.after)]
    percents = [Shown(value, percent(value)) for value in (row.change_percent, row.low_percent, row.high_percent)]
    return [row.figure, *values, *percents, Shown(row.verdict, said(row), TONES.get(row.verdict, ""))]


def said(row: Change) -> str:
    """Return the verdict; of what is from nothing to something, too, why there is no interval."""
    if row.verdict == NO_INTERVAL and row.change_percent is None:
        return f"{NO_INTERVAL}: there was none before"
    return row.verdict


def contention(found: Diff, tables: list[Beside]) -> Section:
    """Return bars for each way in which locks are contended, as far as tables have it: what all runs know."""
    measures = {f".{measure}" for one in tables if one.by == BY_CLASS for measure in one.measures}
    choices = [Choice(name, [pairs(found, end)]) for name, end in BARS.items() if end in measures]
    return Section("contention", "Contention by class", BARS_TEXT, choices)


def pairs(found: Diff, end: str) -> Pairs | Lines:
    """Return two bars for each class and mode, the longest first."""
    rows = [row for row in found.rows if row.figure.endswith(end) and not row.figure.startswith("all.")]
    if not rows:
        return Lines(["There is nothing of it on either side."])
    rows.sort(key=lambda row: -max(row.before, row.after))
    names = [row.figure.removesuffix(end).replace(".", " ") for row in rows]
    return Pairs("before and after", names, [row.before for row in rows], [row.after for row in rows], rows[0].unit)
