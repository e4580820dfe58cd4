"""`vmconc bench`: how fast the emulator faults, beside the real kernel; how fast it explores; what tracking costs."""

from pathlib import Path
from typing import Annotated

import typer

from vmconc.cli import options as o
from vmconc.coordinator.errors import UsageError

SUBJECTS = ("faults", "explore", "tracking")
GROUPS = ("zero", "cow", "modes", "workers")


def bench(
    what: Annotated[
        str,
        typer.Argument(metavar="SUBJECT", help="faults, explore or tracking."),
    ] = "faults",
    rounds: Annotated[int, typer.Option("--rounds", help="Rounds; each runs every arm once, in shuffled order.")] = 20,
    only: Annotated[
        list[str], typer.Option("--only", metavar="GROUP", help="zero, cow, modes or workers; repeat for more.")
    ] = [],  # noqa: B006
    pages: Annotated[int, typer.Option("--pages", help="Pages that each arm touches for each worker.")] = 32768,
    seconds: Annotated[
        float, typer.Option("--seconds", help="tracking: record two CPUs at full speed for so long.")
    ] = 10.0,
    seed: o.Seed = 0,
    runs: o.RunsDir = o.RUNS_DEFAULT,
    json: o.Json = False,
) -> int:
    """Measure faults per CPU-second of the real kernel, both protocols, modes off and counted, 1 and 2 workers.

    With `explore`: executions and schedule points per CPU-second of the controlled engine, and after how many
    executions it finds classic bugs (median over as many seeds as there are rounds).

    With `tracking`: what a fault costs in modes off, counted, timed and recorded, what an event adds, and whether
    events are lost at full speed.  Each round is a process of its own, of some nine seconds.

    Rates are per second of CPU time; ratios are paired within a round, with an exact confidence interval of
    95 % or a little more; covers says how much, which with fewer than 6 rounds is less.
    """
    if what not in SUBJECTS:
        raise UsageError(f"{what!r} cannot be measured; choose one of {', '.join(SUBJECTS)}")
    unknown = [name for name in only if name not in GROUPS]
    if unknown:
        raise UsageError(f"--only {unknown[0]!r} is unknown; choose from {', '.join(GROUPS)}")
    if rounds < 1:
        raise UsageError(f"--rounds {rounds} is out of range; choose 1 or more")
    if pages < 64:
        raise UsageError(f"--pages {pages} is out of range; choose 64 or more")
    if not 0 <= seconds < float("inf"):
        raise UsageError(f"--seconds {seconds:g} is out of range; choose 0 or more")
    if what == "tracking":
        return bench_tracking(rounds, pages, seconds, seed, runs, json)
    if what == "explore":
        return bench_explore(rounds, seed, json)
    from vmconc.cli.show import print_json
    from vmconc.cli.show_bench import show_bench
    from vmconc.cli.show_compare import rounds_shown
    from vmconc.coordinator.bench import bench as measure

    with rounds_shown(rounds, not json) as note:
        result = measure(rounds, only or list(GROUPS), pages, seed, runs, not json, note)
    print_json(result) if json else show_bench(result)
    return 0


def bench_tracking(rounds: int, pages: int, seconds: float, seed: int, runs: Path, json: bool) -> int:
    """Measure what tracking costs."""
    from vmconc.cli.show import print_json
    from vmconc.cli.show_bench import show_tracking
    from vmconc.cli.show_compare import rounds_shown
    from vmconc.coordinator.bench_tracking import bench as measure

    with rounds_shown(rounds, not json) as note:
        result = measure(rounds, pages, seconds, seed, runs, not json, note)
    print_json(result) if json else show_tracking(result)
    return 0


def bench_explore(rounds: int, seed: int, json: bool) -> int:
    """Measure the controlled engine."""
    from vmconc.cli.show import print_json
    from vmconc.cli.show_compare import rounds_shown
    from vmconc.cli.show_explore import show_power, show_rates
    from vmconc.explore.bench import CLASSICS, power
    from vmconc.explore.bench import bench as measure

    with rounds_shown(rounds, not json) as note:
        rates = measure(rounds, seed, note)
    with rounds_shown(len(CLASSICS), not json) as note:
        found = power(rounds, note)
    if json:
        print_json({"rounds": rounds, "rates": rates, "power": found})
    else:
        show_rates(rates)
        show_power(found)
    return 0
