"""The loop that looks at a running machine every 20 ms and decides why and when it ends.

It ends when all CPUs are done, a worker has died, the user or a violation asks for it, the time is up, nothing has
moved for too long, or everybody sleeps and nothing is on its way from the disk.
"""

import signal
import time
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from typing import Any

from vmconc.coordinator import deadlock
from vmconc.coordinator.errors import EXIT_CLEAN, EXIT_INTERRUPTED, EXIT_OWN, EXIT_STUCK, EXIT_VIOLATION
from vmconc.coordinator.options import RunOptions
from vmconc.coordinator.result import Ending
from vmconc.coordinator.signals import StopRequests
from vmconc.coordinator.stuck import Stuck
from vmconc.coordinator.wait_graph import say
from vmconc.locks.cpu import STATE_DONE
from vmconc.locks.rules import (
    STOP_DONE,
    STOP_NAMES,
    STOP_STALL,
    STOP_TABLE,
    STOP_TIME,
    STOP_USER,
    STOP_VIOLATION,
    STOP_WORKER,
)

LOOK = 0.02  # seconds
EXIT_CODES = {
    STOP_DONE: EXIT_CLEAN, STOP_VIOLATION: EXIT_VIOLATION, STOP_USER: EXIT_INTERRUPTED, STOP_TIME: EXIT_CLEAN,
    STOP_STALL: EXIT_STUCK, STOP_WORKER: EXIT_OWN, STOP_TABLE: EXIT_OWN,
}  # fmt: skip


@dataclass
class Watch:
    """What is known of a running machine."""

    segment: Any
    workers: list[BaseProcess]  # the CPUs' processes, by index
    others: list[BaseProcess]  # processes that must live as long as those: the disk's
    options: RunOptions
    requests: StopRequests
    begun: float = field(default_factory=time.monotonic)
    stuck: Stuck = field(init=False)

    def __post_init__(self) -> None:
        self.stuck = Stuck(self.segment, self.options)

    def until_end(self) -> Ending:
        """Watch until there is a reason to stop; write that reason into the machine."""
        while True:
            ending = self.look()
            if ending:
                return ending
            alive = [process.sentinel for process in [*self.workers, *self.others] if process.exitcode is None]
            wait(alive, LOOK)

    def look(self) -> Ending | None:
        """Look once.  The order matters: what the CPUs did themselves comes before what is only guessed."""
        machine = self.segment.machine
        if machine.stop:
            return self.stopped(machine.stop, f"stopped: {STOP_NAMES.get(machine.stop, machine.stop)}")
        return self.ended() or self.asked() or self.gets_on()

    def ended(self) -> Ending | None:
        """Look for workers that are gone."""
        dead = [process for process in [*self.workers, *self.others] if process.exitcode is not None]
        bad = [process for process in dead if not self.is_done(process)]
        if bad and not self.segment.machine.stop:
            return self.stopped(STOP_WORKER, "; ".join(obituary(process) for process in bad))
        if all(cpu_state(self.segment, index) == STATE_DONE for index in range(len(self.workers))):
            return self.stopped(STOP_DONE, "")
        return None

    def is_done(self, process: BaseProcess) -> bool:
        """Tell whether a process that is gone had nothing left to do."""
        if process in self.others or process.exitcode != 0:
            return False
        return bool(cpu_state(self.segment, self.workers.index(process)) == STATE_DONE)

    def asked(self) -> Ending | None:
        """Look for a request to stop, by the user or by the clock."""
        if self.requests.count:
            return self.stopped(STOP_USER, "interrupted; the counts are those up to then")
        limit = self.options.time_limit
        if limit and time.monotonic() - self.begun > limit:
            return self.stopped(STOP_TIME, f"time limit of {limit:g} s reached; the counts are those up to then")
        return None

    def gets_on(self) -> Ending | None:
        """Look for a deadlock or a stall."""
        why = self.stuck.look()
        return self.stopped(STOP_STALL, why) if why else None

    def stopped(self, reason: int, message: str) -> Ending:
        """Describe the machine as it stands, then tell everybody to stop."""
        machine = self.segment.machine
        ending = Ending(STOP_NAMES.get(reason, str(reason)), EXIT_CODES.get(reason, EXIT_OWN), message)
        if reason not in (STOP_DONE, STOP_VIOLATION):
            described = deadlock.describe(self.segment)
            ending.report = say(described)
            ending.cpus, ending.wait_for = described["cpus"], described["wait_for"]
            ending.cycle, ending.victims = described["cycle"], described["victims"]
        if not machine.stop:
            machine.stop = reason
        return ending


def cpu_state(segment: Any, index: int) -> int:
    """Return the state word of a CPU."""
    return int(segment.nth("Cpu", index).state)


def obituary(process: BaseProcess) -> str:
    """Say how a process ended."""
    code = process.exitcode or 0
    if code < 0:
        return f"{process.name} (pid {process.pid}) was killed by {signal.Signals(-code).name}"
    if code == 0:
        return f"{process.name} (pid {process.pid}) ended before its work was done"
    return f"{process.name} (pid {process.pid}) failed with exit status {code}; see log.txt in the run directory"
