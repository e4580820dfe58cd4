"""With the JIT off every emulated CPU is a greenlet of one process: switches happen only at schedule points and sleeps.

Round robin, so a run is the same every time.  Compiled code never comes here.
"""

from collections.abc import Callable

import greenlet

HUB: list["Hub"] = []  # the hub that is running, if any


class Deadlock(Exception):
    """Every CPU sleeps and nobody is left to wake one."""


class Hub:
    """Runs functions as fibers, in turn, until all have returned."""

    def __init__(self, bodies: list[Callable[[], object]]):
        self.fibers = [greenlet.greenlet(body) for body in bodies]

    def run(self) -> None:
        """Run every fiber to its end.  An exception in one is raised here and ends the run."""
        HUB.append(self)
        try:
            while self.fibers:
                for fiber in list(self.fibers):
                    fiber.switch()
                self.fibers = [fiber for fiber in self.fibers if not fiber.dead]
        finally:
            HUB.remove(self)


def switch() -> bool:
    """Let the other fibers run.  Return False if there is nobody else."""
    if not HUB or len(HUB[-1].fibers) < 2 or greenlet.getcurrent().parent is None:
        return False
    greenlet.getcurrent().parent.switch()
    return True
