"""Guarded-by and use after free, for the machine's records: what is checked at each access that is a step.

Which lock guards which word is written down when the machine is made (`explore/guards.py`): a Region for each table, a
Rule for each word of its records.  **A guard holds while the record can be found**: before it is published, and again
when it has been taken out, a record is the business of the CPU that has it.  Found is an entry in a map, a node in an
object's tree, a pv entry on a page's list, a page in an object, a space or a ba with references, and an object that an
entry of a map, a ba, another object or a file refers to.
"""

from functools import partial

from vmconc.locks.cpu import HELD_WHAT_MASK
from vmconc.locks.races import check_race, synchronise
from vmconc.locks.rules import GUARDED_BY, USE_AFTER_FREE, broken
from vmconc.memory.build import ON_REQUEST
from vmconc.memory.jit import kernel
from vmconc.memory.refs import at
from vmconc.memory.struct import ATOMIC, WORD_BYTES, WRITES, guard
from vmconc.memory.table import slot_of, table
from vmconc.memory.twins import ACCESS, struct
from vmconc.schedule.engine import access_point
from vmconc.schedule.records import GOING, engine_of, exploring
from vmconc.vm.reach import (
    BACKING_REFS,
    ITS_MAP,
    PAGE_OBJECT,
    SPACE_REFS,
    contains,
    entry_found,
    live,
    lock_holder,
    node_found,
    object_found,
    pv_found,
    space_of,
    word_at,
)

# What a guard asks for that is no lock.
NOTHING = -1
FROZEN = -2  # that it is not written any more
NAMED = -3  # that it is written by named atomic operations
PEEK = -4  # as the second: nothing to read
ALONE = -5  # as the second: there is none
OBJECTS, ENTRIES, NODES, PVS, PAGES, SPACES, PLACES, BACKINGS, OTHERS = (
    slot_of(name)
    for name in (
        "VmObject", "VmMapEntry", "RadixNode", "PvEntry", "VmPage", "Vmspace", "MapIndex", "Backing", "PageTable",
    )
)  # fmt: skip


@struct
class Region:
    """One table whose records are checked."""

    first: int = guard("const")  # byte offset of its first record
    end: int = guard("const")
    stride: int = guard("const")
    slot: int = guard("const")  # its table number
    counted: int = guard("const")  # its records count their lives
    rules: int = guard("const")  # byte offset of the Rule of a record's first word


@struct(align=8)
class Rule:
    """What guards one word of a record: two guards, each by how the record with the lock is found, and its class."""

    first: int = guard("const")
    first_lock: int = guard("const")  # byte offset of the lock in the record that has it
    first_class: int = guard("const")
    second: int = guard("const")
    second_lock: int = guard("const")
    second_class: int = guard("const")


@kernel
def region_of(near, off):
    """Return the region of a byte offset, null if nothing is known of it."""
    regions = table(near, "Region")
    for i in range(regions.capacity):
        region = at(near, "Region", regions.first + i * regions.stride)
        if region.first <= off and off < region.end:
            return region
    return at(near, "Region", 0)


@kernel
def enough(cpu, i, what):
    """Tell whether a held lock is held in a mode that allows the access: exclusively to write, in any to read."""
    return what & WRITES == 0 or cpu.held_word[i] & 1 != 0


@kernel
def holds_lock(cpu, lock, what):
    """Tell whether a CPU holds a lock as an access needs it."""
    for i in range(cpu.held_count):
        if cpu.held_lock[i] == lock and enough(cpu, i, what):
            return True
    return False


@kernel
def holds_container(cpu, how, place, cls, record, what):
    """Tell whether a CPU holds, as an access needs it, the lock of what a record belongs to."""
    for i in range(cpu.held_count):
        fits = (cpu.held_word[i] & HELD_WHAT_MASK) >> 1 == cls and enough(cpu, i, what)
        if fits and contains(cpu, how, cpu.held_lock[i] - place, record):
            return True
    return False


@kernel
def holds_guard(cpu, how, place, cls, record, what):
    """Tell whether a CPU holds one guard of a record; what belongs to nobody at present nobody guards."""
    if how >= ITS_MAP:
        return holds_container(cpu, how, place, cls, record, what)
    holder = lock_holder(cpu, how, record)
    return holder == 0 or holds_lock(cpu, holder + place, what)


@kernel
def allowed(cpu, rule, record, what):
    """Tell whether a CPU holds what guards a word: of two guards both to write, either to read."""
    write = what & WRITES != 0
    if rule.first == NOTHING:
        return True
    if rule.first == FROZEN:
        return not write
    if rule.first == NAMED:
        return not write or what & ATOMIC != 0
    if (rule.second == PEEK and not write) or (rule.second == NAMED and what & ATOMIC != 0):
        return True
    first = holds_guard(cpu, rule.first, rule.first_lock, rule.first_class, record, what)
    if rule.second < 0 or first != write:  # that decides
        return first
    return holds_guard(cpu, rule.second, rule.second_lock, rule.second_class, record, what)


@kernel
def found(near, slot, record):
    """Tell whether another CPU could find a record."""
    if slot == OBJECTS:
        return object_found(near, record)
    if slot == ENTRIES:
        return entry_found(near, record)
    if slot == NODES:
        return node_found(near, record)
    if slot == PVS:
        return pv_found(near, record)
    if slot == PAGES:
        return word_at(near, record + PAGE_OBJECT) != 0
    if slot == SPACES:
        return word_at(near, record + SPACE_REFS) != 0
    if slot == PLACES:
        return word_at(near, space_of(near, record) + SPACE_REFS) != 0
    if slot == BACKINGS:
        return word_at(near, record + BACKING_REFS) != 0
    return True


@kernel
def check_access(cpu, what, line):
    """Hold the access that a CPU is about to make against the record's life, the word's guards and others' accesses."""
    off = what & -WORD_BYTES
    region = region_of(cpu, off)
    if not region:
        return
    record = off - (off - region.first) % region.stride
    if region.counted != 0 and not live(cpu, record):
        broken(cpu, USE_AFTER_FREE, off, 1, 0)
    rule = at(cpu, "Rule", region.rules + (off - record) // WORD_BYTES * table(cpu, "Rule").stride)
    if engine_of(cpu).racing != 0:  # first: a race says who the other was
        order_access(cpu, rule, what, line)
    if not allowed(cpu, rule, record, what) and found(cpu, region.slot, record):
        broken(cpu, GUARDED_BY, off, 1, what & WRITES)


@kernel
def order_access(cpu, rule, what, line):
    """Hold an access against those of others, unless it need not be ordered: hints, and reads that are peeks.

    Named atomic operations on a word that has no other guard order what they stand between; its plain reads do not.
    """
    if rule.first == NAMED:
        if what & ATOMIC != 0:
            synchronise(cpu, what)
    elif rule.first != NOTHING and (what & WRITES != 0 or rule.second != PEEK):
        check_race(cpu, what, line)


@partial(kernel, apart=True)
def machine_access(near, what, line):
    """What happens before an access to a shared record: a schedule point, then the checks.

    Nothing unless somebody explores: a machine is looked at when it is at rest, too.
    """
    if exploring(near) and engine_of(near).ended == GOING:
        access_point(near, what & ~ATOMIC)
        cpus = table(near, "Cpu")
        check_access(at(near, "Cpu", cpus.first + engine_of(near).current * cpus.stride), what, line)


ACCESS[ON_REQUEST] = machine_access
