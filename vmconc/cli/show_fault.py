"""Writes what the microscope saw: steps side by side, then the counts."""

from itertools import zip_longest
from typing import Any

from rich.table import Table

from vmconc.cli.show import console


def show_fault(found: dict[str, Any]) -> None:
    """Print both protocols side by side, one lock operation a line."""
    out = console()
    steps = Table("", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in found:
        steps.add_column(name, overflow="fold", ratio=1)
    for number, row in enumerate(zip_longest(*[seen["steps"] for seen in found.values()], fillvalue=""), 1):
        steps.add_row(str(number), *[say_step(step) for step in row])
    out.print(steps)
    out.print(counts_table(found))


SIGNS = {"acquire": "+", "release": "-"}


def say_step(step: Any) -> str:
    """Write one step: `+` an acquisition, `-` a release, then class, S or X, lock and site."""
    if not step:
        return ""
    sign = SIGNS.get(step["action"], step["action"])
    mode = {"shared": "S", "exclusive": "X"}.get(step["mode"], step["mode"])
    return f"{sign} {step['class']} {mode} {step['lock']} [dim]{step['site']}[/dim]"


def counts_table(found: dict[str, Any]) -> Table:
    """Return the counts, one row for each name that any protocol counted."""
    names = {name: None for seen in found.values() for name, count in seen["counts"].items() if count}
    counts = Table("count", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in found:
        counts.add_column(name, justify="right")
    for name in names:
        counts.add_row(name, *[str(seen["counts"].get(name, 0)) for seen in found.values()])
    return counts
