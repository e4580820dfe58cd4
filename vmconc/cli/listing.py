"""`vmconc list`: what there is to choose from."""

from typing import Annotated, Any

import typer

from vmconc.cli import options as o
from vmconc.coordinator.errors import UsageError

KINDS = ("protocols", "busted", "programs", "traces", "rules", "locks")


def listing(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}; nothing: all.")] = "",
    json: o.Json = False,
) -> int:
    """List protocols, those wrong on purpose, programs with their options, traces, rules, lock classes, a line each."""
    if kind and kind not in KINDS:
        raise UsageError(f"nothing called {kind!r} to list; choose one of {', '.join(KINDS)}")
    from vmconc.cli.show import print_json
    from vmconc.coordinator.catalogue import CATALOGUE

    found = {name: CATALOGUE[name]() for name in ([kind] if kind else KINDS)}
    print_json(found) if json else show(found)
    return 0


def show(found: dict[str, list[dict[str, Any]]]) -> None:
    """Print each kind under its heading."""
    from vmconc.cli.show import console

    out = console()
    for kind, entries in found.items():
        out.print(kind, style="bold")
        width = max((len(entry["name"]) for entry in entries), default=0)
        for entry in entries:
            out.print(f"  {entry['name']:<{width}}  {entry['doc']}", markup=False)
            for option in entry.get("options", []):
                out.print(
                    f"  {'':<{width}}    --set {option['name']}={option['default']}  {option['doc']}", markup=False
                )
