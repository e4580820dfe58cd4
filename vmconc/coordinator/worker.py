"""What a worker process does: touch its memory, wait at the gate, execute its CPU's operations, leave its times."""

import gc
import mmap
import os
import time
from typing import Any

import numpy as np

from vmconc.coordinator.logs import LOGGER
from vmconc.coordinator.options import CPUS_MAX

MADV_POPULATE_WRITE = 23  # Linux 5.14
GATE_NAP = 0.0002  # seconds
READY, BEGUN, ENDED, WALL_ENDED = range(4)


class Clocks:
    """CPU time of each worker before and after its work, in memory that all processes share."""

    def __init__(self) -> None:
        self.map = mmap.mmap(-1, (CPUS_MAX + 2) * 4 * 8)
        self.times = np.frombuffer(self.map, dtype=np.int64).reshape(CPUS_MAX + 2, 4)

    def ready(self, cpus: int) -> bool:
        """Tell whether the first `cpus` workers wait at the gate."""
        return bool(self.times[:cpus, READY].all())

    def spent(self, pids: list[int]) -> list[int]:
        """Return the CPU ns of each worker since the gate; of one that did not get to its end, what the kernel says."""
        return [
            int((row[ENDED] or process_clock(pid) or row[BEGUN]) - row[BEGUN])
            for pid, row in zip(pids, self.times, strict=False)
        ]

    def last_end(self, cpus: int) -> int:
        """Return when the last of the workers ended, monotonic ns; 0 if one did not."""
        ends = self.times[:cpus, WALL_ENDED]
        return int(ends.max()) if ends.all() else 0


def process_clock(pid: int) -> int:
    """Return the CPU ns of a process that is alive or not yet reaped, 0 of another."""
    try:
        return time.clock_gettime_ns(((~pid) << 3) | 2)
    except OSError:
        return 0


def populate(segment: Any, length: int) -> None:
    """Have the page tables of this process filled for the first `length` bytes: the run takes no real faults."""
    length = min(-(-length // mmap.PAGESIZE) * mmap.PAGESIZE, len(segment.map))
    try:
        segment.map.madvise(MADV_POPULATE_WRITE, 0, length)
    except OSError:  # an older kernel: the run is right, its rates include real page faults
        LOGGER.info("this kernel cannot populate mappings")


def await_gate(machine: Any) -> None:
    """Sleep until the gate opens or everybody shall stop.  The kernel spins at it, which would count as work."""
    while machine.go == 0 and machine.stop == 0:
        time.sleep(GATE_NAP)


def execute(segment: Any, index: int, clocks: Clocks, reach: int) -> None:
    """Be emulated CPU `index` to the end of its operations."""
    from vmconc.vm.run import run_cpu

    populate(segment, reach)
    cpu = segment.nth("Cpu", index)
    cpu.pid = os.getpid()
    gc.freeze()
    gc.disable()
    times = clocks.times[index]
    times[READY] = 1
    await_gate(segment.machine)
    times[BEGUN] = time.process_time_ns()
    run_cpu(cpu)
    times[ENDED] = time.process_time_ns()
    times[WALL_ENDED] = time.monotonic_ns()
