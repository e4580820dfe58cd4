"""Mode `timed`: how long waits and holds lasted, in log-linear histograms in shared memory.

Each CPU has its own: one for each site, class and mode, and two for each lock that any CPU ever waited for, of its
waits and holds from then on.  Holds are counted some at a time, later, so those that a CPU had not counted yet are
among them.  Nothing here is atomic but the list of those locks.  Times are ticks of the processor's counter; each power
of two is cut into 16 bins, so what is read from a bin is at most a 16th too high.
"""

from functools import partial

from vmconc.locks.cpu import ENDED_MAX, HELD_SITE_SHIFT, HELD_WHAT_MASK
from vmconc.memory.atomics import atomic_cas
from vmconc.memory.bits import bit_length
from vmconc.memory.jit import kernel
from vmconc.memory.struct import Words, guard
from vmconc.memory.system import ticks
from vmconc.memory.table import record
from vmconc.memory.twins import struct

PART_BITS = 4  # of a power of two: 16 bins
LONGEST = (1 << 46) - 1  # ticks, about six hours: what lasts longer is counted as that
BINS = (46 - PART_BITS + 1) << PART_BITS
KINDS_MAX = 256  # sites, classes and modes with a histogram of their own, a power of two
LOCKS_MAX = 1024  # locks with histograms of their own, a power of two
LOOKS = 64  # places of the list of locks where one can stand: 1, 2, 3, ... apart, so no two of them are the same
WAIT, HOLD, HOLD_AGAIN = 1, 2, 3  # what is timed; the last: of a token that was given up and is owned again
LOCKS_FIRST = KINDS_MAX + 3  # a CPU's histograms: by kind, those of all other kinds, waits and holds of each lock
ROWS = LOCKS_FIRST + 2 * LOCKS_MAX
SPREAD, SPREAD_SHIFT = 0x9E3779B1, 20  # odd: the golden ratio's
TIMED_SHIFT = 28  # Times.key: class * 2 + mode, the site from HELD_SITE_SHIFT, what is timed from here


@struct(private=True)
class Times:
    """A histogram of one CPU."""

    key: int = guard("cpu")  # what is timed; of a lock without mode and site; 0: nothing yet
    total: int = guard("cpu")  # ticks
    most: int = guard("cpu")  # ticks
    bins: Words(BINS) = guard("cpu")


@struct
class TimedLocks:
    """The locks that have histograms of their own: those that any CPU ever waited for."""

    lock: Words(LOCKS_MAX) = guard("atomic")  # byte offset, 0: a free place
    some: int = guard("hint")  # there are such locks


@kernel
def key_of(what, site, cls, mode):
    """Return what stands for a kind of waits or holds."""
    return what << TIMED_SHIFT | site << HELD_SITE_SHIFT | cls * 2 + mode


@kernel
def bin_of(ticks):
    """Return the bin of a duration."""
    scale = max(bit_length(ticks) - PART_BITS - 1, 0)
    return (scale << PART_BITS) + (ticks >> scale)


@kernel
def add_time(times, ticks):
    """Count a duration in a histogram."""
    ticks = min(max(ticks, 0), LONGEST)  # the counters of two processors may differ by little
    times.total += ticks
    if ticks > times.most:
        times.most = ticks
    times.bins[bin_of(ticks)] += 1


@kernel
def spread(word, places):
    """Return where a word is looked for first in a table of so many places."""
    return word * SPREAD >> SPREAD_SHIFT & places - 1


@kernel
def times_row(cpu, row):
    """Return a histogram of this CPU."""
    return record(cpu, "Times", cpu.index * ROWS + row)


@partial(kernel, within=True)
def time_kind(cpu, key, ticks):
    """Count a duration in this CPU's histogram of a key."""
    place = spread(key, KINDS_MAX)
    times = times_row(cpu, place)
    if times.key != key:
        times = find_times(cpu, key, place)
    add_time(times, ticks)


@partial(kernel, apart=True)
def find_times(cpu, key, place):
    """Return the histogram of a key that does not stand in its first place, or the others' if all are taken."""
    for _ in range(KINDS_MAX):
        times = times_row(cpu, place)
        if times.key == 0:
            times.key = key
        if times.key == key:
            return times
        place = place + 1 & KINDS_MAX - 1
    what = key >> TIMED_SHIFT
    others = times_row(cpu, KINDS_MAX + what - WAIT)
    others.key = what << TIMED_SHIFT
    return others


