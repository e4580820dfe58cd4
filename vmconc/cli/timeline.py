"""`vmconc timeline`: what each CPU of a recorded run did when, as a picture in text."""

from typing import Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.recorded import Run, at_least, reading
from vmconc.coordinator.units import duration

From = Annotated[str, typer.Option("--from", help="Where to begin: time since the run began, as 1.5ms.")]
To = Annotated[str, typer.Option("--to", help="Where to end; 0: with the run.")]
Width = Annotated[int, typer.Option("--width", help="Columns of time; 0: as many as fit the terminal.")]


def timeline(
    run: Run,
    begin: From = "0",
    end: To = "0",
    width: Width = 0,
    cpu: Annotated[list[int], typer.Option("--cpu", help="This CPU only; repeat for more.")] = [],  # noqa: B006
    held: Annotated[bool, typer.Option("--held", help="A row for each lock class that a CPU held, too.")] = False,
    top: Annotated[int, typer.Option("--top", help="Longest waits to list; 0: all.")] = 5,
    json: o.Json = False,
) -> int:
    """Show what a recorded run's CPUs did when: waited, read a page, held locks, or were idle.

    Example: vmconc timeline runs/20261123-181845-sh-pipeline-backing --from 1.5ms --to 2ms
    """
    from vmconc.analysis.timeline import timeline_run
    from vmconc.cli.show import print_json
    from vmconc.cli.show_timeline import columns_that_fit, show_timeline

    at_least("--width", width, 0)
    at_least("--top", top, 0)
    part = duration("--from", begin), duration("--to", end)
    with reading(run):
        found = timeline_run(run, width or columns_that_fit(), part, cpu, held, top)
    print_json(found) if json else show_timeline(found)
    return 0
