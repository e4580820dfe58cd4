"""The disk: one process that moves pages between files and frames, as a driver and its interrupt would.

Real files are never written: what a run writes goes to a nameless file beside each, and is read from there again.
"""

import heapq
import os
import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vmconc.coordinator.files import PAGE_SIZE, PlanFiles
from vmconc.coordinator.logs import LOGGER

READ, WRITE = 1, 2
IDLE = 20_000_000  # ns: how long the disk sleeps when there is nothing to do
IO_ERROR = 5  # EIO


@dataclass(frozen=True)
class DiskOptions:
    """How slow and how bad the disk is."""

    latency: int = 0  # ns added to each request; several are in flight at once
    bandwidth: float = 0.0  # bytes per second, one after the other; 0: no limit
    error_rate: float = 0.0
    seed: int = 0


@dataclass
class Storage:
    """The files and what this run has written to them."""

    files: PlanFiles
    folder: Path
    written: dict[int, set[int]] = field(default_factory=dict)
    overlays: dict[int, int] = field(default_factory=dict)

    def read(self, file: int, page: int, frame: memoryview) -> None:
        """Fill a frame; what lies past the end of the file is zero."""
        fd = self.overlays[file] if page in self.written.get(file, ()) else self.files.fds[file]
        done = 0
        while done < PAGE_SIZE:
            moved = os.preadv(fd, [frame[done:]], page * PAGE_SIZE + done)
            if moved == 0:
                frame[done:] = bytes(PAGE_SIZE - done)
                return
            done += moved

    def write(self, file: int, page: int, frame: memoryview) -> None:
        """Write a frame beside the file."""
        if file not in self.overlays:
            with tempfile.TemporaryFile(dir=self.folder) as made:
                self.overlays[file] = os.dup(made.fileno())
        os.pwritev(self.overlays[file], [frame], page * PAGE_SIZE)
        self.written.setdefault(file, set()).add(page)


class Disk:
    """Requests on their way, ordered by when they are due."""

    def __init__(self, segment: Any, storage: Storage, options: DiskOptions):
        self.segment, self.storage, self.options = segment, storage, options
        self.memory = memoryview(segment.map)
        self.random = random.Random(options.seed)
        self.due: list[tuple[int, int, int]] = []  # (ns, order of arrival, byte offset of the request)
        self.arrived = 0
        self.free_at = 0  # when the transfer before the next one ends

    def accept(self, request: int, now: int) -> None:
        """Decide when a request will be done."""
        self.arrived += 1
        done = now
        if self.options.bandwidth:
            self.free_at = max(now, self.free_at) + round(PAGE_SIZE / self.options.bandwidth * 1e9)
            done = self.free_at
        heapq.heappush(self.due, (done + self.options.latency, self.arrived, request))

    def patience(self, now: int) -> int:
        """Return for how long, in ns, nothing needs to be done but to wait for requests."""
        return min(IDLE, max(0, self.due[0][0] - now)) if self.due else IDLE

    def next_due(self, now: int) -> int:
        """Take off the next request that is due; 0 if there is none."""
        return heapq.heappop(self.due)[2] if self.due and self.due[0][0] <= now else 0

    def transfer(self, request: int) -> int:
        """Move one page; return 0 or EIO."""
        record: Any = self.segment.ref("IoRequest", request)
        if self.random.random() < self.options.error_rate:
            return IO_ERROR
        frame = self.memory[record.frame : record.frame + PAGE_SIZE]
        try:
            move = self.storage.read if record.kind == READ else self.storage.write
            move(record.file, record.page, frame)
        except OSError as error:
            LOGGER.error("page %d of file %d: %s", record.page, record.file, error)
            return IO_ERROR
        return 0


def serve(segment: Any, disk: Disk) -> None:
    """Serve requests until everybody shall stop."""
    from vmconc.vm.disk import disk_complete, disk_wait

    machine, cpu = segment.machine, segment.nth("Cpu", segment.machine.cpus)
    cpu.pid = os.getpid()
    while machine.stop == 0:
        request = int(disk_wait(cpu, disk.patience(time.monotonic_ns())))
        now = time.monotonic_ns()
        if request:
            disk.accept(request, now)
        while due := disk.next_due(now):
            disk_complete(cpu, due, disk.transfer(due))
