"""`vmconc replay`: run a failure that was found again, step by step, if wanted in the debugger."""

from pathlib import Path
from typing import Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.asked_html import Html, check_html, write_html
from vmconc.cli.uncompiled import say_if_uncompiled


def replay(
    artifact: Annotated[Path, typer.Argument(metavar="FAILURE", help="A file that vmconc explore has kept.")],
    everything: Annotated[bool, typer.Option("--all", help="Show the spinlocks of pages and queues too.")] = False,
    pdb: Annotated[
        bool, typer.Option("--pdb", help="Uncompiled; stop in the Python debugger just before the last step.")
    ] = False,
    html: Html = None,
    processes: Annotated[
        bool, typer.Option("--processes", help="On real processes, one for each CPU, pinned to one core.")
    ] = False,
    times: Annotated[int, typer.Option("--times", help="Replay it so often, and count.")] = 1,
    json: o.Json = False,
) -> int:
    """Make the recorded decisions again and show what every CPU did.

    Exit code 1 if it fails again, 0 if not, 4 if several replays did not come to the same.

    Example: vmconc replay failures/20261123-120000-account.failure.json
    """
    from bdb import BdbQuit

    from vmconc.cli.show import print_json
    from vmconc.cli.show_explore import show_replayed
    from vmconc.coordinator.errors import EXIT_OWN, UsageError
    from vmconc.explore.failure import read
    from vmconc.explore.page import replayed_part
    from vmconc.explore.session import replay as replay_one
    from vmconc.program.errors import ProgramError

    if times < 1:
        raise UsageError(f"--times {times} is too few; choose 1 or more")
    if pdb and (processes or times > 1):
        raise UsageError("--pdb debugs one replay in one process; leave --processes and --times out")
    check_html(html)
    if pdb:
        from vmconc.explore.debug import uncompiled

        uncompiled()
    say_if_uncompiled()
    try:
        kept = read(artifact)
        if everything and not kept.target.protocol:
            raise UsageError(f"--all has no effect: {artifact} is of a lock program, all is shown anyway; leave it out")
        result = replay_one(kept, everything, pdb, times, processes)
    except ProgramError as error:
        raise UsageError(str(error)) from error
    except BdbQuit:
        return 1
    print_json(result) if json else show_replayed(result)
    if html:
        write_html(html, [replayed_part(result, artifact)], not json)
    return int(result.reproduced) if result.repeated.alike else EXIT_OWN
