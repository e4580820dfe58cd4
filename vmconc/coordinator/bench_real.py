"""The real machine's arms of a benchmark, in forked children: touch, counting minor faults; clear and no more."""

import gc
import mmap
import os
import resource
import struct
import time
from collections.abc import Callable

import numpy as np

PAGE_SIZE = 4096
MADV_NOHUGEPAGE = 15
SHAPE = struct.Struct("qq")  # faults, CPU ns


def fresh(pages: int) -> mmap.mmap:
    """Return private memory that takes one fault a page."""
    memory = mmap.mmap(-1, pages * PAGE_SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(MADV_NOHUGEPAGE)
    return memory


def write_pages(memory: mmap.mmap, pages: int) -> tuple[int, int]:
    """Write one byte of each page; return (minor faults, CPU ns)."""
    content = bytes([1]) * pages
    gc.disable()
    faults, begun = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.process_time_ns()
    memory[::PAGE_SIZE] = content
    spent = time.process_time_ns() - begun
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults, spent


def zero_fill(pages: int) -> tuple[int, int]:
    """Touch fresh memory."""
    return write_pages(fresh(pages), pages)


def clear_only(pages: int) -> tuple[int, int]:
    """Clear pages that are mapped already: no fault can take less.  Return (pages, CPU ns)."""
    memory = np.frombuffer(mmap.mmap(-1, pages * PAGE_SIZE), np.uint8)
    memory.fill(1)
    begun = time.process_time_ns()
    memory.fill(0)
    return pages, time.process_time_ns() - begun


def copy_on_write(pages: int) -> tuple[int, int]:
    """Touch, in a child, memory that its parent has written."""
    memory = fresh(pages)
    write_pages(memory, pages)
    return in_child(lambda: write_pages(memory, pages))


def in_child(work: Callable[[], tuple[int, int]]) -> tuple[int, int]:
    """Do the work in a forked child and return what it measured."""
    return gather([launch(work)])


def launch(work: Callable[[], tuple[int, int]]) -> tuple[int, int]:
    """Fork a child for the work; return (pid, descriptor on which its measurement comes)."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    try:
        os.write(writer, SHAPE.pack(*work()))
    finally:
        os._exit(0)


def gather(children: list[tuple[int, int]]) -> tuple[int, int]:
    """Add up what the children measured."""
    faults = nanoseconds = 0
    for pid, reader in children:
        answer = os.read(reader, SHAPE.size)
        os.close(reader)
        os.waitpid(pid, 0)
        if len(answer) == SHAPE.size:
            faults, nanoseconds = faults + SHAPE.unpack(answer)[0], nanoseconds + SHAPE.unpack(answer)[1]
    return faults, nanoseconds


def measure(work: Callable[[int], tuple[int, int]], pages: int, workers: int) -> float:
    """Return faults (or pages) per CPU-second with this many processes at once."""
    faults, nanoseconds = gather([launch(lambda: work(pages)) for _ in range(workers)])
    return faults / nanoseconds * 1e9 if nanoseconds else 0.0
