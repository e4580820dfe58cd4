"""What happens in mode `recorded`: each CPU writes events to a ring of its own, which another process drains.

An event is 32 bytes: when, on which lock, a number, and what.  Who gets a lock counts one up, once it is held; who
gives it up reads the count, before.  So the order of what happens to a lock never rests on clocks.  Times are ticks of
the processor's counter.  Several locks may share a count; a record that is freed and allocated again keeps its own.
"""

from functools import partial

from vmconc.memory.atomics import atomic_add, atomic_store, atomic_swap, fence
from vmconc.memory.jit import kernel
from vmconc.memory.pagebytes import line_prefetch
from vmconc.memory.refs import at
from vmconc.memory.segment import HEADER
from vmconc.memory.struct import Words, guard
from vmconc.memory.system import futex_wait, futex_wake, ticks
from vmconc.memory.table import record
from vmconc.memory.twins import struct

EVENT_BYTES = 32
FOLDER = "events"  # of a run directory: a file for each ring
AHEAD = 8 * EVENT_BYTES  # bytes from the event that is written to the line that is asked for: no store waits for it
COUNTERS = 1 << 16
NEAR_SHIFT = 7  # locks within so many bytes share a counter: counters of records side by side lie in one cache line
CLASS_SHIFT, MODE_SHIFT, SITE_SHIFT = 8, 16, 20  # Event.what: action, class, mode, site
ACTION_MASK, CLASS_MASK, SITE_MASK = 0xFF, 0xFF, 0xFFFFF  # of what each shift leaves
ROOM_NAP = 1_000_000  # ns: a CPU whose ring is full looks this often whether it is drained
LAST_NAPS = 500  # after everybody was told to stop


@struct(align=8, private=True)
class Event:
    """One thing that a CPU did."""

    time: int = guard("cpu")  # ticks
    lock: int = guard("cpu")  # byte offset of the lock or channel, 0: none
    number: int = guard("cpu")  # the count of this gain of the lock, or up to this loss; layers of a fault; 0: neither
    what: int = guard("cpu")


@struct
class Ring:
    """Where a CPU's events are; the events lie in the table of events, one ring behind the other."""

    first: int = guard("const")  # byte offset of the ring
    size: int = guard("const")  # bytes, a power of two
    stops: int = guard("const")  # a full ring stops its CPU; 0: events are dropped, and counted
    written: int = guard("cpu")  # bytes, ever
    limit: int = guard("cpu")  # of `written`: up to here there is room
    dropped: int = guard("cpu")  # events
    waits: int = guard("cpu")  # times that the CPU waited for room
    drained: int = guard("recorder")  # bytes, ever
    asleep: Words(1) = guard("atomic")  # the CPU sleeps until there is room


@struct(align=8)
class Counter:
    """How often locks that lie near one another were gained."""

    gains: int = guard("atomic")


@kernel
def ring_of(cpu):
    """Return the ring of a CPU."""
    return record(cpu, "Ring", cpu.index)


@kernel
def counter_of(cpu, lock):
    """Return the counter that a lock uses."""
    return record(cpu, "Counter", lock >> NEAR_SHIFT & COUNTERS - 1)


@kernel
def next_number(cpu, lock):
    """Count a lock that this CPU has just got."""
    return atomic_add(counter_of(cpu, lock), "gains", 1) + 1


@kernel
def last_number(cpu, lock):
    """Return the count of a lock that this CPU is about to give up: whoever gets it later has a higher number."""
    return counter_of(cpu, lock).gains


@kernel
def packed(action, cls, mode, site):
    """Return what an event says besides lock and number."""
    return action | cls << CLASS_SHIFT | mode << MODE_SHIFT | site << SITE_SHIFT


@partial(kernel, within=True)
def record_event(cpu, lock, number, what):
    """Write an event; `what` as in Event."""
    now = ticks()
    ring = ring_of(cpu)
    written = ring.written
    if written == ring.limit and not make_room(ring, written):
        ring.dropped += 1
        return
    place = ring.first + (written & ring.size - 1)
    event = at(cpu, "Event", place)
    event.time = now
    event.lock = lock
    event.number = number
    event.what = what
    line_prefetch(cpu, place + AHEAD)
    atomic_store(ring, "written", written + EVENT_BYTES)


@kernel
def written_bytes(ring):
    """Return how many bytes of events there ever were, for the recorder: whatever is read after this was written."""
    written = ring.written
    fence()
    return written


@kernel
def give_room(ring, drained):
    """Let the CPU write over what is drained, for the recorder, and wake it if it waits for that."""
    atomic_store(ring, "drained", drained)
    if atomic_swap(ring.asleep, 0, 0) != 0:
        futex_wake(ring.asleep)


@kernel
def now_ticks():
    """Return the counter that events are stamped with."""
    return ticks()


@partial(kernel, apart=True)
def make_room(ring, written):
    """Find out whether the ring was drained; if it is full sleep until it is, or return False.

    When everybody shall stop it is waited for some time only: the recorder may be gone.
    """
    naps = 0
    while written - ring.drained == ring.size:
        if ring.stops == 0 or naps == LAST_NAPS:
            return False
        if at(ring, "Machine", HEADER).stop != 0:
            naps += 1
        ring.waits += 1
        atomic_swap(ring.asleep, 0, 1)
        if written - ring.drained == ring.size:
            futex_wait(ring.asleep, 1, ROOM_NAP)
    ring.limit = ring.drained + ring.size
    return True


@kernel
def read_ticks(times):
    """Read the counter so many times, to find out what that costs; return the sum."""
    total = 0
    for _ in range(times):
        total += ticks()
    return total
