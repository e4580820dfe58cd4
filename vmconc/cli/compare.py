"""`vmconc compare`: the same operations under both protocols, side by side."""

from typing import Annotated

import typer

from vmconc.cli import options as o
from vmconc.coordinator.errors import UsageError

ROUNDS_MAX = 1000


def compare(
    what: o.What,
    rounds: Annotated[
        int, typer.Option("--rounds", help="Rounds; each runs both protocols once, in shuffled order.")
    ] = 5,
    cpus: o.Cpus = 0,
    mode: o.Mode = "counted",
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
    json: o.Json = False,
) -> int:
    """Run a program or trace under chained and backing in alternated rounds and print both side by side.

    Example: vmconc compare make-build --cpus 2
    """
    if not 1 <= rounds <= ROUNDS_MAX:
        raise UsageError(f"--rounds {rounds} is out of range; choose 1 to {ROUNDS_MAX}")
    if mode in ("recorded", "timed"):
        raise UsageError(f"--mode {mode} is of one run; run each protocol with vmconc run --mode {mode}")
    options = o.run_options(
        cpus=cpus, mode=mode, frames=frames, seed=seed, time_limit=time_limit, stall=stall, directory=directory,
        runs=runs, io_latency=io_latency, io_error_rate=io_error_rate, io_bandwidth=io_bandwidth, fail_fast=fail_fast,
        no_checks=no_checks, heuristic=heuristic, keep=keep, tables=tables,
    )  # fmt: skip
    from vmconc.cli.show import print_json
    from vmconc.cli.show_compare import rounds_shown, show_compare
    from vmconc.coordinator.compare import compare as run_rounds
    from vmconc.coordinator.resolve import resolve, settings

    plan = resolve(what, options.cpus, settings(given), seed, skip_bad)
    with rounds_shown(rounds, not json) as note:
        result = run_rounds(plan, options, rounds, not json, note)
    print_json(result) if json else show_compare(result)
    return result.exit_code
