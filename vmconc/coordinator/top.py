"""What a run that goes on does just now: its CPUs, and what its locks did since the last look."""

import time
from typing import Any

import msgspec

from vmconc.checks.held import cpu_state
from vmconc.coordinator.collect import lock_counts
from vmconc.coordinator.dump import LiveRun
from vmconc.coordinator.result import Locks


class ClassRate(msgspec.Struct):
    """What the locks of one class did since the last look."""

    name: str
    acquired: float  # per second
    contended: float  # per second
    waited: float  # share of the CPUs' time


class Sample(msgspec.Struct):
    """A run at one look.  CPUs go on meanwhile."""

    seconds: float  # since the last look
    cpus: list[dict[str, Any]]
    classes: list[ClassRate]  # those that did anything, most waited for first
    rings: list[float]  # mode recorded: how full each CPU's ring is, the disk's last
    in_flight: int  # requests that the disk has not answered


class Looker:
    """Looks again and again."""

    def __init__(self, run: LiveRun):
        self.segment = run.segment
        self.counts, self.at = self.count(), time.monotonic()

    def count(self) -> dict[str, Locks]:
        """Return what the locks of each class have done up to now."""
        return lock_counts(self.segment.view("Cpu")[: self.segment.machine.cpus])

    def look(self) -> Sample:
        """Return what there is to see, and what changed since the last look."""
        before, begun = self.counts, self.at
        self.counts, self.at = self.count(), time.monotonic()
        seconds, cpus = self.at - begun, self.segment.machine.cpus
        classes = [
            ClassRate(
                name, (now.shared + now.exclusive - old.shared - old.exclusive) / seconds,
                (now.contended - old.contended) / seconds, (now.wait_ns - old.wait_ns) / 1e9 / seconds / cpus,
            )
            for (name, now), old in zip(self.counts.items(), before.values(), strict=True)
        ]  # fmt: skip
        moved = [found for found in classes if found.acquired or found.contended or found.waited]
        moved.sort(key=lambda found: (-found.waited, -found.acquired))
        states = [cpu_state(self.segment, index) for index in range(cpus)]
        return Sample(seconds, states, moved, self.rings(), self.in_flight())

    def in_flight(self) -> int:
        """Return how many requests the disk has not answered; a program about locks has no disk."""
        return int(self.segment.nth("DiskQueue", 0).inflight) if self.segment.table("DiskQueue").capacity else 0

    def rings(self) -> list[float]:
        """Return how full each ring is."""
        rings = [self.segment.nth("Ring", index) for index in range(self.segment.table("Ring").capacity)]
        return [(ring.written - ring.drained) / ring.size for ring in rings]
