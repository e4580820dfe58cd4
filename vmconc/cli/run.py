"""`vmconc run`: one program or trace, one protocol; or a program about locks."""

from typing import TYPE_CHECKING

from vmconc.cli.asked_run import (
    AskedRun,
    check_lock_program,
    check_machine_program,
    check_rounds,
    display,
    options_of,
)
from vmconc.cli.asking import asking, given_in
from vmconc.coordinator.errors import UsageError

if TYPE_CHECKING:
    from vmconc.coordinator.options import RunOptions


@asking(AskedRun)
def run(asked: AskedRun) -> int:
    """Run a program or trace under one protocol and print what its locks did; a lock program, its threads side by side.

    Example: vmconc run make-build --protocol chained --cpus 2
    """
    from vmconc.explore.target import lock_file
    from vmconc.protocols.busted import unmask

    base, busted = unmask(asked.protocol)
    options = options_of(asked, base, busted)
    if path := lock_file(asked.what):
        check_lock_program(asked, busted)
        return run_lock_program(path, asked, options)
    check_machine_program(asked, given_in(asked.context))
    return run_plan(asked, base, options)


def run_plan(asked: AskedRun, base: str, options: "RunOptions") -> int:
    """Run a program or trace under a protocol, or the base of a busted one, and print what its locks did."""
    from vmconc.cli.show import print_json, show_run
    from vmconc.coordinator.resolve import check_protocol, resolve, settings
    from vmconc.coordinator.single import run_once

    check_protocol(asked.protocol)
    session = asked.session
    plan = resolve(asked.what, options.cpus, settings(session.settings), session.seed, session.skip_bad)
    with display(asked):
        result = run_once(plan, base, options, show=not asked.json)
    print_json(result) if asked.json else show_run(result)
    return result.exit_code


def run_lock_program(path: str, asked: AskedRun, options: "RunOptions") -> int:
    """Run the threads of a program about locks and print what its locks did."""
    from vmconc.cli.show import print_json
    from vmconc.cli.show_explore import show_lock_run
    from vmconc.coordinator.resolve import settings
    from vmconc.explore.lockrun import run_locks
    from vmconc.explore.target import numbers
    from vmconc.program.errors import ProgramError

    given = settings(asked.session.settings)
    check_rounds(asked.rounds)
    try:
        with display(asked):
            result = run_locks(path, numbers(given), asked.rounds, options, show=not asked.json)
    except ProgramError as error:
        raise UsageError(str(error)) from error
    print_json(result) if asked.json else show_lock_run(result, path)
    return result.exit_code
