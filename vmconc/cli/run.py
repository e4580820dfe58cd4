"""`vmconc run`: one program or trace, one protocol; or a program about locks."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.live import watched
from vmconc.coordinator.errors import UsageError

if TYPE_CHECKING:
    from vmconc.coordinator.options import RunOptions

ROUNDS = 1000


def run(
    what: o.What,
    protocol: Annotated[
        str, typer.Option("--protocol", help="Locking protocol: see vmconc list protocols, and vmconc list busted.")
    ] = "backing",
    cpus: o.Cpus = 0,
    mode: o.Mode = "counted",
    ring: o.Ring = o.RING_DEFAULT,
    when_full: o.WhenFull = "stop",
    check_events: o.CheckEvents = True,
    frames: o.Frames = o.FRAMES_DEFAULT,
    seed: o.Seed = 0,
    given: o.Set = [],  # noqa: B006 (typer copies it)
    time_limit: o.TimeLimit = 0.0,
    stall: o.Stall = 10.0,
    skip_bad: o.SkipBad = False,
    directory: o.Directory = o.DIRECTORY_DEFAULT,
    runs: o.RunsDir = o.RUNS_DEFAULT,
    io_latency: o.Latency = "0",
    io_error_rate: o.ErrorRate = 0.0,
    io_bandwidth: o.Bandwidth = "0",
    fail_fast: o.FailFast = False,
    no_checks: o.NoChecks = False,
    heuristic: o.Heuristic = True,
    keep: o.Keep = True,
    tables: o.Table = [],  # noqa: B006
    delays: o.Delay = [],  # noqa: B006
    bugs: Annotated[
        list[str], typer.Option("--bug", metavar="NAME", help="Switch a known bug on (vmconc bugs); repeat for more.")
    ] = [],  # noqa: B006
    rounds: Annotated[
        int, typer.Option("--rounds", help="Of a lock program: how often its threads run from the beginning.")
    ] = ROUNDS,
    live: Annotated[bool, typer.Option("--live", help="Show what it does while it goes on, as vmconc top.")] = False,
    json: o.Json = False,
) -> int:
    """Run a program or trace under one protocol and print what its locks did; a lock program, its threads side by side.

    Example: vmconc run make-build --protocol chained --cpus 2
    """
    from vmconc.protocols.busted import unmask

    base, switched_on = unmask(protocol)
    options = o.run_options(
        cpus=cpus, mode=mode, frames=frames, seed=seed, time_limit=time_limit, stall=stall, directory=directory,
        runs=runs, io_latency=io_latency, io_error_rate=io_error_rate, io_bandwidth=io_bandwidth, fail_fast=fail_fast,
        no_checks=no_checks, heuristic=heuristic, keep=keep, tables=tables, ring=ring, when_full=when_full,
        check_events=check_events, delays=delays,
        bugs=switched_on + (bugs_of(base, bugs) if bugs else ()),
    )  # fmt: skip
    from vmconc.cli.show import print_json, show_run
    from vmconc.coordinator.resolve import check_protocol, resolve, settings
    from vmconc.coordinator.single import run_once
    from vmconc.explore.target import lock_file

    if path := lock_file(what):
        if bugs:
            raise UsageError(f"--bug {bugs[0]}: {what} is a program about locks and has no protocol; leave it out")
        if switched_on:
            raise UsageError(f"--protocol {protocol}: {what} is a program about locks and has none; leave it out")
        return run_lock_program(path, settings(given), rounds, options, live, json)
    check_protocol(protocol)
    plan = resolve(what, options.cpus, settings(given), seed, skip_bad)
    with display(live, json, runs):
        result = run_once(plan, base, options, show=not json)
    print_json(result) if json else show_run(result)
    return result.exit_code


def bugs_of(protocol: str, names: list[str]) -> tuple[str, ...]:
    """Return the bugs to switch on.  Raises UsageError for one that there is not, or that the protocol cannot have."""
    from vmconc.cli.targets import known_bug
    from vmconc.explore.bugs import BUGS

    found = tuple(known_bug(name) for name in names)
    for name in found:
        if protocol not in BUGS[name].protocols:
            raise UsageError(f"--bug {name} is one of {' and '.join(BUGS[name].protocols)}; choose another --protocol")
    return found


def display(live: bool, json: bool, runs: Path) -> AbstractContextManager[None]:
    """Return what shows a run while it goes on, if that was asked for."""
    if live and json:
        raise UsageError("--live has no effect with --json; choose one, or watch with vmconc top from another terminal")
    return watched(runs) if live else nullcontext()


def run_lock_program(
    path: str, given: dict[str, str], rounds: int, options: "RunOptions", live: bool, json: bool
) -> int:
    """Run the threads of a program about locks and print what its locks did."""
    from vmconc.cli.show import print_json
    from vmconc.cli.show_explore import show_lock_run
    from vmconc.explore.lockrun import run_locks
    from vmconc.explore.target import numbers
    from vmconc.program.errors import ProgramError

    if rounds < 1:
        raise UsageError(f"--rounds {rounds} is too few; choose 1 or more")
    try:
        with display(live, json, options.runs):
            result = run_locks(path, numbers(given), rounds, options, show=not json)
    except ProgramError as error:
        raise UsageError(str(error)) from error
    print_json(result) if json else show_lock_run(result, path)
    return result.exit_code
