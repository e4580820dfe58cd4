"""The validator at the end of a run in mode `recorded`: on the events as they lie in the run's directory."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from vmconc.analysis.checked import Checked
from vmconc.coordinator.errors import EXIT_INTERRUPTED, EmulatorError
from vmconc.coordinator.options import RunOptions
from vmconc.coordinator.result import encode
from vmconc.coordinator.rundir import RunDirectory

MANY = 1_000_000  # events that take more than a second


def leave(directory: RunDirectory, result: Any, options: RunOptions, show: bool) -> None:
    """Write `run.json`; of a recorded run check the events, and write it again with what was found.

    Who interrupts the check has the run all the same.
    """
    directory.write_json("run.json", encode(result))
    if result.recording and options.check_events:
        try:
            with telling(sum(result.recording.events), show):
                result.checked = checked_in(directory)
        except KeyboardInterrupt:
            result.ending.exit_code = result.ending.exit_code or EXIT_INTERRUPTED
            result.ending.message = f"its check was interrupted; vmconc check {directory.path} does it again"
        directory.write_json("run.json", encode(result))


def checked_in(directory: RunDirectory) -> Checked:
    """Check the events of a directory."""
    from vmconc.analysis.check import check_run
    from vmconc.analysis.events import RunError

    try:
        return check_run(directory.path)
    except RunError as error:
        raise EmulatorError(str(error)) from error


@contextlib.contextmanager
def telling(events: int, show: bool) -> Iterator[None]:
    """Say on standard error what takes its time: on a terminal as long as it does, else once if it is long."""
    message = f"checking {events:,} events"
    if not show or (events < MANY and not sys.stderr.isatty()):
        yield
        return
    if not sys.stderr.isatty():
        print(message, file=sys.stderr, flush=True)
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(message):
        yield
