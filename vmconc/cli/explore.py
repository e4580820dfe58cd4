"""`vmconc explore`: look for an order of steps in which a program fails."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.html import Html, check_html, write_html
from vmconc.coordinator.errors import EXIT_CLEAN, EXIT_INTERRUPTED, EXIT_VIOLATION, UsageError

if TYPE_CHECKING:
    from vmconc.explore.target import Target

STRATEGIES = ("portfolio", "uniform", "pct", "pos", "urw", "surw", "round-robin", "stay", "coverage", "dfs", "dpor")
EXHAUSTIVE = ("dfs", "dpor")
UNKEPT = ("dpor", "coverage")  # remember more than the engine's records
ALONE = ("dfs", "dpor")  # several processes would all do the same
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
    check_points(points)
    from vmconc.cli.show import print_json
    from vmconc.cli.show_explore import Progress, show_explored
    from vmconc.coordinator.resolve import settings
    from vmconc.coordinator.units import duration, probability
    from vmconc.explore.page import explored_part
    from vmconc.explore.search import Budget, choices_of
    from vmconc.explore.session import Watcher
    from vmconc.explore.session import explore as explore_one
    from vmconc.program.errors import ProgramError

    limit = duration("--for", seconds) / 1e9 if seconds else (0.0 if executions else SECONDS_DEFAULT)
    simplify = duration("--minimise", minimise) / 1e9
    errors = round(probability("--io-error-rate", io_error_rate) * 1000)
    if what:
        targets = targets_of(what, protocol, cpus, seed, settings(given), errors, steps)
    else:
        targets = targets_of_bug(bugs, protocol, errors, steps)
    targets = with_races(with_points(with_bugs(targets, bugs, as_committed), points), races)
    if len(targets) > 1 and (checkpoint or resume):
        raise UsageError("a checkpoint keeps one search, and this is one under each protocol; choose a --protocol")
    if strategy in UNKEPT and (checkpoint or resume):
        raise UsageError(f"--strategy {strategy} cannot go on where it was; leave --checkpoint and --resume out")
    if strategy in ALONE and jobs != 1:
        raise UsageError(f"--strategy {strategy} is one search in one process; leave --jobs {jobs} out")
    results = []
    for target in targets:
        with Progress(not json) as progress:
            watcher: Watcher = progress
            try:
                choices = choices_of(strategy, depth, preemptions)
                result = explore_one(
                    target, choices, Budget(executions, limit), seed, simplify, keep, watcher, jobs or o.core_count(),
                    checkpoint, resume,
                )  # fmt: skip
            except ProgramError as error:
                raise UsageError(str(error)) from error
        results.append(result)
        if not json:
            show_explored(result, checkpoint or resume)
        if result.interrupted:
            break
    if html:
        write_html(html, [explored_part(result) for result in results], not json)
    if json:
        print_json({"explored": results})
    if any(result.failure for result in results):
        return EXIT_VIOLATION
    return EXIT_INTERRUPTED if results[-1].interrupted else EXIT_CLEAN


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


def check_points(points: str) -> None:
    """Raise UsageError naming option, value and fix."""
    from vmconc.explore.target import POINTS

    if points not in POINTS:
        raise UsageError(f"--points {points!r} is unknown; choose one of {', '.join(POINTS)}")


def with_points(targets: list["Target"], points: str) -> list["Target"]:
    """Make accesses steps if that is asked for; of a lock program they are anyway."""
    from msgspec.structs import replace

    from vmconc.explore.target import ACCESSES

    return [replace(target, points=points) if target.protocol and points == ACCESSES else target for target in targets]


def targets_of(
    what: str, protocol: str, cpus: int, seed: int, options: dict[str, str], io_errors: int, steps: int
) -> list["Target"]:
    """Return what is explored: a lock program once, another program under each protocol asked for."""
    from vmconc.coordinator.resolve import check_protocol, is_trace
    from vmconc.explore.target import Target, lock_file
    from vmconc.protocols import protocol_names

    if path := lock_file(what):
        return [Target(path, options=options, limit=steps)]
    if protocol != "both":
        check_protocol(protocol)
    if is_trace(what):
        raise UsageError(f"{what} is a trace: too long to be explored; name a program (vmconc list programs)")
    names = list(protocol_names()) if protocol == "both" else [protocol]
    return [Target(what, name, cpus, seed, options, io_errors=io_errors, limit=steps) for name in names]


def targets_of_bug(bugs: list[str], protocol: str, io_errors: int, steps: int) -> list["Target"]:
    """Return the program by which the catalogue shows a bug, under the protocols that can have it."""
    from vmconc.explore.bugs import BUGS
    from vmconc.explore.target import OF_BUG, Target

    if len(bugs) != 1:
        raise UsageError("name a program, or one known bug with --bug (vmconc bugs lists them)")
    bug = BUGS[known_bug(bugs[0])]
    names = [name for name in bug.protocols if protocol in ("both", name)]
    if not names:
        raise UsageError(f"--bug {bug.name} is none of {protocol}; choose --protocol {bug.protocols[0]}")
    errors = io_errors or bug.io_errors
    return [
        Target(OF_BUG + bug.name, name, bug.cpus, io_errors=errors, limit=steps, points=bug.points) for name in names
    ]


def with_bugs(targets: list["Target"], bugs: list[str], as_committed: bool) -> list["Target"]:
    """Switch bugs on, in each protocol those that it can have.  Raises UsageError for one that none here can have."""
    from msgspec.structs import replace

    from vmconc.explore.bugs import BUGS

    names = [known_bug(name) for name in bugs] + [name for name, bug in BUGS.items() if as_committed and bug.committed]
    for name in names:
        if not any(target.protocol in BUGS[name].protocols for target in targets):
            raise UsageError(f"--bug {name} is one of {' and '.join(BUGS[name].protocols)}; choose another --protocol")
    return [
        replace(target, bugs=sorted({name for name in names if target.protocol in BUGS[name].protocols}))
        for target in targets
    ]


def with_races(targets: list["Target"], races: bool) -> list["Target"]:
    """Have data races looked for.  Raises UsageError for what is no lock program."""
    from msgspec.structs import replace

    if races and any(target.protocol for target in targets):
        raise UsageError(f"--races is for lock programs; {targets[0].name} is none: leave it out")
    return [replace(target, races=races) for target in targets]


def known_bug(name: str) -> str:
    """Return the name of a bug.  Raises UsageError if there is none of that name."""
    from vmconc.explore.bugs import BUGS

    if name.upper() not in BUGS:
        raise UsageError(f"--bug {name!r} is unknown; vmconc bugs lists them")
    return name.upper()
