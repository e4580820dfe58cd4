"""`vmconc explore`: look for an order of steps in which a program fails."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.html import Html, check_html, write_html
from vmconc.cli.targets import targets_of, targets_of_bug, with_bugs, with_points, with_races
from vmconc.coordinator.errors import EXIT_CLEAN, EXIT_INTERRUPTED, EXIT_VIOLATION, UsageError

if TYPE_CHECKING:
    from vmconc.explore.session import Explored
    from vmconc.explore.target import Target

STRATEGIES = ("portfolio", "uniform", "pct", "pos", "urw", "surw", "round-robin", "stay", "coverage", "dfs", "dpor")
EXHAUSTIVE = ("dfs", "dpor")
UNKEPT = ("dpor", "coverage")  # remember more than the engine's records
SECONDS_DEFAULT = 10.0
DEPTH_MAX = 16
JOBS_MAX = 256


def explore(
    what: Annotated[
        str, typer.Argument(metavar="PROGRAM", help="A built-in program, or the file of a program or lock program.")
    ] = "",
    protocol: Annotated[
        str, typer.Option("--protocol", help="chained, backing or both; not for lock programs.")
    ] = "both",
    cpus: Annotated[int, typer.Option("--cpus", help="Emulated CPUs; a lock program has one for each thread.")] = 2,
    executions: Annotated[
        int, typer.Option("--executions", help="Stop after this many executions; 0: no limit but --for.")
    ] = 0,
    seconds: Annotated[
        str, typer.Option("--for", metavar="TIME", help="Stop after this time, as 30s or 10m; default 10s.")
    ] = "",
    strategy: Annotated[str, typer.Option("--strategy", help=f"One of {', '.join(STRATEGIES)}.")] = "portfolio",
    depth: Annotated[int, typer.Option("--depth", help="pct: depth of the bugs looked for.")] = 2,
    preemptions: Annotated[
        int, typer.Option("--preemptions", help="dfs: preemptions of an execution at most; -1: any number.")
    ] = 2,
    seed: o.Seed = 0,
    given: o.Set = [],  # noqa: B006 (typer copies it)
    bugs: Annotated[
        list[str],
        typer.Option("--bug", metavar="NAME", help="Switch a known bug on (vmconc bugs); without PROGRAM: show it."),
    ] = [],  # noqa: B006
    as_committed: Annotated[
        bool, typer.Option("--as-committed", help="Switch on the bugs that the protocols were committed with.")
    ] = False,
    io_error_rate: o.ErrorRate = 0.0,
    points: Annotated[
        str,
        typer.Option("--points", help="Steps of a machine: locks, or accesses to its shared records as well."),
    ] = "locks",
    steps: Annotated[int, typer.Option("--steps", help="Steps after which an execution is given up.")] = 100_000,
    minimise: Annotated[
        str, typer.Option("--minimise", metavar="TIME", help="Time to make a failure simpler; 0: leave it.")
    ] = "5s",
    jobs: Annotated[
        int, typer.Option("--jobs", help="Processes that search side by side; 0: as many as there are cores.")
    ] = 1,
    races: Annotated[
        bool, typer.Option("--races", help="A data race is a failure, whatever comes of it; for lock programs.")
    ] = False,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", metavar="FILE", help="Keep here how far it is; default: --resume's.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option("--resume", metavar="FILE", help="Go on, for so much more, where a checkpoint ends.")
    ] = None,
    keep: Annotated[Path, typer.Option("--keep", help="Where failures are kept.")] = Path("failures"),
    html: Html = None,
    json: o.Json = False,
) -> int:
    """Run a program's threads in many orders until one fails, make the failure simple, and show it step by step.

    Example: vmconc explore fork_chain --set generations=3 --set pages=2 --set writes=1 --set chains=1 --for 20s
    """
    check(strategy, depth, preemptions, cpus, executions, steps, jobs)
    check_html(html)
    check_keep(keep)
    from functools import partial

    from vmconc.coordinator.resolve import settings
    from vmconc.coordinator.units import duration, probability
    from vmconc.explore.search import Budget, choices_of
    from vmconc.explore.session import explore as explore_one

    limit = duration("--for", seconds) / 1e9 if seconds else (0.0 if executions else SECONDS_DEFAULT)
    simplify = duration("--minimise", minimise) / 1e9
    errors = round(probability("--io-error-rate", io_error_rate) * 1000)
    if what:
        targets = targets_of(what, protocol, cpus, seed, settings(given), errors, steps)
    else:
        targets = targets_of_bug(bugs, protocol, errors, steps)
    targets = with_races(with_points(with_bugs(targets, bugs, as_committed), points), races)
    if kept := checkpoint or resume:
        check_checkpoint(kept, strategy, len(targets))
    run = partial(
        explore_one, choices=choices_of(strategy, depth, preemptions), budget=Budget(executions, limit), seed=seed,
        simplify=simplify, keep=keep, jobs=jobs or o.core_count(), checkpoint=checkpoint, resume=resume,
    )  # fmt: skip
    return explore_each(targets, run, html, kept, json)


def explore_each(
    targets: list["Target"], run: Callable[..., "Explored"], html: Path | None, kept: Path | None, json: bool
) -> int:
    """Explore one target after the other, show what came of it, and return the exit code; `kept`: the checkpoint."""
    from vmconc.cli.show import print_json
    from vmconc.cli.show_explore import Progress, show_explored
    from vmconc.explore.page import explored_part
    from vmconc.program.errors import ProgramError

    results: list[Explored] = []
    while targets and not (results and results[-1].interrupted):
        target, *targets = targets
        with Progress(not json) as progress:
            try:
                results.append(run(target, watcher=progress))
            except ProgramError as error:
                raise UsageError(str(error)) from error
        if not json:
            show_explored(results[-1], kept)
    if html:
        write_html(html, [explored_part(result) for result in results], not json)
    if json:
        print_json({"explored": results})
    if any(result.failure for result in results):
        return EXIT_VIOLATION
    return EXIT_INTERRUPTED if results[-1].interrupted else EXIT_CLEAN


def check_keep(folder: Path) -> None:
    """Raise UsageError, before any work, if failures cannot be kept there."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise UsageError(f"--keep {folder}: {place} is no folder that can be written; name another")


