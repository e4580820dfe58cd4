"""`vmconc histogram`: how long waits or holds lasted, from what a run has recorded."""

from typing import Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.recorded import Class, Run, class_numbers, one_of, reading

WHAT = ("wait", "hold")


def histogram(
    run: Run,
    classes: Class = [],  # noqa: B006 (typer copies it)
    mode: Annotated[bool, typer.Option("--mode", help="Shared and exclusive apart.")] = False,
    what: Annotated[str, typer.Option("--what", help="What lasted: wait or hold.")] = "wait",
    json: o.Json = False,
) -> int:
    """Show how long a recorded or timed run's waits or holds lasted, by class.

    Example: vmconc histogram runs/20261123-181845-sh-pipeline-backing --class vm_page --what hold
    """
    from vmconc.analysis.histogram import histograms_run
    from vmconc.analysis.timed_histogram import histograms_timed
    from vmconc.analysis.timing import is_timed
    from vmconc.cli.show import print_json
    from vmconc.cli.show_lasted import show_histograms

    one_of("--what", what, WHAT)
    with reading(run):
        made = histograms_timed if is_timed(run) else histograms_run
        found = made(run, what, mode, class_numbers(classes))
    print_json(found) if json else show_histograms(found)
    return 0
