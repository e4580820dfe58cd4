"""`vmconc bugs`: the catalogue of known bugs that can be switched on, and what it takes to find them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.targets import known_bug
from vmconc.coordinator.errors import UsageError

if TYPE_CHECKING:
    from vmconc.explore.bugs import Bug

FIELDS = (
    "name", "title", "rule", "origin", "protocols", "interleaving", "cpus", "io_errors", "committed", "points", "races",
)  # fmt: skip
JOBS_MAX = 256


def bugs(
    names: Annotated[
        list[str], typer.Argument(metavar="[NAME]...", help="One bug, in full, or several; without it, all of them.")
    ] = [],  # noqa: B006 (typer copies it)
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Look for each, from a cold start, and make its failure as small as can be."),
    ] = False,
    seeds: Annotated[int, typer.Option("--seeds", help="--measure: how often each is looked for.")] = 5,
    jobs: Annotated[int, typer.Option("--jobs", help="--measure: bugs at a time; 0: as many as there are cores.")] = 2,
    minimise: Annotated[
        str, typer.Option("--minimise", metavar="TIME", help="--measure: time to make a failure small; 0: leave it.")
    ] = "10s",
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="--measure: keep the small failures in this folder.")
    ] = None,
    json: o.Json = False,
) -> int:
    """List the known bugs: what is wrong, in which protocol, which rule finds it, where it comes from.

    With --measure: after how many executions and seconds each is found, and how small its failure is.  Each bug is a
    build of its own, compiled in about 50 CPU-seconds; NUMBA_DISABLE_JIT=1 makes the same decisions uncompiled.

    Example: vmconc bugs B21
    """
    from vmconc.cli.show import print_json
    from vmconc.cli.show_explore import show_bug, show_bugs
    from vmconc.explore.bugs import BUGS, CATALOGUE

    wanted = [BUGS[known_bug(name)] for name in names] or list(CATALOGUE)
    if measure:
        return measure_bugs(wanted, seeds, jobs, minimise, keep, json)
    if json:
        print_json({"bugs": [{field: getattr(bug, field) for field in FIELDS} for bug in wanted]})
    elif len(names) == 1:
        show_bug(wanted[0])
    else:
        show_bugs(wanted)
    return 0


def measure_bugs(wanted: list["Bug"], seeds: int, jobs: int, minimise: str, keep: Path | None, json: bool) -> int:
    """Measure them.  The exit code is 1 if one was not found by its rule with every seed."""
    from vmconc.cli.show import print_json
    from vmconc.cli.show_compare import rounds_shown
    from vmconc.cli.show_measured import show_measured
    from vmconc.coordinator.units import duration
    from vmconc.explore.measure import measure

    if seeds < 1:
        raise UsageError(f"--seeds {seeds} is too few; choose 1 or more")
    if not 0 <= jobs <= JOBS_MAX:
        raise UsageError(f"--jobs {jobs} is out of range; choose 1 to {JOBS_MAX}, or 0 for the number of cores")
    simplify = duration("--minimise", minimise) / 1e9
    cases = [(bug, protocol) for bug in wanted for protocol in bug.protocols]
    with rounds_shown(len(cases), not json) as note:
        rows = measure(cases, seeds, jobs or o.core_count(), simplify, keep, note)
    print_json({"measured": rows}) if json else show_measured(rows)
    return int(any(row.by_rule < row.seeds for row in rows))
