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
    from vmconc.analysis.events import Events

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
    from vmconc.analysis.events import RunError, load
    from vmconc.analysis.grouping import GROUPINGS
    from vmconc.analysis.report import SORTS
    from vmconc.analysis.report import report as report_on
    from vmconc.analysis.timed_report import report_timed
    from vmconc.analysis.timing import is_timed
    from vmconc.cli.show import print_json
    from vmconc.cli.show_report import print_csv, show_report

    one_of("--by", by, [*GROUPINGS, PAIR])
    one_of("--sort", sort, SORTS)
    if by == PAIR:
        return report_pairs(run, sort, top, classes, json, csv)
    at_least("--top", top, 0)
    if json and csv:
        raise UsageError("--csv has no effect with --json; choose one")
    asked, wanted = conditions(fail_on), class_numbers(classes)
    with reading():
        if is_timed(run):
            if asked:
                raise RunError(f"--fail-on {fail_on[0]!r} needs events; record the run with vmconc run --mode recorded")
            held, found = [], report_timed(run, by, sort, top, wanted)
        else:
            events = load(run)
            held = failed(events, asked)
            found = report_on(events, str(run), by, sort, top, wanted)
    print_json(found) if json else print_csv(found) if csv else show_report(found)
    return exit_code(held)


def failed(events: "Events", asked: "list[Condition]") -> list[str]:
    """Return the conditions that hold of a run."""
    from vmconc.analysis.conditions import failed as held_of
    from vmconc.analysis.figures import figures

    with gating():
        return held_of(asked, figures(events)) if asked else []


def report_pairs(run: Path, sort: str, top: int, classes: list[str], json: bool, csv: bool) -> int:
    """Report on places in the source by who waited and who was in the way: what `vmconc blame --by site` says."""
    if sort != "wait":
        raise UsageError(f"--sort {sort} has no effect with --by {PAIR}, which has time waited only; leave it out")
    return blame(run, "site", classes, top=top, csv=csv, json=json)
