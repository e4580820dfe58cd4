"""What the commands that read a recorded run have in common."""

import contextlib
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated

import typer

from vmconc.coordinator.errors import UsageError

RUN = "Directory of a recorded run; report, histogram, html: or timed."
Run = Annotated[Path, typer.Argument(metavar="RUN", help=RUN)]
Class = Annotated[list[str], typer.Option("--class", metavar="NAME", help="Of this lock class only; repeat for more.")]


@contextlib.contextmanager
def reading(run: Path | None = None) -> Iterator[None]:
    """Turn what is wrong with a run directory into a usage error; warn if the run did not end."""
    from vmconc.analysis.events import RunError, read_run

    try:
        yield
        unended = read_run(run).get("unended") if run else None
    except RunError as error:
        raise UsageError(str(error)) from error
    if unended:
        print(f"vmconc: {run}: {unended}", file=sys.stderr)


def class_numbers(names: list[str], option: str = "--class") -> list[int]:
    """Return the lock classes of some names that an option gave."""
    from vmconc.locks.classes import CLASS_NAMES

    numbers = {name: cls for cls, name in CLASS_NAMES.items()}
    for name in names:
        one_of(option, name, numbers)
    return [numbers[name] for name in names]


def one_of(option: str, value: str, choices: Collection[str]) -> None:
    """Refuse a value that is none of the choices."""
    if value not in choices:
        raise UsageError(f"{option} {value!r} is unknown; choose one of {', '.join(choices)}")


def at_least(option: str, value: int, least: int) -> None:
    """Refuse a number that is too small."""
    if value < least:
        raise UsageError(f"{option} {value} is too few; choose {least} or more")
