"""What is wrong with what `vmconc explore` is asked for, said before any work is done."""

import os
from pathlib import Path

from vmconc.cli.asked import STRATEGIES, Asked
from vmconc.cli.asked_html import check_html
from vmconc.coordinator.errors import UsageError

EXHAUSTIVE = ("dfs", "dpor")
UNKEPT = ("dpor", "coverage")  # remember more than the engine's records
DEPTH_MAX = 16
JOBS_MAX = 256
CPUS_MAX = 64


def check(asked: Asked) -> None:
    """Raise UsageError naming option, value and fix."""
    check_strategy(asked)
    check_sizes(asked)
    check_html(asked.html)
    check_keep(asked.keep)


def check_strategy(asked: Asked) -> None:
    """Raise UsageError for a strategy that there is not, or that cannot do so."""
    strategy, jobs = asked.strategy, asked.jobs
    if strategy not in STRATEGIES:
        raise UsageError(f"--strategy {strategy!r} is unknown; choose one of {', '.join(STRATEGIES)}")
    if not 1 <= asked.depth <= DEPTH_MAX:
        raise UsageError(f"--depth {asked.depth} is out of range; choose 1 to {DEPTH_MAX}")
    if asked.preemptions < -1:
        raise UsageError(f"--preemptions {asked.preemptions} is out of range; choose 0 or more, or -1 for any number")
    if strategy in EXHAUSTIVE and jobs != 1:
        raise UsageError(f"--jobs {jobs}: --strategy {strategy} goes through all executions in order; choose --jobs 1")


def check_sizes(asked: Asked) -> None:
    """Raise UsageError for a number that is out of range."""
    if not 1 <= asked.cpus <= CPUS_MAX:
        raise UsageError(f"--cpus {asked.cpus} is out of range; choose 1 to {CPUS_MAX}")
    if asked.executions < 0:
        raise UsageError(f"--executions {asked.executions} is negative; choose 1 or more, or 0 for no limit")
    if not 0 <= asked.jobs <= JOBS_MAX:
        raise UsageError(f"--jobs {asked.jobs} is out of range; choose 1 to {JOBS_MAX}, or 0 for the number of cores")
    if asked.steps < 1:
        raise UsageError(f"--steps {asked.steps} is too few; choose 1 or more")


def check_keep(folder: Path) -> None:
    """Raise UsageError if failures cannot be kept there."""
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
