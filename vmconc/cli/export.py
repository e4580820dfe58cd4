"""`vmconc export`: a recorded run for other tools."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.recorded import Run, one_of, reading
from vmconc.coordinator.errors import UsageError

FORMATS = "perfetto, pprof, folded, speedscope, openmetrics, dot, csv, parquet"

Format = Annotated[str, typer.Argument(metavar="FORMAT", help=f"One of {FORMATS}.")]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")]
Weight = Annotated[
    str, typer.Option(help="pprof, folded, speedscope: a stack weighs wait, hold or count.", show_default="wait")
]
Table = Annotated[
    str, typer.Option(help="csv, parquet: which table: events, waits, holds or run.", show_default="events")
]


def export(form: Format, run: Run, output: Output, weight: Weight = "", table: Table = "", json: o.Json = False) -> int:
    """Write a recorded run in the format of another tool.

    Example: vmconc export perfetto runs/20261123-181845-sh-pipeline-backing --output run.pftrace
    """
    from vmconc.analysis.events import load
    from vmconc.cli.show import print_json
    from vmconc.cli.show_explore import Progress
    from vmconc.export import formats
    from vmconc.export.errors import ExportError
    from vmconc.export.stacks import WEIGHTS
    from vmconc.export.tables import TABLES

    one_of("FORMAT", form, tuple(FORMATS.split(", ")))
    one_of("--weight", weight or "wait", WEIGHTS)
    one_of("--table", table or "events", TABLES)
    no_effect("--weight", weight, form, formats.WEIGHTED)
    no_effect("--table", table, form, formats.TABULAR)
    with reading(run):
        events = load(run)
    try:
        with Progress(not json) as progress:
            notes = formats.export(events, form, output, progress.say, weight or "wait", table or "events")
    except ExportError as error:
        raise UsageError(str(error)) from error
    if events.lost:
        notes.append(f"not in it: {events.lost:,} events that were lost when the run was recorded")
    told = {"format": form, "output": str(output), "bytes": output.stat().st_size, "notes": notes}
    print_json(told) if json else show(told)
    return 0


def no_effect(option: str, value: str, form: str, takes: Collection[str]) -> None:
    """Raise UsageError if an option is given to a format that does not know it."""
    if value and form not in takes:
        raise UsageError(f"{option} has no effect on {form}: it is for {', '.join(takes)}")


def show(told: dict[str, object]) -> None:
    """Print what was written."""
    from vmconc.cli.show import console

    out = console()
    out.print(f"{told['format']}: {told['output']}, {told['bytes']:,} bytes", markup=False)
    for note in told["notes"]:  # type: ignore[attr-defined]
        out.print(note, markup=False)