def check_checkpoint(path: Path, strategy: str, targets: int) -> None:
    """Raise UsageError if a search cannot go on from a checkpoint, or there is no place for one."""
    if path.is_dir():
        raise UsageError(f"--checkpoint {path} is a directory; name a file in it")
    if targets > 1:
        raise UsageError("a checkpoint keeps one search, and this is one under each protocol; choose a --protocol")
    if strategy in UNKEPT:
        raise UsageError(f"--strategy {strategy} cannot go on where it was; leave --checkpoint and --resume out")


def check(strategy: str, depth: int, preemptions: int, cpus: int, executions: int, steps: int, jobs: int) -> None:
    """Raise UsageError naming option, value and fix."""
    if strategy not in STRATEGIES:
        raise UsageError(f"--strategy {strategy!r} is unknown; choose one of {', '.join(STRATEGIES)}")
    if not 1 <= depth <= DEPTH_MAX:
        raise UsageError(f"--depth {depth} is out of range; choose 1 to {DEPTH_MAX}")
    if not 1 <= cpus <= 64:
        raise UsageError(f"--cpus {cpus} is out of range; choose 1 to 64")
    if executions < 0:
        raise UsageError(f"--executions {executions} is negative; choose 1 or more, or 0 for no limit")
    if not 0 <= jobs <= JOBS_MAX:
        raise UsageError(f"--jobs {jobs} is out of range; choose 1 to {JOBS_MAX}, or 0 for the number of cores")
    if preemptions < -1:
        raise UsageError(f"--preemptions {preemptions} is out of range; choose 0 or more, or -1 for any number")
    if strategy in EXHAUSTIVE and jobs != 1:
        raise UsageError(f"--jobs {jobs}: --strategy {strategy} goes through all executions in order; choose --jobs 1")
    if steps < 1:
        raise UsageError(f"--steps {steps} is too few; choose 1 or more")
