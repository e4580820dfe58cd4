"""`vmconc diff`: what changed between runs before and runs after."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.asked_html import Html, check_html
from vmconc.cli.diff_html import looking, write_page
from vmconc.cli.gate import FailOn, conditions, exit_code, gating
from vmconc.cli.recorded import at_least, one_of, reading
from vmconc.coordinator.errors import UsageError

if TYPE_CHECKING:
    from vmconc.analysis.diff import Diff
    from vmconc.page.change.charted import Charted

Runs = Annotated[
    list[Path] | None,
    typer.Argument(metavar="RUN", help="Before and after: two runs, or directories of runs; or one of vmconc compare."),
]
By = Annotated[
    str, typer.Option("--by", help="Rows of each class, site, instance (lock) or cpu, those with most waiting first.")
]
BEFORE = typer.Option("--before", metavar="RUN", help="A run before; repeat for more: runs are compared in pairs.")
AFTER = typer.Option("--after", metavar="RUN", help="A run after, in the order of those before.")


def diff(
    runs: Runs = None,
    before: Annotated[list[Path], BEFORE] = [],  # noqa: B006 (typer copies it)
    after: Annotated[list[Path], AFTER] = [],  # noqa: B006
    by: By = "class",
    every: Annotated[bool, typer.Option("--all", help="All figures: means, p50 and longest times, too.")] = False,
    fail_on: FailOn = [],  # noqa: B006
    html: Html = None,
    top: Annotated[int, typer.Option("--top", help="Rows to show; 0: all.")] = 40,
    json: o.Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the rows as CSV, times in ns.")] = False,
) -> int:
    """Compare runs, recorded or timed ones figure by figure, others by what they counted.

    Example: vmconc diff runs/ID runs/ID --fail-on 'vm_object.wait.total>+10%'
    """
    from vmconc.analysis.figures import WAYS
    from vmconc.cli.show import console, print_json
    from vmconc.cli.show_diff import print_csv, show_diff

    one_of("--by", by, ["class", *WAYS])
    at_least("--top", top, 0)
    if json and csv:
        raise UsageError("--csv has no effect with --json; choose one")
    check_html(html)
    found = compared(*both(runs or [], before, after), by, every, fail_on, html)
    print_json(found) if json else print_csv(found) if csv else show_diff(found, top)
    if html and not json and not csv:
        console().print(f"page: {html}", markup=False)
    return exit_code(found.failed)


def both(runs: list[Path], before: list[Path], after: list[Path]) -> tuple[list[Path], list[Path]]:
    """Return the directories of both sides; of a comparison, on the first side, there is one."""
    if bool(before) != bool(after):
        raise UsageError("--before and --after go together: as many of each")
    if runs and before:
        raise UsageError("--before and --after are for runs that are named by them; leave the arguments out")
    if len(runs) > 2 or not (runs or before):
        raise UsageError(f"{len(runs)} runs: give two, or one of vmconc compare, or more with --before and --after")
    return (before, after) if before else (runs[:1], runs[1:])


def compared(
    before: list[Path], after: list[Path], by: str, every: bool, fail_on: list[str], html: Path | None
) -> "Diff":
    """Compare the runs in some directories, and write the page if wanted."""
    from msgspec.structs import replace

    from vmconc.analysis.allocation import keep_memory
    from vmconc.analysis.conditions import ways_of
    from vmconc.analysis.diff import diff as compare
    from vmconc.analysis.diff import failed, sides
    from vmconc.analysis.diff_rows import BY_CLASS
    from vmconc.analysis.diff_tables import beside
    from vmconc.analysis.figures import WAYS
    from vmconc.page.tables import ROWS

    asked = conditions(fail_on)
    seen: dict[Path, Charted] = {}
    keep_memory()
    with reading(), looking(seen) if html else nullcontext() as look:
        wanted = WAYS if html else [way for way in WAYS if way in (by, *ways_of(asked))]
        old, new = sides(before, after, look, wanted)
    with reading(), gating():
        held = failed(asked, old, new)
        found = replace(compare(old, new, by, every), failed=held)
    if html:
        of_page = found if by == BY_CLASS else replace(compare(old, new, every=every), failed=held)
        write_page(html, of_page, beside(old, new, ROWS), fail_on, seen)
    return found
