"""Who kept whom waiting, as `vmconc blame` has it."""

from collections.abc import Iterable

from vmconc.analysis.blame_told import Blamed, told
from vmconc.page.parts import Cell, Choice, Column, Flow, Lines, Section, Table
from vmconc.page.recorded import Recorded

SIDE = 10  # names on each side of a flow
ROWS = 200
OTHERS = "others"
WAYS = {"site": "by place in the source", "class": "by class", "cpu": "by CPU"}
COLUMNS = [
    Column("waiter", number=False), Column("in the way", number=False), Column("ms"), Column("% of all", bar=True),
    Column("waits"),
]  # fmt: skip
TEXT = (
    "Each tick of each wait is charged to who held the lock then, or waited to write it before a reader; what nobody "
    "was in the way of is the time to wake up. The sums are those of the waits. Along the chain, a holder that waits "
    "itself is not charged, but who keeps it waiting."
)


def blaming(run: Recorded) -> Section:
    """Return flows and tables by site, class and CPU."""
    if run.events.gap:
        lost = Lines([f"Not known: {run.events.gap}."], "bad")
        return Section("blame", "Who kept whom waiting", TEXT, [Choice("", [lost])])
    found = {name: told(run.blame, run.run_dir, way, []) for way, name in WAYS.items()}
    found["by CPU, along the chain"] = told(run.blame_along_chain, run.run_dir, "cpu", [])
    return Section("blame", "Who kept whom waiting", TEXT, [choice(*one) for one in found.items()])


def choice(name: str, found: Blamed) -> Choice:
    """Return a flow and the table of all of it."""
    if not found.rows:
        return Choice(name, [Lines(["Nobody had to wait for a lock."])])
    return Choice(name, [flow(found), table(found)])


def table(found: Blamed) -> Table:
    """Return who kept whom waiting, longest first."""
    rows: list[list[Cell]] = [[row.waiter, row.holder, row.nanoseconds / 1e6, 100 * row.ticks / found.ticks, row.waits]
            for row in found.rows[:ROWS]]  # fmt: skip
    left = f"left out, but in the total: {len(found.rows) - ROWS:,} rows with less" if len(found.rows) > ROWS else ""
    total: list[Cell] = ["total", "", found.nanoseconds / 1e6, 100 if found.ticks else 0, found.waits]
    return Table(COLUMNS, rows, total, 2, left, "who kept whom waiting")


def flow(found: Blamed) -> Flow:
    """Return the same as streams; those with little time together, on either side."""
    left, right = (ranked((getattr(row, side), row.ticks) for row in found.rows) for side in ("waiter", "holder"))
    sums: dict[tuple[int, int], tuple[float, int]] = {}
    for row in found.rows:
        ends = place(left, row.waiter), place(right, row.holder)
        ms, waits = sums.get(ends, (0.0, 0))
        sums[ends] = ms + row.nanoseconds / 1e6, waits + row.waits
    links = [(*ends, *sums[ends]) for ends in sums]
    few = OTHERS in left or OTHERS in right
    note = f"{OTHERS}: what is not among the {SIDE} with most time; the table has it" if few else ""
    return Flow(left, right, ("waited", "was in the way"), links, note)


def ranked(times: Iterable[tuple[str, int]]) -> list[str]:
    """Return the names with most time, and one for the others."""
    sums: dict[str, int] = {}
    for name, ticks in times:
        sums[name] = sums.get(name, 0) + ticks
    names = sorted(sums, key=lambda name: -sums[name])
    return names if len(names) <= SIDE else [*names[: SIDE - 1], OTHERS]


def place(names: list[str], name: str) -> int:
    """Return where a name stands; one that does not is one of the others."""
    return names.index(name) if name in names else len(names) - 1
