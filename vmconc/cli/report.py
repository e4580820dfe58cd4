"""`vmconc report`: who waited and who held, from what a run has recorded."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.blame import blame
from vmconc.cli.gate import FailOn, conditions, exit_code, gating
from vmconc.cli.recorded import Class, Run, at_least, class_numbers, one_of, reading
from vmconc.coordinator.errors import UsageError

if TYPE_CHECKING:
    from vmconc.analysis.conditions import Condition
    from vmconc.analysis.report import Report

PAIR = "pair"


def report(
    run: Run,
    by: Annotated[
        str,
        typer.Option(
            "--by", help="A row for each class, instance (lock), site, cpu, lwp or phase; pair: who waited for whom."
        ),
    ] = "class",
    sort: Annotated[
        str, typer.Option("--sort", help="Largest first: wait, hold, count, contended, avg, p50, p99, max or bounces.")
    ] = "wait",
    top: Annotated[int, typer.Option("--top", help="Rows to show; 0: all.")] = 20,
    classes: Class = [],  # noqa: B006 (typer copies it)
    json: o.Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the rows as CSV, times in ns.")] = False,
    fail_on: FailOn = [],  # noqa: B006
) -> int:
    """Sum up a recorded or timed run's lock acquisitions, waits and holds.

    Example: vmconc report runs/20261123-181845-sh-pipeline-backing --by site --class vm_object
    """
    from vmconc.analysis.grouping import GROUPINGS
    from vmconc.analysis.report import SORTS
    from vmconc.cli.show import print_json
    from vmconc.cli.show_report import print_csv, show_report

    one_of("--by", by, [*GROUPINGS, PAIR])
    one_of("--sort", sort, SORTS)
    at_least("--top", top, 0)
    if json and csv:
        raise UsageError("--csv has no effect with --json; choose one")
    asked = conditions(fail_on)
    if by == PAIR:
        refuse_with_pairs(sort, asked)
        return blame(run, "site", classes, top=top, csv=csv, json=json)
    found, held = summed_up(run, asked, by, sort, top, class_numbers(classes))
    print_json(found) if json else print_csv(found) if csv else show_report(found)
    return exit_code(held)


def refuse_with_pairs(sort: str, asked: "list[Condition]") -> None:
    """Refuse what has no effect on the table of who waited and who was in the way."""
    if sort != "wait":
        raise UsageError(f"--sort {sort} has no effect with --by {PAIR}, which has time waited only; leave it out")
    if asked:
        raise UsageError(f"--fail-on has no effect with --by {PAIR}; ask for it with another --by")


def summed_up(
    run: Path, asked: "list[Condition]", by: str, sort: str, top: int, classes: list[int]
) -> "tuple[Report, list[str]]":
    """Return the report on a recorded or timed run, and the conditions that hold of it."""
    from vmconc.analysis.conditions import failed, ways_of
    from vmconc.analysis.events import load, load_all
    from vmconc.analysis.figures import figures
    from vmconc.analysis.findings import Findings
    from vmconc.analysis.judged import refuse_unknown
    from vmconc.analysis.report import report
    from vmconc.analysis.sides import measure_times
    from vmconc.analysis.timed_report import report_timed
    from vmconc.analysis.timing import is_timed

    with reading(run), gating():
        if is_timed(run):
            timed = measure_times(run, ways_of(asked))
            for condition in asked:
                refuse_unknown(condition, [timed])
            return report_timed(run, by, sort, top, classes), failed(asked, timed.figures, timed.ways)
        found = Findings(load_all(run) if asked else load(run), str(run))
        held = failed(asked, figures(found, ways_of(asked))) if asked else []
        return report(found, by, sort, top, classes), held
