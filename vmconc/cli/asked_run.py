"""What `vmconc run` is asked for, and what of that goes together."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.asked_session import Recording, Session, run_options
from vmconc.cli.asking import Given
from vmconc.cli.live import watched
from vmconc.coordinator.errors import UsageError

if TYPE_CHECKING:
    from vmconc.coordinator.options import RunOptions

Protocol = Annotated[
    str, typer.Option("--protocol", help="Locking protocol: see vmconc list protocols, and vmconc list busted.")
]
Bugs = Annotated[
    list[str], typer.Option("--bug", metavar="NAME", help="Switch a known bug on (vmconc bugs); repeat for more.")
]
Rounds = Annotated[
    int, typer.Option("--rounds", help="Of a lock program: how often its threads run from the beginning.")
]
Live = Annotated[bool, typer.Option("--live", help="Show what it does while it goes on, as vmconc top.")]


@dataclass(frozen=True)
class AskedRun:
    """The values of a command line, as they were given."""

    context: typer.Context
    what: o.What
    protocol: Protocol = "backing"
    cpus: o.Cpus = 0
    mode: o.Mode = "counted"
    recording: Recording = field(default_factory=Recording)
    session: Session = field(default_factory=Session)
    delays: o.Delay = field(default_factory=list)
    bugs: Bugs = field(default_factory=list)
    rounds: Rounds = 1000
    live: Live = False
    json: o.Json = False


def options_of(asked: AskedRun, base: str, busted: tuple[str, ...]) -> "RunOptions":
    """Return how it runs; `busted`: the bugs that make its protocol of a base.  Raises UsageError."""
    bugs = busted + bugs_of(base, asked.bugs)
    return run_options(asked.cpus, asked.mode, asked.session, asked.recording, asked.delays, bugs)


def bugs_of(protocol: str, names: list[str]) -> tuple[str, ...]:
    """Return the bugs to switch on.  Raises UsageError for one that there is not, or that the protocol cannot have."""
    if not names:
        return ()
    from vmconc.cli.targets import known_bug
    from vmconc.explore.bugs import BUGS

    found = tuple(known_bug(name) for name in names)
    for name in found:
        if protocol not in BUGS[name].protocols:
            raise UsageError(f"--bug {name} is one of {' and '.join(BUGS[name].protocols)}; choose another --protocol")
    return found


def check_lock_program(asked: AskedRun, busted: tuple[str, ...]) -> None:
    """Raise UsageError for a protocol or bug: a program about locks has none."""
    if asked.bugs:
        raise UsageError(
            f"--bug {asked.bugs[0]}: {asked.what} is a program about locks and has no protocol; leave it out"
        )
    if busted:
        raise UsageError(
            f"--protocol {asked.protocol}: {asked.what} is a program about locks and has none; leave it out"
        )


def check_machine_program(asked: AskedRun, given: Given) -> None:
    """Raise UsageError for what is given and can have no effect: a plan runs once."""
    if "rounds" in given:
        raise UsageError(f"{given['rounds']} has no effect: it is for lock programs; leave it out")


def check_rounds(rounds: int) -> None:
    """Raise UsageError if there is nothing to run."""
    if rounds < 1:
        raise UsageError(f"--rounds {rounds} is too few; choose 1 or more")


def display(asked: AskedRun) -> AbstractContextManager[None]:
    """Return what shows a run while it goes on, if that was asked for."""
    if asked.live and asked.json:
        raise UsageError("--live has no effect with --json; choose one, or watch with vmconc top from another terminal")
    return watched(asked.session.runs) if asked.live else nullcontext()
