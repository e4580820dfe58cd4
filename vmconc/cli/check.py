"""`vmconc check`: the rules again, from what a run has recorded."""

from typing import TYPE_CHECKING, Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.recorded import Run, at_least, class_numbers, reading

if TYPE_CHECKING:
    from vmconc.analysis.limits import Limits

from vmconc.coordinator.errors import UsageError

HoldBudget = Annotated[
    list[str],
    typer.Option("--hold-budget", metavar="CLASS=TIME", help="Longest hold of a lock of this class; repeat for more."),
]
Starvation = Annotated[
    int, typer.Option("--starvation", help="How often others may get a lock while a CPU waits for it; 0: any number.")
]
Convoy = Annotated[
    int, typer.Option("--convoy", help="Hand-overs from holder to waiter in a row that are too many; 0: no number is.")
]


def check(
    run: Run,
    hold_budget: HoldBudget = [],  # noqa: B006 (typer copies it)
    starvation: Starvation = 0,
    convoy: Convoy = 0,
    json: o.Json = False,
) -> int:
    """Check a recorded run's events against every rule they can tell of, whatever its CPUs found themselves.

    Example: vmconc check runs/20261123-181845-sh-pipeline-backing
    """
    from vmconc.analysis.check import check_run
    from vmconc.cli.show import console, print_json
    from vmconc.cli.show_checked import show_checked

    with reading(run):
        checked = check_run(run, limits(hold_budget, starvation, convoy))
    print_json(checked) if json else show_checked(console(), checked)
    return checked.exit_code


def limits(budgets: list[str], starvation: int, convoy: int) -> "Limits":
    """Read the limits that were asked for."""
    from vmconc.analysis.limits import Limits
    from vmconc.coordinator.units import duration

    at_least("--starvation", starvation, 0)
    at_least("--convoy", convoy, 0)
    hold = {}
    for text in budgets:
        name, given, most = text.partition("=")
        if not given:
            raise UsageError(f"--hold-budget {text!r} is not CLASS=TIME; write for example vm_map=5ms")
        hold[class_numbers([name], "--hold-budget")[0]] = duration("--hold-budget", most)
    return Limits(hold, starvation, convoy)
