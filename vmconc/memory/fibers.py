"""With the JIT off every emulated CPU is a greenlet of one process: switches happen only at schedule points and sleeps.

Round robin, so a run is the same every time.  Compiled code never comes here.
"""

import contextlib
import time
from collections.abc import Callable

import greenlet

IDLE_ROUNDS = 1000  # of at least NAP each in which every fiber sleeps: a deadlock, since timed sleeps are shorter
NAP = 0.0005  # seconds

HUB: list["Hub"] = []  # the hub that is running, if any


class Deadlock(Exception):
    """Every CPU sleeps and nobody is left to wake one."""


class ProcessLeft(BaseException):
    """The end of a fiber whose CPU was told to stop."""


class Hub:
    """Runs functions as fibers, in turn, until all have returned."""

    def __init__(self, bodies: list[Callable[[], object]]):
        self.fibers = [greenlet.greenlet(guarded(body)) for body in bodies]
        self.sleeping: set[greenlet.greenlet] = set()

    def run(self) -> None:
        """Run every fiber to its end.  An exception in one is raised here and ends the run.

        Raises Deadlock when all have been asleep for longer than any timed sleep.  Rounds are counted: a clock would
        take a busy machine for sleep.
        """
        HUB.append(self)
        idle = 0
        try:
            while self.fibers:
                self.sleeping.clear()
                for fiber in list(self.fibers):
                    fiber.switch()
                self.fibers = [fiber for fiber in self.fibers if not fiber.dead]
                idle = 0 if len(self.sleeping.intersection(self.fibers)) < len(self.fibers) else idle + 1
                if idle > IDLE_ROUNDS:
                    raise Deadlock(f"all of {len(self.fibers)} CPUs sleep")
        finally:
            HUB.remove(self)


def guarded(body: Callable[[], object]) -> Callable[[], None]:
    """Wrap a fiber's body so that leaving ends this fiber only."""

    def run() -> None:
        with contextlib.suppress(ProcessLeft):
            body()

    return run


def switch() -> bool:
    """Let the other fibers run.  Return False if there is nobody else."""
    if not HUB or len(HUB[-1].fibers) < 2 or greenlet.getcurrent().parent is None:
        return False
    greenlet.getcurrent().parent.switch()
    return True


def sleep(seconds: float) -> None:
    """Let the other fibers run because this one can do nothing before it is woken; outside a hub just pass the time."""
    current = greenlet.getcurrent()
    if not HUB or current.parent is None:
        time.sleep(seconds)
        return
    hub = HUB[-1]
    hub.sleeping.add(current)
    if len(hub.sleeping) >= len(hub.fibers):
        time.sleep(seconds)
    current.parent.switch()
