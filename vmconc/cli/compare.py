"""`vmconc compare`: the same operations under both protocols, side by side."""

from dataclasses import dataclass, field
from typing import Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.asked_session import Session, run_options
from vmconc.cli.asking import asking
from vmconc.coordinator.errors import UsageError

ROUNDS_MAX = 1000
Rounds = Annotated[int, typer.Option("--rounds", help="Rounds; each runs both protocols once, in shuffled order.")]


@dataclass(frozen=True)
class AskedCompare:
    """The values of a command line, as they were given."""

    what: o.What
    rounds: Rounds = 5
    cpus: o.Cpus = 0
    mode: o.Mode = "counted"
    session: Session = field(default_factory=Session)
    json: o.Json = False


@asking(AskedCompare)
def compare(asked: AskedCompare) -> int:
    """Run a program or trace under chained and backing in alternated rounds and print both side by side.

    Example: vmconc compare make-build --cpus 2
    """
    check(asked)
    options, session = run_options(asked.cpus, asked.mode, asked.session), asked.session
    from vmconc.cli.show import print_json
    from vmconc.cli.show_compare import rounds_shown, show_compare
    from vmconc.coordinator.compare import compare as run_rounds
    from vmconc.coordinator.resolve import resolve, settings

    plan = resolve(asked.what, options.cpus, settings(session.settings), session.seed, session.skip_bad)
    with rounds_shown(asked.rounds, not asked.json) as note:
        result = run_rounds(plan, options, asked.rounds, not asked.json, note)
    print_json(result) if asked.json else show_compare(result)
    return result.exit_code


def check(asked: AskedCompare) -> None:
    """Raise UsageError naming option, value and fix."""
    if not 1 <= asked.rounds <= ROUNDS_MAX:
        raise UsageError(f"--rounds {asked.rounds} is out of range; choose 1 to {ROUNDS_MAX}")
    if asked.mode in ("recorded", "timed"):
        raise UsageError(f"--mode {asked.mode} is of one run; run each protocol with vmconc run --mode {asked.mode}")
