"""What is explored: a lock program, or a program of the machine under a protocol; written down, and made again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from vmconc.explore.laboratory import Laboratory
from vmconc.program.errors import ProgramError
from vmconc.program.plan import Plan
from vmconc.program.programs import lock_program
from vmconc.program.written import Written, plan_of, write_down

STEPS = 1 << 14  # operations that are kept of an execution that is watched
STEPS_OF_ACCESSES = 1 << 17
POINTS = LOCKS, ACCESSES = ("locks", "accesses")
LOCK_MODULE = "vmconc.concurrent"
OF_BUG = "bug:"  # a program that is named so is the one by which the catalogue shows that bug


class Target(msgspec.Struct, frozen=True):
    """A program with all that its executions depend on, but for the decisions."""

    program: str
    protocol: str = ""  # empty: a lock program
    cpus: int = 0  # of a lock program: as many as it has threads
    seed: int = 0
    options: dict[str, str] = {}
    bugs: list[str] = []
    io_errors: int = 0  # of 1,000 disk requests fail
    limit: int = 100_000  # steps of an execution
    races: bool = False  # a data race is a failure; of a machine, only if accesses are steps
    points: str = "locks"  # of a machine: what is a step; "accesses": accesses to its shared records, too
    check: str = ""  # of a lock program with several functions that could run last: which
    written: Written | None = None  # the program's operations, if not all of them

    @property
    def name(self) -> str:
        """Return the program's name and what it runs under."""
        name = Path(self.program.removeprefix(OF_BUG)).stem
        return f"{name}-{self.protocol}" if self.protocol else name


def is_lock_program(program: str) -> bool:
    """Tell whether a file is a program about locks."""
    path = Path(program)
    return path.suffix == ".py" and path.is_file() and LOCK_MODULE in path.read_text(errors="replace")


def lock_file(what: str) -> str:
    """Return the file of a program about locks, built-in or the user's; empty if it is none."""
    built_in = lock_program(what)
    path = built_in if Path(built_in).is_file() else what
    return path if is_lock_program(path) else ""


def make(target: Target, watched: bool = False, loaded: Callable[[], None] = lambda: None) -> Laboratory:
    """Return the target's machine, ready to be explored; `loaded` is called before compiling.  Raises ProgramError."""
    lab = make_locks(target, watched, loaded) if not target.protocol else make_machine(target, watched, loaded)
    engine: Any = lab.engine
    engine.limit, engine.io_errors = target.limit, target.io_errors
    return lab


def make_locks(target: Target, watched: bool, loaded: Callable[[], None]) -> Laboratory:
    """Return the machine of a lock program."""
    from vmconc.explore.lockprogram import declared_by, load_file, lock_laboratory

    module = load_file(Path(target.program), numbers(target.options))
    declared_by(module, target.check)
    loaded()
    return lock_laboratory(module, STEPS if watched else 0, target.check, target.races)


def numbers(options: dict[str, str]) -> dict[str, int]:
    """Return the values of a lock program's options.  Raises ProgramError unless they are whole numbers."""
    return {name: number(name, text) for name, text in options.items()}


def number(name: str, text: str) -> int:
    """Return the value of a lock program's option.  Raises ProgramError unless it is a whole number."""
    try:
        return int(text, 0)
    except ValueError:
        raise ProgramError(f"--set {name}={text}: options of lock programs are whole numbers") from None


def make_machine(target: Target, watched: bool, loaded: Callable[[], None]) -> Laboratory:
    """Return the machine of a plan under a protocol."""
    from vmconc.explore.machine import plan_laboratory

    plan = plan_for(target)
    loaded()
    accesses = target.points == ACCESSES
    kept = (STEPS_OF_ACCESSES if accesses else STEPS) if watched else 0
    bugs = tuple(target.bugs)
    return plan_laboratory(plan, target.protocol, target.cpus, bugs, kept, accesses=accesses, races=target.races)


def plan_for(target: Target) -> Plan:
    """Return the plan of a target that is no lock program."""
    from vmconc.explore.bugs import BUGS
    from vmconc.program.programs import load_program

    if target.written:
        return plan_of(target.written, target.name).plan
    if target.program.startswith(OF_BUG):
        return BUGS[target.program.removeprefix(OF_BUG)].plan()
    return load_program(target.program, target.cpus, target.options, target.seed)


def written_plan(target: Target) -> Written:
    """Return the operations of a target that is no lock program.  Raises ProgramError if there are too many LWPs."""
    return target.written or write_down(plan_for(target))
