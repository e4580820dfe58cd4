"""`vmconc dump`: who holds what and who waits for whom in a run that goes on in another terminal."""

from pathlib import Path
from typing import Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.live import LiveWhat, declare


def dump(
    what: LiveWhat,
    runs: Annotated[Path, typer.Option("--runs-dir", help="Where a PID's run is looked for.")] = o.RUNS_DEFAULT,
    json: o.Json = False,
) -> int:
    """Print what every CPU of a live run holds and waits for, for how long, and who waits for whom in a cycle.

    Nothing is locked or stopped for it.  Exit code 3 if CPUs wait for one another.

    Example: vmconc dump 4242
    """
    from vmconc.cli.show import console, print_json
    from vmconc.coordinator.dump import dump as look
    from vmconc.coordinator.errors import EXIT_STUCK

    found = look(what, runs, declare)
    if json:
        print_json(found)
    else:
        for line in found.lines:
            console().print(line, markup=False)
    return EXIT_STUCK if found.cycle else 0
