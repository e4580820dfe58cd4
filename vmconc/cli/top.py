"""`vmconc top`: a run that goes on in another terminal, as it goes on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.live import LiveWhat, await_live, pause
from vmconc.coordinator.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Group

    from vmconc.coordinator.top import Sample

CLASSES_SHOWN = 8
LETTERS = {"shared": "S", "exclusive": "X"}


def top(
    what: LiveWhat,
    every: Annotated[float, typer.Option("--every", help="Seconds between two looks.")] = 1.0,
    looks: Annotated[int, typer.Option("--looks", help="Stop after so many looks; 0: when the run ends.")] = 0,
    wait: Annotated[float, typer.Option("--wait", help="Seconds to wait for the run to begin.")] = 0.0,
    runs: Annotated[Path, typer.Option("--runs-dir", help="Where a PID's run is looked for.")] = o.RUNS_DEFAULT,
    json: o.Json = False,
) -> int:
    """Show what the CPUs of a live run do, hold and wait for, and which locks they wait for most, until it ends.

    Nothing is locked or stopped for it.  With --json one object for each look, a line each.

    Example: vmconc top 4242
    """
    from rich.live import Live

    from vmconc.cli.show import console, print_json
    from vmconc.coordinator.signals import StopRequests
    from vmconc.coordinator.top import Looker

    if every <= 0:
        raise UsageError(f"--every {every:g} is not positive; choose seconds, for example 1")
    for option, value in (("--looks", looks), ("--wait", wait)):
        if value < 0:
            raise UsageError(f"{option} {value:g} is negative; choose 0 or more")
    with StopRequests() as requests:
        run = await_live(what, runs, wait, requests)
        looker, done, out = Looker(run), 0, console()
        with Live(console=out, auto_refresh=False) as screen:
            while (not looks or done < looks) and pause(run, every, requests):
                sample, done = looker.look(), done + 1
                print_json(sample) if json else screen.update(shown(sample), refresh=True)
        if done and not json and not out.is_terminal:
            out.print()  # there the last look ends without a line's end
    return 0


def shown(sample: "Sample") -> "Group":
    """Return a look as tables."""
    from rich.console import Group
    from rich.table import Table

    cpus = Table("cpu", "state", "does", "holds", "waits for", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for state in sample.cpus:
        op, wait = state["operation"], state["waits_for"]
        held = ", ".join(f"{LETTERS[lock['mode']]} {lock['instance']}" for lock in state["held"])
        asked = wait["instance"] if wait else ""
        does = f"{op['kind']} {op['va']}" if op["index"] >= 0 else ""
        cpus.add_row(str(state["cpu"]), state["state"], does, held, asked)
    classes = Table("lock class", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("acquired a second", "contended a second", "% of the CPUs' time waited"):
        classes.add_column(name, justify="right")
    for found in sample.classes[:CLASSES_SHOWN]:
        row = f"{found.acquired:,.0f}", f"{found.contended:,.0f}", f"{100 * found.waited:.2f}"
        classes.add_row(found.name, *row)
    rings = "".join(f", ring of cpu {index} {100 * full:.0f} % full" for index, full in enumerate(sample.rings))
    more = len(sample.classes) - CLASSES_SHOWN
    left = f", {more} more classes" if more > 0 else ""
    return Group(cpus, classes, f"{sample.in_flight} requests on their way from the disk{rings}{left}")
