"""Which strategies can explore which programs."""

from vmconc.explore.laboratory import Laboratory
from vmconc.explore.search import EXHAUSTIVE, Choice
from vmconc.explore.target import Target
from vmconc.program.errors import ProgramError
from vmconc.schedule.path import CPUS_MAX
from vmconc.schedule.strategies import DPOR, NAMES


def check_fits(lab: Laboratory, target: Target, choice: Choice) -> None:
    """Raise ProgramError if the strategy cannot explore this program."""
    name, cpus = NAMES[choice.strategy], lab.engine.fibers
    if choice.strategy in EXHAUSTIVE and cpus > CPUS_MAX:
        raise ProgramError(f"--strategy {name} takes at most {CPUS_MAX} CPUs, {target.name} has {cpus}; choose pct")
    if choice.strategy == DPOR and not says_all(target):
        raise ProgramError(f"--strategy {name} is for lock programs, {target.name} is none; choose dfs")


def says_all(target: Target) -> bool:
    """Tell whether each step says all that it touches: else which of them commute is not known.

    Between two lock operations a program of the machine reads and writes what it likes.
    """
    return not target.protocol
