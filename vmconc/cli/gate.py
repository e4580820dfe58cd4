"""`--fail-on`: conditions on the figures of runs, so that a script can stop on one."""

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from vmconc.coordinator.errors import EXIT_CLEAN, EXIT_CONDITION, UsageError

if TYPE_CHECKING:
    from vmconc.analysis.conditions import Condition

FailOn = Annotated[
    list[str],
    typer.Option("--fail-on", metavar="CONDITION", help="Exit with 5 if it holds, as vm_object.wait.p99>2ms; repeat."),
]


@contextlib.contextmanager
def gating() -> Iterator[None]:
    """Turn what is wrong with a condition into a usage error."""
    from vmconc.analysis.conditions import ConditionError

    try:
        yield
    except ConditionError as error:
        raise UsageError(f"--fail-on {error}") from error


def conditions(texts: list[str]) -> "list[Condition]":
    """Read conditions."""
    from vmconc.analysis.conditions import parse

    with gating():
        return [parse(text) for text in texts]


def exit_code(failed: list[str]) -> int:
    """Say which conditions hold, a line each on standard error, and return the exit code."""
    for line in failed:
        print(f"vmconc: --fail-on {line}", file=sys.stderr)
    return EXIT_CONDITION if failed else EXIT_CLEAN
