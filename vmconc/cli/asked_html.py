"""The option `--html` of `explore` and `replay`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from vmconc.coordinator.errors import UsageError

Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write what was found as a page for a browser, too.")
]


def check_html(path: Path | None, option: str = "--html") -> None:
    """Raise UsageError, before any work, if a page cannot be written there."""
    if path and path.is_dir():
        raise UsageError(f"{option} {path} is a directory; name a file in it")
    if path and not path.absolute().parent.is_dir():
        raise UsageError(f"{option} {path}: there is no directory {path.parent}; make it, or name another file")


def write_html(path: Path, parts: list[dict[str, Any]], tell: bool) -> None:
    """Write the page, and say so if wanted."""
    from vmconc.cli.show import console
    from vmconc.explore.page import write_page
    from vmconc.program.errors import ProgramError

    try:
        write_page(path, parts)
    except ProgramError as error:
        raise UsageError(str(error)) from error
    if tell:
        console().print(f"page: {path}", markup=False)
