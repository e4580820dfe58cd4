"""`vmconc bugs`: the catalogue of known bugs that can be switched on."""

from typing import Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.explore import known_bug


def bugs(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="One bug, in full; without it, all of them.")] = "",
    json: o.Json = False,
) -> int:
    """List the known bugs: what is wrong, in which protocol, which rule finds it, where it comes from.

    Example: vmconc bugs B21
    """
    from vmconc.cli.show import print_json
    from vmconc.cli.show_explore import show_bug, show_bugs
    from vmconc.explore.bugs import BUGS, CATALOGUE

    wanted = [BUGS[known_bug(name)]] if name else list(CATALOGUE)
    if json:
        fields = ("name", "title", "rule", "origin", "protocols", "interleaving", "cpus", "io_errors", "committed")
        print_json({"bugs": [{field: getattr(bug, field) for field in fields} for bug in wanted]})
    elif name:
        show_bug(wanted[0])
    else:
        show_bugs(wanted)
    return 0
