"""Calls a function in a process that begins anew: it loads everything itself, so code and data lie where it has them.

A child that is forked has them where its parent has, and what that does to speed all children share.  (The standard
library's way to spawn a process leaves another one, its resource tracker, for as long as the caller lives.)
"""

import contextlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from vmconc.coordinator.errors import EmulatorError
from vmconc.coordinator.processes import GRACE, die_with

PROGRAM = "import sys; sys.path[:] = {path}; from vmconc.coordinator.anew import answer; answer()"
Result = TypeVar("Result")


def call_anew(function: Callable[..., Result], *arguments: Any) -> Result:
    """Return what a module-level function returns in a new process, or raise what it raises there.

    Raises EmulatorError if the process dies.  None is left, however the call ends.
    """
    command = [sys.executable, "-c", PROGRAM.format(path=sys.path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        output, _ = process.communicate(pickle.dumps((os.getpid(), function, arguments)))
    finally:
        end(process)
    if process.returncode:
        raise EmulatorError(f"the process of {function.__name__} ended with status {process.returncode}")
    returned, value = pickle.loads(output)
    if not returned:
        raise value
    result: Result = value
    return result


def end(process: "subprocess.Popen[bytes]") -> None:
    """Wait for a process, which Ctrl-C has reached as well; kill it if it does not go in time."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GRACE)
    process.kill()
    process.wait()


def answer() -> None:
    """Be the new process: call the function and send what came of it.  What it prints goes to standard error."""
    parent, function, arguments = pickle.load(sys.stdin.buffer)
    die_with(parent)
    with open(os.dup(1), "wb") as out:
        os.dup2(2, 1)
        try:
            outcome = True, function(*arguments)
        except BaseException as error:
            outcome = False, error
        pickle.dump(outcome, out)
