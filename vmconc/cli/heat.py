"""`vmconc heat`: when was waited for which class, from what a run has recorded."""

from typing import Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.recorded import Run, at_least, reading
from vmconc.coordinator.errors import UsageError

BINS_MAX = 1000


def heat(
    run: Run,
    bins: Annotated[int, typer.Option("--bins", help="Parts of equal length into which the run's time is cut.")] = 60,
    json: o.Json = False,
) -> int:
    """Show when a recorded run's CPUs waited, for locks of which class, as a share of their time.

    Example: vmconc heat runs/20261123-181845-sh-pipeline-backing
    """
    from vmconc.analysis.heat import heat_run
    from vmconc.cli.show import print_json
    from vmconc.cli.show_lasted import show_heat

    at_least("--bins", bins, 1)
    if bins > BINS_MAX:
        raise UsageError(f"--bins {bins} is out of range; choose 1 to {BINS_MAX:,}")
    with reading(run):
        found = heat_run(run, bins)
    print_json(found) if json else show_heat(found)
    return 0
