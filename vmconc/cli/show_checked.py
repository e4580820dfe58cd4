"""Writes what the validator found in a run's events: all of it, or what a run's own report leaves to be said."""

from collections.abc import Collection

from rich.console import Console

from vmconc.analysis.checked import Broken, Checked


def show_checked(out: Console, checked: Checked) -> None:
    """Print what was found and what was not looked at."""
    out.print(f"{checked.run_dir}: {checked.events:,} events, {len(checked.rules)} rules", markup=False)
    for broken in checked.broken:
        show_broken(out, broken)
    if not checked.broken:
        clean = "nothing broken: " + ", ".join(checked.rules)
        out.print(clean if checked.rules else "nothing was checked", markup=False)
    for line in checked.notes:
        out.print(f"note: {line}", markup=False)
    for line in checked.not_checked:
        out.print(f"not checked: {line}", markup=False)


def show_broken(out: Console, broken: Broken) -> None:
    """Print one rule with examples of what broke it."""
    out.print(f"{broken.rule}: {broken.count:,} times; {broken.meaning}", style="bold red", markup=False)
    for example in broken.examples:
        out.print(f"  {example}", markup=False)


def show_in_run(out: Console, checked: Checked | None, told: Collection[str]) -> None:
    """Print at the end of a run what its events say; of rules that the CPUs reported (`told`) only how often."""
    if checked is None:
        return
    if not checked.rules:
        out.print(f"checked    {checked.not_checked[0]}", markup=False)
        return
    found = f"{len(checked.broken)} broken" if checked.broken else "nothing broken"
    out.print(f"checked    the events, by {len(checked.rules)} rules: {found} (vmconc check tells more)", markup=False)
    for broken in checked.broken:
        if broken.rule in told:
            out.print(f"{broken.rule}: {broken.count:,} times, as reported above", markup=False)
        else:
            show_broken(out, broken)
    for line in checked.notes:
        out.print(f"note       {line}", markup=False)
