"""`vmconc doctor`: can this machine run vmconc, and how."""

from pathlib import Path
from typing import Annotated

import typer

from vmconc.cli import options as o


def doctor(
    warm: Annotated[bool, typer.Option("--warm", help="Compile every protocol now.")] = False,
    clear_cache: Annotated[bool, typer.Option("--clear-cache", help="Remove all compiled code first.")] = False,
    directory: Annotated[
        Path, typer.Option("--dir", help="Where the shared mapping would live.")
    ] = o.DIRECTORY_DEFAULT,
    json: o.Json = False,
) -> int:
    """Check the environment, the compile cache and the limits; exit code 4 if something needed does not work."""
    from vmconc.cli.show import print_json
    from vmconc.coordinator import health

    done = []
    if clear_cache:
        done.append(health.clear_cache())
    if warm:
        done.append(health.warm_all(show=not json))
    found = health.examine(directory)
    if json:
        print_json({"done": done, "checks": found})
    else:
        show(done, found)
    return 0 if all(check["ok"] for check in found if check["needed"]) else 4


def show(done: list[str], found: list[dict[str, object]]) -> None:
    """Print what was done and one line for each check."""
    from vmconc.cli.show import console

    out = console()
    for line in done:
        out.print(line, markup=False)
    width = max(len(str(check["name"])) for check in found)
    for check in found:
        mark = "ok  " if check["ok"] else ("FAIL" if check["needed"] else "-   ")
        out.print(f"{mark} {check['name']!s:<{width}}  {check['found']}", markup=False)
