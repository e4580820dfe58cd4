"""The range interlock: bars overlapping address ranges of one map against each other (vm_map_interlock).

Used where a translation must not change between being looked up and being entered.  (`dragonfly.md` 2.12.)
"""

from vmconc.locks.block import block
from vmconc.locks.classes import EXCLUSIVE, RANGE, RANGE_SPIN
from vmconc.locks.exhaust import give_record, take_record
from vmconc.locks.hook import acquired, given_up, released, requested, wait_begins, wait_ends
from vmconc.locks.sites import site
from vmconc.locks.sleep import FOREVER, prepare, wakeup
from vmconc.locks.spin import spin_lock, spin_unlock
from vmconc.memory.jit import kernel
from vmconc.memory.refs import at, null, offset
from vmconc.memory.struct import Embed, guard
from vmconc.memory.table import table
from vmconc.memory.twins import struct

ILOCK_SPIN = site("ilock.spin")
ILOCK = site("ilock")


@struct
class RangeRecord:
    """One range that is interlocked."""

    life: int = guard("atomic")
    next_free: int = guard("atomic")
    start: int = guard("const")
    end: int = guard("const")
    waited: int = guard("ilock_spin")  # somebody sleeps on this record
    following: "RangeRecord" = guard("ilock_spin")


@struct(align=8)
class RangeList:
    """The interlocked ranges of one map."""

    spin: Embed("Spin") = guard("atomic")
    head: "RangeRecord" = guard("spin")


@kernel
def overlapping(ranges, start, end):
    """Return the record that overlaps [start, end), null if there is none; the list's spinlock is held."""
    record = ranges.head
    while record and not (record.start < end and start < record.end):
        record = record.following
    return record


@kernel
def range_acquire(cpu, ranges, start, end, site):
    """Interlock [start, end) and return its record.

    Locks: entry  no overlapping range held by this CPU
           exit   the range interlocked; tokens may have been lost
    """
    record = at(cpu, "RangeRecord", take_record(cpu, table(cpu, "RangeRecord")))
    record.start = start
    record.end = end
    requested(cpu, offset(record), RANGE, EXCLUSIVE)
    while True:
        spin_lock(cpu, ranges.spin, RANGE_SPIN, ILOCK_SPIN)
        other = overlapping(ranges, start, end)
        if not other:
            break
        other.waited = 1
        prepare(cpu, offset(other), ILOCK)
        spin_unlock(cpu, ranges.spin, RANGE_SPIN)
        since = wait_begins(cpu, offset(other), RANGE, EXCLUSIVE)
        block(cpu, FOREVER)
        wait_ends(cpu, RANGE, since)
    record.following = ranges.head
    ranges.head = record
    spin_unlock(cpu, ranges.spin, RANGE_SPIN)
    acquired(cpu, offset(record), RANGE, EXCLUSIVE, site)
    return record


@kernel
def range_release(cpu, ranges, record):
    """End an interlock and wake those who wait for it.

    Locks: entry  the range interlocked by this CPU
           exit   not
    """
    range_leave(cpu, ranges, record)
    given_up(cpu, RANGE)


@kernel
def range_leave(cpu, ranges, record):
    """End an interlock, with all that is done under it or to make the range free."""
    released(cpu, offset(record), RANGE)
    spin_lock(cpu, ranges.spin, RANGE_SPIN, ILOCK_SPIN)
    if ranges.head == record:
        ranges.head = record.following
    else:
        before = ranges.head
        while before.following != record:
            before = before.following
        before.following = record.following
    waited = record.waited
    record.following = null(record)
    spin_unlock(cpu, ranges.spin, RANGE_SPIN)
    if waited != 0:
        wakeup(cpu, offset(record))
    give_record(cpu, table(cpu, "RangeRecord"), offset(record))
