"""What `vmconc explore` is asked for: each option's name, help and default stand here once."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.asked_html import Html

STRATEGIES = ("portfolio", "uniform", "pct", "pos", "urw", "surw", "round-robin", "stay", "coverage", "dfs", "dpor")

Program = Annotated[
    str, typer.Argument(metavar="PROGRAM", help="A built-in program, or the file of a program or lock program.")
]
Protocol = Annotated[str, typer.Option("--protocol", help="chained, backing or both; not for lock programs.")]
Cpus = Annotated[int, typer.Option("--cpus", help="Emulated CPUs; a lock program has one for each thread.")]
Executions = Annotated[
    int, typer.Option("--executions", help="Stop after this many executions; 0: no limit but --for.")
]
Seconds = Annotated[
    str, typer.Option("--for", metavar="TIME", help="Stop after this time, as 30s or 10m; default 10s.")
]
Strategy = Annotated[str, typer.Option("--strategy", help=f"One of {', '.join(STRATEGIES)}.")]
Depth = Annotated[int, typer.Option("--depth", help="pct: depth of the bugs looked for.")]
Preemptions = Annotated[
    int, typer.Option("--preemptions", help="dfs: preemptions of an execution at most; -1: any number.")
]
Bugs = Annotated[
    list[str],
    typer.Option("--bug", metavar="NAME", help="Switch a known bug on (vmconc bugs); without PROGRAM: show it."),
]
AsCommitted = Annotated[
    bool, typer.Option("--as-committed", help="Switch on the bugs that the protocols were committed with.")
]
Points = Annotated[
    str, typer.Option("--points", help="Steps of a machine: locks, or accesses to its shared records as well.")
]
Steps = Annotated[int, typer.Option("--steps", help="Steps after which an execution is given up.")]
Minimise = Annotated[
    str, typer.Option("--minimise", metavar="TIME", help="Time to make a failure simpler; 0: leave it.")
]
Jobs = Annotated[int, typer.Option("--jobs", help="Processes that search side by side; 0: as many as there are cores.")]
Races = Annotated[
    bool, typer.Option("--races", help="A data race is a failure; of a machine, with --points accesses.")
]
Checkpoint = Annotated[
    Path | None, typer.Option("--checkpoint", metavar="FILE", help="Keep here how far it is; default: --resume's.")
]
Resume = Annotated[
    Path | None, typer.Option("--resume", metavar="FILE", help="Go on, for so much more, where a checkpoint ends.")
]
Keep = Annotated[Path, typer.Option("--keep", help="Where failures are kept.")]


@dataclass(frozen=True)
class Asked:
    """The values of a command line, as they were given."""

    context: typer.Context
    what: Program = ""
    protocol: Protocol = "both"
    cpus: Cpus = 2
    executions: Executions = 0
    seconds: Seconds = ""
    strategy: Strategy = "portfolio"
    depth: Depth = 2
    preemptions: Preemptions = 2
    seed: o.Seed = 0
    settings: o.Set = field(default_factory=list)
    bugs: Bugs = field(default_factory=list)
    as_committed: AsCommitted = False
    io_error_rate: o.ErrorRate = 0.0
    points: Points = "locks"
    steps: Steps = 100_000
    minimise: Minimise = "5s"
    jobs: Jobs = 1
    races: Races = False
    checkpoint: Checkpoint = None
    resume: Resume = None
    keep: Keep = Path("failures")
    html: Html = None
    json: o.Json = False
