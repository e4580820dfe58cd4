"""What the commands that look at a run that goes on have in common."""

from pathlib import Path
from typing import Annotated

import typer

from vmconc.coordinator.errors import UsageError

LiveWhat = Annotated[
    str, typer.Argument(metavar="RUN|PID", help="The directory of a run that goes on, or its process's number.")
]


def declare(program: str, given: dict[str, int]) -> None:
    """Import a program about locks, so that its records are known.  Raises UsageError if that cannot be done."""
    from vmconc.explore.lockprogram import load_file
    from vmconc.program.errors import ProgramError

    try:
        load_file(Path(program), given)
    except (OSError, ProgramError) as error:
        raise UsageError(f"{program}, which runs there, cannot be read any more: {error}") from error