@kernel
def listed(cpu, lock):
    """Return the place of a lock in the list of those that were waited for, -1 if it is not there."""
    locks, place = record(cpu, "TimedLocks", 0).lock, spread(lock, LOCKS_MAX)
    for look in range(LOOKS):
        if locks[place] == lock:
            return place
        if locks[place] == 0:
            return -1
        place = place + look + 1 & LOCKS_MAX - 1
    return -1


@kernel
def enlist(cpu, lock):
    """Return the place of a lock in the list, putting it there if need be; -1 if there is no room."""
    if record(cpu, "TimedLocks", 0).some == 0:  # all CPUs read that line: it is written once
        record(cpu, "TimedLocks", 0).some = 1
    locks, place = record(cpu, "TimedLocks", 0).lock, spread(lock, LOCKS_MAX)
    for look in range(LOOKS):
        if locks[place] == lock or (locks[place] == 0 and atomic_cas(locks, place, 0, lock)) or locks[place] == lock:
            return place
        place = place + look + 1 & LOCKS_MAX - 1
    return -1


@partial(kernel, apart=True)
def time_lock(cpu, place, what, cls, ticks):
    """Count a duration in this CPU's histogram of the waits or holds of a lock of the list."""
    times = times_row(cpu, LOCKS_FIRST + 2 * place + what - WAIT)
    times.key = what << TIMED_SHIFT | cls * 2
    add_time(times, ticks)


@partial(kernel, apart=True)
def time_wait(cpu, lock, site):
    """Count the wait that this CPU has just ended, for a lock and at a site."""
    time_kind(cpu, WAIT << TIMED_SHIFT | site << HELD_SITE_SHIFT | cpu.waited_what, cpu.waited)
    place = enlist(cpu, lock)
    if place >= 0:
        time_lock(cpu, place, WAIT, cpu.waited_what >> 1, cpu.waited)
    else:
        cpu.unlisted += 1
    cpu.waited = 0


@kernel
def wait_is_over(cpu):
    """Note how long the wait was that has just ended: it is counted when it is known what came of it."""
    cpu.waited = max(ticks() - cpu.wait_begun, 1)
    cpu.waited_site = cpu.reason
    cpu.waited_ended = cpu.ended


@partial(kernel, within=True)
def hold_begins(cpu, lock, cls, mode, site):
    """Note when the lock on top of the held-lock stack was acquired, and what was waited for it."""
    if cpu.waited != 0:
        wait_was_for(cpu, lock, cls, site)
    top = cpu.held_count - 1
    cpu.held_key[top] = key_of(HOLD, site, cls, mode)
    cpu.held_since[top] = ticks()


@partial(kernel, apart=True)
def wait_was_for(cpu, lock, cls, site):
    """Count the wait after which a lock was acquired: for that one, if that is what was asked for."""
    if cpu.waited_what >> 1 == cls and cpu.waited_ended == cpu.ended:
        time_wait(cpu, lock, site)
    else:
        wait_was_vain(cpu)


@kernel
def wait_was_vain(cpu):
    """Count a wait after which nothing was acquired, if there is one: for what was asked for, where it slept."""
    if cpu.waited != 0:
        time_wait(cpu, cpu.wait_lock, cpu.waited_site)


@kernel
def time_hold(cpu, i, now):
    """Note the hold that ends now: entry `i` of the held-lock stack.

    It is counted later, with others: else the processor would have to do all that before it can release the lock.
    """
    n = cpu.ended
    if n == ENDED_MAX:
        count_ended(cpu)
        n = 0
    cpu.ended_key[n] = cpu.held_key[i]
    cpu.ended_lock[n] = cpu.held_lock[i]
    cpu.ended_ticks[n] = now - cpu.held_since[i]
    cpu.ended = n + 1


@partial(kernel, apart=True)
def count_ended(cpu):
    """Count the holds of this CPU that have ended, and a wait before them: another hold ends now, so it was vain."""
    wait_was_vain(cpu)
    some = record(cpu, "TimedLocks", 0).some != 0
    for n in range(cpu.ended):
        key, ticks = cpu.ended_key[n], cpu.ended_ticks[n]
        time_kind(cpu, key, ticks)
        place = listed(cpu, cpu.ended_lock[n]) if some else -1
        if place >= 0:
            time_lock(cpu, place, HOLD, (key & HELD_WHAT_MASK) >> 1, ticks)
    cpu.ended = 0


def times_tables(cpus: int) -> dict[str, int]:
    """Return how many records the tables of so many CPUs have."""
    return {"Times": cpus * ROWS, "TimedLocks": 1}
