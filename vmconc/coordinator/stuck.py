"""Decides that a machine will not get on: everybody sleeps, some wait for one another, or nothing moves."""

import time
from dataclasses import dataclass, field
from typing import Any

from vmconc.coordinator import deadlock
from vmconc.coordinator.options import RunOptions
from vmconc.locks.cpu import STATE_BLOCKED
from vmconc.memory.segment import HEADER
from vmconc.vm.structs import PQ_FREE, PQ_SETS

CONFIRM = 0.1  # seconds for which everybody must have slept
CYCLE = 3.0  # seconds for which the CPUs of a cycle must have slept: longer than a timed request waits

ASLEEP = "deadlock: every CPU that is not done sleeps, and nothing will wake it"


@dataclass
class Sleep:
    """What one CPU sleeps on, as seen from outside: nothing if `channel` is 0."""

    channel: int = 0
    progress: int = -1
    since: float = 0.0


@dataclass
class Stuck:
    """What is known of how a machine gets on."""

    segment: Any
    options: RunOptions
    sleeps: dict[int, Sleep] = field(default_factory=dict)
    progress: int = -1
    moved: float = 0.0
    disk_used: float = 0.0
    cycle_sought: float = 0.0

    def __post_init__(self) -> None:
        self.moved = self.disk_used = time.monotonic()

    def look(self) -> str:
        """Return why the machine will not get on, nothing if it may."""
        now = time.monotonic()
        self.note(now)
        return self.everybody(now) or self.some(now) or self.nobody_moves(now)

    def note(self, now: float) -> None:
        """Note who sleeps on what, and since when."""
        cpus = [self.segment.nth("Cpu", index) for index in range(self.segment.machine.cpus)]
        for index, cpu in enumerate(cpus):
            channel = cpu.channel if cpu.state == STATE_BLOCKED else 0
            known = self.sleeps.get(index)
            if not known or (known.channel, known.progress) != (channel, cpu.progress):
                self.sleeps[index] = Sleep(channel, cpu.progress, now)
        progress = sum(cpu.progress for cpu in cpus)
        if progress != self.progress:
            self.progress, self.moved = progress, now
        if self.segment.table("DiskQueue").capacity and self.segment.nth("DiskQueue", 0).inflight:
            self.disk_used = now

    def asleep(self, now: float, seconds: float) -> set[int]:
        """Return the CPUs that have slept in one place for so long."""
        return {index for index, sleep in self.sleeps.items() if sleep.channel and now - sleep.since >= seconds}

    def everybody(self, now: float) -> str:
        """See whether all CPUs sleep and no answer of the disk is on its way."""
        live = deadlock.live(self.segment)
        if not live or now - self.disk_used < CONFIRM or not live <= self.asleep(now, CONFIRM):
            return ""
        hungry = [index for index in live if self.sleeps[index].channel == HEADER]
        if hungry:
            return self.out_of_memory(len(hungry))
        return ASLEEP

    def out_of_memory(self, hungry: int) -> str:
        """Say how many frames are free: one is too few for a fault that needs two at once."""
        first, frames = PQ_FREE * PQ_SETS, self.segment.machine.frames
        free = int(self.segment.view("PageQueue")["count"][first : first + PQ_SETS].sum())
        used = f"all {frames:,} frames are in use" if not free else f"{free:,} of {frames:,} frames is free"
        return f"out of memory: {used}, {hungry} CPUs wait for {'one' if not free else 'more'}; raise --frames"

    def some(self, now: float) -> str:
        """See whether CPUs that have slept for long wait for one another, whatever the others do."""
        sleepers = self.asleep(now, CYCLE)
        if len(sleepers) < 2 or now - self.cycle_sought < CYCLE:
            return ""
        self.cycle_sought = now
        found = deadlock.describe(self.segment)["cycle"]
        return f"deadlock: {deadlock.say_cycle(found)}" if found and set(found) <= sleepers else ""

    def nobody_moves(self, now: float) -> str:
        """See whether nothing has moved for too long."""
        patience = self.options.stall + self.options.io_latency / 1e9
        return f"stall: no progress for {patience:g} s (--stall)" if now - self.moved > patience else ""
