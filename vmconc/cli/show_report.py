"""Writes a report for people, and as CSV."""

import csv
import math
import sys

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vmconc.analysis.report import Report
from vmconc.analysis.rows import Row
from vmconc.analysis.summary import Lasted, Summary
from vmconc.cli.show import console
from vmconc.memory.ring import EVENT_BYTES

MS, US = 1e6, 1e3
Column = tuple[str, str, float]  # title, field of Row, what it is divided by
WAITING: list[Column] = [
    ("acquired\nshared", "shared", 1), ("\nexclusive", "exclusive", 1), ("\ncontended", "contended", 1),
    ("\n%", "contended_percent", 1), ("waited\nms", "wait_ns", MS), ("avg\nµs", "wait_avg_ns", US),
    ("p50\nµs", "wait_p50_ns", US), ("p99\nµs", "wait_p99_ns", US), ("max\nµs", "wait_max_ns", US),
    ("of all\n%", "wait_percent", 1), ("cum.\n%", "cumulative_percent", 1),
]  # fmt: skip
HOLDING: list[Column] = [
    ("held\ntimes", "holds", 1), ("\nms", "hold_ns", MS), ("avg\nµs", "hold_avg_ns", US),
    ("p50\nµs", "hold_p50_ns", US), ("p99\nµs", "hold_p99_ns", US), ("max\nµs", "hold_max_ns", US),
    ("bounced\ntimes", "bounces", 1), ("\n%", "bounces_percent", 1),
]  # fmt: skip


def figure(value: float) -> str:
    """Write a number with three digits, or all that stand before the point."""
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if value >= 100 or isinstance(value, int) else f"{value:.3g}"


def print_csv(found: Report) -> None:
    """Print the rows, and the total as the last one."""
    writer = csv.DictWriter(sys.stdout, Row.__struct_fields__, lineterminator="\n")
    writer.writeheader()
    writer.writerows(msgspec.structs.asdict(row) for row in [*found.rows, found.total])
    if found.left_out:
        print(f"vmconc: {left_out(found)}", file=sys.stderr)


def left_out(found: Report) -> str:
    """Say how many rows are not shown."""
    return f"rows that are in the total only: {found.left_out:,}; --top 0 shows them"


def show_report(found: Report) -> None:
    """Print the run's summary, then who waited and who held, in the same order."""
    out = console()
    show_summary(out, found.summary)
    for columns in (WAITING, HOLDING):
        out.print()
        print_wide(out, rows_table(found, columns))
    if found.classes:
        out.print(f"of {', '.join(found.classes)} only", markup=False)
    if found.left_out:
        out.print(left_out(found), markup=False)


def show_summary(out: Console, run: Summary) -> None:
    """Print what ran, how fast, how much of it was waiting, and what was not seen."""
    out.print(
        f"{run.program}{run.under} on {run.cpus} {'CPUs' if run.protocol else 'threads'} "
        f"({run.mode}, seed {run.seed}): {run.seconds:.3f} s"
        f"{' from the first event to the last' if run.events else ''}", markup=False,
    )  # fmt: skip
    for line in run.ending[:1]:
        out.print(f"ended      {line}", markup=False, style="bold red")
    if run.found:
        out.print(f"violations {len(run.found):,} told by run.json", markup=False, style="bold red")
    if run.protocol:
        out.print(f"faults     {said_lasted(run.faults)}; {run.faults_per_second:,.0f} per second", markup=False)
        out.print(f"page-ins   {said_lasted(run.page_ins)}", markup=False)
    out.print(
        f"locks      {run.acquired:,} acquired, {run.contended:,} waits, {figure(run.wait_ns / MS)} ms in all: "
        f"{figure(run.wait_percent)} % of the CPUs' time", markup=False,
    )  # fmt: skip
    if run.mode == "recorded":
        out.print(said_events(run), markup=False)
    for note in notes(run):
        out.print(f"note       {note}", markup=False)


def said_events(run: Summary) -> str:
    """Say how many events there are, and how many there are not."""
    there = f"events     {run.events:,} in {run.events * EVENT_BYTES / 1e6:,.1f} MB"
    if run.unended:
        return f"{there}; how many were lost is not known"
    return f"{there}, {run.lost:,} lost; waits of a CPU until some were written: {run.ring_waits:,}"


def said_lasted(times: Lasted) -> str:
    """Say how often something was and how long it lasted."""
    if not times.count or math.isnan(times.total_ns):
        return f"{times.count:,}"
    p50, p99, most = (figure(each / US) for each in (times.p50_ns, times.p99_ns, times.max_ns))
    return f"{times.count:,}, {figure(times.total_ns / MS)} ms in all, p50 {p50} µs, p99 {p99} µs, max {most} µs"


def notes(run: Summary) -> list[str]:
    """Say what the figures do not contain."""
    found = list(run.gaps)
    if run.lost:
        found.append(f"events lost: {run.lost:,}; what lasted across a gap is missing, or as long as two")
    if run.unfinished:
        told = ", ".join(f"{what} {count:,}" for what, count in run.unfinished)
        found.append(f"not ended, and in no figure: {told}")
    return found


def rows_table(found: Report, columns: list[Column]) -> Table:
    """Return some columns of all rows, and of the total."""
    table = Table(f"\n{found.by}", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title, _, _ in columns:
        table.add_column(title, justify="right")
    for row in [*found.rows, found.total]:
        values = [(getattr(row, field), unit) for _, field, unit in columns]
        table.add_row(Text(row.name), *[figure(value if unit == 1 else value / unit) for value, unit in values])
    return table


def print_wide(out: Console, table: Table) -> None:
    """Print a table with every row on one line, however narrow the console is."""
    out.width = max(out.width, out.measure(table, options=out.options.update(width=1000)).maximum)
    out.print(table)
