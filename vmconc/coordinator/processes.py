"""What every child process does before its work: die with the coordinator, leave signals to it, stay on its core."""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

import psutil

from vmconc.coordinator.logs import LOGGER

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)
FORK = multiprocessing.get_context("fork")
FAILED = 70  # exit status of a child that raised: EX_SOFTWARE
LOOK = 0.02  # seconds between looks
GRACE = 2.0  # seconds between being asked to end and being killed


def die_with(parent: int) -> None:
    """Have the kernel end this process when the thread that started it is gone, however it went."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(FAILED)


def settle(parent: int, core: int | None) -> None:
    """Tie this child to its parent's life and to a core.  Ctrl-C is the coordinator's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with(parent)
    if core is None:
        return
    with contextlib.suppress(OSError, ValueError):  # a container may forbid it: the run is right all the same
        psutil.Process().cpu_affinity([core])


def child_main(parent: int, core: int | None, body: Callable[[], None]) -> None:
    """Run a child's body.  What it raises goes to the log, never to the user's terminal."""
    settle(parent, core)
    try:
        body()
    except BaseException:
        LOGGER.exception("failed")
        raise SystemExit(FAILED) from None


def start(name: str, number: int | None, body: Callable[[], None]) -> BaseProcess:
    """Fork a child called `name` on core `number`, counted modulo the cores that we may use; None: on any."""
    cores = sorted(os.sched_getaffinity(0))
    core = None if number is None else cores[number % len(cores)]
    process = FORK.Process(
        target=child_main, name=name, args=(os.getpid(), core, body), daemon=True
    )
    process.start()
    return process


def finish(
    processes: list[BaseProcess], grace: float = GRACE, insisted: Callable[[], bool] = lambda: False
) -> list[str]:
    """Wait until all are gone; kill what does not go in time, or at once when `insisted`.  Return whom we killed."""
    deadline = time.monotonic() + grace
    while time.monotonic() < deadline and not insisted():
        alive = [process.sentinel for process in processes if process.exitcode is None]
        if not alive:
            break
        wait(alive, LOOK)
    killed = [process for process in processes if process.exitcode is None]
    for process in killed:
        process.kill()
    for process in processes:
        process.join()
    return [process.name for process in killed]
