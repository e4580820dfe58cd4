"""A function that is called in a new process: what it returns or raises comes back, and no process is left."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from vmconc.coordinator.anew import call_anew
from vmconc.coordinator.errors import EmulatorError, UsageError

CALLER = "import sys; sys.path[:] = {path}; import test_coordinator_anew as t; t.call_anew(t.never_return)"


def whoami(number):
    """Return who executes this, and a number; print something, which must not be in the way."""
    print("not the answer")
    return os.getpid(), number


def refuse():
    """Fail as the user's fault."""
    raise UsageError("--pages 3 is out of range; choose 64 or more")


def die():
    """End without an answer."""
    os._exit(7)


def never_return():
    """Say who executes this, and wait."""
    print(os.getpid(), flush=True)
    while True:
        signal.pause()


def test_what_it_returns_comes_from_another_process():
    first, second = call_anew(whoami, 3), call_anew(whoami, 4)
    assert (first[1], second[1]) == (3, 4)
    assert len({first[0], second[0], os.getpid()}) == 3


def test_what_it_raises_is_raised_here():
    with pytest.raises(UsageError, match="--pages 3 is out of range"):
        call_anew(refuse)


def test_a_process_that_dies_is_told():
    with pytest.raises(EmulatorError, match="the process of die ended with status 7"):
        call_anew(die)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_none_is_left_when_its_caller_is_interrupted_or_killed(number):
    command = [sys.executable, "-c", CALLER.format(path=sys.path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as caller:
        new = psutil.Process(int(caller.stderr.readline()))
        caller.send_signal(number)
        assert caller.wait(20) == -number
    assert psutil.wait_procs([new], 20)[1] == []
