"""`vmconc layers`: how deep faults had to look, over the time of a recorded run."""

from typing import Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.recorded import Run, at_least, reading
from vmconc.coordinator.errors import UsageError

BINS_MAX = 1000


def layers(
    run: Run,
    bins: Annotated[int, typer.Option("--bins", help="Parts of equal length into which the run's time is cut.")] = 20,
    json: o.Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the bins as CSV, times in ns.")] = False,
) -> int:
    """Show how many layers (objects) a recorded run's faults looked into over time, and how many there were.

    Example: vmconc layers runs/20261123-181845-fork_chain-chained
    """
    from vmconc.analysis.layers import layers_run
    from vmconc.cli.show import print_json
    from vmconc.cli.show_layers import print_csv, show_layers

    at_least("--bins", bins, 1)
    if bins > BINS_MAX:
        raise UsageError(f"--bins {bins} is out of range; choose 1 to {BINS_MAX:,}")
    if json and csv:
        raise UsageError("--csv has no effect with --json; choose one")
    with reading(run):
        found = layers_run(run, bins)
    print_json(found) if json else print_csv(found) if csv else show_layers(found)
    return 0
