"""`vmconc check`: the rules again, from what a run has recorded."""

from typing import TYPE_CHECKING

from vmconc.cli import options as o
from vmconc.cli.recorded import Run, reading

if TYPE_CHECKING:
    from vmconc.analysis.check import Checked


def check(run: Run, json: o.Json = False) -> int:
    """Check a recorded run's events against every rule they can tell of, whatever its CPUs found themselves.

    Example: vmconc check runs/20261123-181845-sh-pipeline-backing
    """
    from vmconc.analysis.check import check_run
    from vmconc.cli.show import print_json

    with reading():
        checked = check_run(run)
    print_json(checked) if json else show(checked)
    return checked.exit_code


def show(checked: "Checked") -> None:
    """Print what was found and what was not looked at."""
    from vmconc.cli.show import console

    out = console()
    out.print(f"{checked.run_dir}: {checked.events:,} events, {len(checked.rules)} rules", markup=False)
    for broken in checked.broken:
        out.print(f"{broken.rule}: {broken.count:,} times; {broken.meaning}", style="bold red", markup=False)
        for example in broken.examples:
            out.print(f"  {example}", markup=False)
    if not checked.broken:
        clean = "nothing broken: " + ", ".join(checked.rules)
        out.print(clean if checked.rules else "nothing was checked", markup=False)
    for line in checked.notes:
        out.print(f"note: {line}", markup=False)
    for line in checked.not_checked:
        out.print(f"not checked: {line}", markup=False)
