"""The disk: a queue of requests in shared memory, served by a process of its own straight into the frames.

The CPU that asked sleeps in `block` meanwhile, as a driver's caller would until the interrupt.
"""

from vmconc.locks.block import block
from vmconc.locks.exhaust import give_record, take_record
from vmconc.locks.sites import site
from vmconc.locks.sleep import FOREVER, cancel, halt, prepare, stopping, wakeup
from vmconc.memory.atomics import atomic_add, atomic_cas, atomic_store
from vmconc.memory.jit import kernel
from vmconc.memory.pagebytes import PAGE_WORDS
from vmconc.memory.refs import at, null, offset, words_at
from vmconc.memory.struct import guard
from vmconc.memory.system import cpu_pause
from vmconc.memory.table import table
from vmconc.memory.twins import struct
from vmconc.schedule.decisions import chance
from vmconc.schedule.records import engine_of

DISK_IO = site("disk.io")
DISK_IDLE = site("disk.idle")

READ, WRITE = 1, 2
PENDING = -1
EIO = 5
FILE_SHIFT, FILE_PAGE_SHIFT = 40, 10  # of a word of a made-up file


@struct
class IoRequest:
    """One page to be read or written."""

    life: int = guard("atomic")
    next_free: int = guard("atomic")
    following: "IoRequest" = guard("queue.spin")
    kind: int = guard("const")
    file: int = guard("const")
    page: int = guard("const")  # index in the file
    frame: int = guard("const")  # byte offset of the 4096 bytes
    status: int = guard("atomic")  # PENDING, 0, or an errno


@struct
class DiskQueue:
    """Requests that wait for the disk, in order."""

    spin: int = guard("atomic")
    head: "IoRequest" = guard("spin")
    tail: "IoRequest" = guard("spin")
    inflight: int = guard("atomic")


@kernel
def disk_queue(cpu):
    """Return the one queue."""
    return at(cpu, "DiskQueue", table(cpu, "DiskQueue").first)


@kernel
def disk_lock(queue):
    """Take the queue's own spinlock: not one of the emulated locks."""
    while not atomic_cas(queue, "spin", 0, 1):
        cpu_pause()


@kernel
def disk_unlock(queue):
    """Release the queue's spinlock."""
    atomic_store(queue, "spin", 0)


@kernel
def disk_submit(cpu, queue, request):
    """Append a request and wake the disk."""
    disk_lock(queue)
    if queue.tail:
        queue.tail.following = request
    else:
        queue.head = request
    queue.tail = request
    disk_unlock(queue)
    atomic_add(queue, "inflight", 1)
    wakeup(cpu, offset(queue))


@kernel
def disk_transfer(cpu, kind, file, page, frame):
    """Read or write one page and return 0 or an errno.

    Locks: entry  the page busy; no spinlock
           exit   same; tokens were lost
    """
    request = at(cpu, "IoRequest", take_record(cpu, table(cpu, "IoRequest")))
    request.kind = kind
    request.file = file
    request.page = page
    request.frame = frame
    request.status = PENDING
    disk_submit(cpu, disk_queue(cpu), request)
    while request.status == PENDING:
        prepare(cpu, offset(request), DISK_IO)
        if request.status == PENDING:
            block(cpu, FOREVER)
        else:
            cancel(cpu)
    status = request.status
    give_record(cpu, table(cpu, "IoRequest"), offset(request))
    return status


@kernel
def disk_take(queue):
    """Take the first request off the queue; null if there is none."""
    disk_lock(queue)
    request = queue.head
    if request:
        queue.head = request.following
        if not queue.head:
            queue.tail = null(request)
    disk_unlock(queue)
    return request


@kernel
def disk_wait(cpu, timeout):
    """For the disk process: return the byte offset of the next request, 0 after `timeout` ns or at the end."""
    queue = disk_queue(cpu)
    request = disk_take(queue)
    if not request and timeout > 0 and not stopping(cpu):
        prepare(cpu, offset(queue), DISK_IDLE)
        if queue.head:
            cancel(cpu)
        else:
            halt(cpu, timeout)
        request = disk_take(queue)
    return offset(request)


@kernel
def disk_complete(cpu, request_offset, status):
    """For the disk process: a request is done; wake the CPU that asked."""
    request = at(cpu, "IoRequest", request_offset)
    atomic_add(disk_queue(cpu), "inflight", -1)
    atomic_store(request, "status", status)
    wakeup(cpu, request_offset)


@kernel
def disk_fill(cpu, request):
    """Put the content of a made-up file's page into the frame (`program/plan.py` file_word)."""
    words = words_at(cpu, request.frame)
    first = request.file + 1 << FILE_SHIFT | request.page << FILE_PAGE_SHIFT | 1
    for i in range(PAGE_WORDS):
        words[i] = first | i << 1


@kernel
def disk_answer(cpu, request):
    """Do what a request asks for; return 0, or EIO as often as the engine is told to."""
    errors = engine_of(cpu).io_errors
    if errors > 0 and chance(cpu, errors) != 0:
        return EIO
    if request.kind == READ:
        disk_fill(cpu, request)
    return 0


@kernel
def disk_serve(cpu):
    """Be the disk of a machine whose CPUs take turns, for ever: made-up files, nothing that is written comes back.

    Locks: entry  none
           exit   never
    """
    while True:
        off = disk_wait(cpu, FOREVER)
        if off != 0:
            request = at(cpu, "IoRequest", off)
            disk_complete(cpu, off, disk_answer(cpu, request))
