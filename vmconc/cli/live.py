"""What the commands that look at a run that goes on have in common."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vmconc.coordinator.errors import UsageError

if TYPE_CHECKING:
    from vmconc.coordinator.dump import LiveRun
    from vmconc.coordinator.signals import StopRequests

LOOK = 0.05  # seconds between two looks whether a run has begun or ended
LAST = 5.0  # seconds that who watches has to end
PATIENCE = 3600.0  # seconds that a run may need until it begins: it compiles before

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


def await_live(what: str, runs: Path, seconds: float, requests: "StopRequests") -> "LiveRun":
    """Open a live run, for which may be waited so long, and as long as its process lives.

    Raises UsageError as `find_live`, also if asked to stop.
    """
    import psutil

    from vmconc.coordinator.dump import find_live

    deadline = time.monotonic() + seconds
    while True:
        try:
            return find_live(what, runs, declare)
        except UsageError:
            if requests.count or time.monotonic() >= deadline or (what.isdigit() and not psutil.pid_exists(int(what))):
                raise
            time.sleep(LOOK)


def pause(run: "LiveRun", seconds: float, requests: "StopRequests") -> bool:
    """Wait for so long, less if the run ends or the user asks to stop; return whether it goes on."""
    deadline = time.monotonic() + seconds
    while not run.over and not requests.count:
        if time.monotonic() >= deadline:
            return True
        time.sleep(min(LOOK, seconds))
    return False


@contextlib.contextmanager
def watched(runs: Path) -> Iterator[None]:
    """Show a run of this process in its terminal, as `vmconc top` does, by another process, until it has ended."""
    top = [sys.executable, "-m", "vmconc", "top", str(os.getpid()), "--runs-dir", str(runs), "--wait", str(PATIENCE)]
    process = subprocess.Popen(top, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(LAST)
        except subprocess.TimeoutExpired:  # its terminal takes no more output, so it looks at nothing
            process.kill()
            process.wait()
