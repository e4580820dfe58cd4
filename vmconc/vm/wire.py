"""Wiring: pages of a range are faulted in and stay (mlock, munlock).

While its pages are faulted an entry is in transition and the map is unlocked.  (DragonFly `sys/vm/vm_map.c`
vm_map_user_wiring, `vm_fault.c` vm_fault_wire, vm_fault_unwire; `dragonfly.md` 3.9.)
"""

from vmconc.locks.busy import busy_wait
from vmconc.locks.classes import EXCLUSIVE
from vmconc.locks.rules import COUNT_UNDERFLOW, broken
from vmconc.locks.sites import site
from vmconc.locks.sleep import wakeup
from vmconc.memory.atomics import atomic_add, atomic_and
from vmconc.memory.jit import kernel
from vmconc.memory.pagebytes import PAGE_SHIFT, PAGE_SIZE
from vmconc.memory.queries import bug
from vmconc.memory.refs import null, offset
from vmconc.vm.fault import copy_page, entry_shadow, give_object, resolve_fault
from vmconc.vm.kern import KERN_SUCCESS
from vmconc.vm.map import (
    clip_range,
    entry_at,
    entry_copy,
    map_lock,
    map_lookup_entry,
    map_search,
    map_simplify,
    map_unlock,
)
from vmconc.vm.object import object_allocate, object_drop, object_hold
from vmconc.vm.opcodes import PROT_WRITE
from vmconc.vm.page import memory_wait, page_alloc, page_wakeup
from vmconc.vm.pmap import FLAGS, leaf_of, page_at, place_in, pmap_extract
from vmconc.vm.queue import page_activate
from vmconc.vm.structs import (
    ENTRY_IN_TRANSITION,
    ENTRY_NEEDS_COPY,
    ENTRY_NEEDS_WAKEUP,
    ENTRY_USER_WIRED,
    OBJT_DEFAULT,
    PTE_WIRED,
)

UNWIRE = site("vm_fault_unwire.busy")
COPY_WIRED = site("vm_fault_copy_entry")


@kernel
def unwire_page(cpu, pmap, va):
    """Unwire the page mapped at `va`, if there is a wired one.

    Locks: entry  the map exclusively
           exit   same; tokens may have been lost
    """
    leaf = leaf_of(pmap, va)
    if not leaf or leaf.pte[place_in(va, 0)] & PTE_WIRED == 0:
        return
    page = page_at(cpu, leaf.pte[place_in(va, 0)] & ~FLAGS)
    busy_wait(cpu, page.busy, True, UNWIRE)
    atomic_and(leaf.pte, place_in(va, 0), ~PTE_WIRED)
    before = atomic_add(page, "wire_count", -1)
    if before < 1:
        broken(cpu, COUNT_UNDERFLOW, offset(page), 1, before)
    if before == 1:
        page_activate(cpu, page)
    page_wakeup(cpu, page)


@kernel
def unwire_entry(cpu, space, entry):
    """Unwire every page of an entry.

    Locks: entry  the map exclusively
           exit   same; tokens may have been lost
    """
    entry.wired_count = 0
    entry.eflags &= ~ENTRY_USER_WIRED
    for va in range(entry.start, entry.end, PAGE_SIZE):
        unwire_page(cpu, space.pmap, va)


@kernel
def unwire_range(cpu, space, start, end):
    """Unwire the entries of a range, but for those in transition.

    Locks: entry  the map exclusively
           exit   same; tokens may have been lost
    """
    place = map_search(space.map, start)
    entry = entry_at(space.map, place)
    while entry and entry.start < end:
        if entry.wired_count != 0 and entry.eflags & ENTRY_IN_TRANSITION == 0:
            unwire_entry(cpu, space, entry)
        place += 1
        entry = entry_at(space.map, place)


@kernel
def prepare_entry(cpu, map, entry):
    """Make an entry ready to be wired: its own object if it may be written; in transition.  Return the entry.

    Locks: entry  the map exclusively
           exit   same
    """
    if not entry.object:
        entry = give_object(cpu, map, entry, entry.start)
    elif entry.eflags & ENTRY_NEEDS_COPY != 0 and entry.protection & PROT_WRITE != 0:
        entry_shadow(cpu, entry)
    entry.wired_count = 1
    entry.eflags |= ENTRY_USER_WIRED | ENTRY_IN_TRANSITION
    return entry


@kernel
def fault_in(cpu, space, start, end, write):
    """Fault every page of a range in, wired; return whether that went well.

    Locks: entry  none
           exit   none
    """
    good = True
    for va in range(start, end, PAGE_SIZE):
        if resolve_fault(cpu, space, va, write, 1) != KERN_SUCCESS:
            good = False
    return good


@kernel
def end_transition(cpu, map, start, end):
    """Take the entries of a range out of transition and wake those who wait for that.

    Locks: entry  the map exclusively
           exit   same
    """
    place = map_search(map, start)
    entry = entry_at(map, place)
    while entry and entry.start < end:
        if entry.eflags & ENTRY_NEEDS_WAKEUP != 0:
            wakeup(cpu, offset(map))
        entry.eflags &= ~(ENTRY_IN_TRANSITION | ENTRY_NEEDS_WAKEUP)
        place += 1
        entry = entry_at(map, place)


@kernel
def wire_one(cpu, space, va, end):
    """Wire the entry at `va`, clipped to `end`; return where it ends.

    Locks: entry  none
           exit   none
    """
    map = space.map
    map_lock(cpu, map)
    clip_range(cpu, map, va, end)
    entry = entry_at(map, map_search(map, va))
    if not entry or entry.start >= end:
        map_unlock(cpu, map)
        return end
    va, stop = entry.start, entry.end
    if entry.wired_count == 0 and entry.protection != 0 and entry.eflags & ENTRY_IN_TRANSITION == 0:
        entry = prepare_entry(cpu, map, entry)
        stop = entry.end
        write = 1 if entry.protection & PROT_WRITE != 0 else 0
        map.timestamp += 1
        map_unlock(cpu, map)
        good = fault_in(cpu, space, va, stop, write)
        map_lock(cpu, map)
        end_transition(cpu, map, va, stop)
        if not good:
            unwire_range(cpu, space, va, stop)
    map_unlock(cpu, map)
    return stop


@kernel
def space_mlock(cpu, space, start, end):
    """Wire [start, end).

    Locks: entry  none
           exit   none
    """
    while start < end:
        start = wire_one(cpu, space, start, end)


@kernel
def space_munlock(cpu, space, start, end):
    """Unwire [start, end).

    Locks: entry  none
           exit   none
    """
    map = space.map
    map_lock(cpu, map)
    clip_range(cpu, map, start, end)
    unwire_range(cpu, space, start, end)
    if map_lookup_entry(map, start):
        map_simplify(cpu, map, start)
    map_unlock(cpu, map)


@kernel
def copy_wired_page(cpu, source, object, pindex):
    """Copy one wired page into a new object.

    Locks: entry  both maps exclusively, the object's token exclusively
           exit   same
    """
    page = page_alloc(cpu, object, pindex)
    while not page:
        memory_wait(cpu, 1)
        page = page_alloc(cpu, object, pindex)
    copy_page(cpu, source, page)
    page_activate(cpu, page)
    page_wakeup(cpu, page)


@kernel
def copy_wired(cpu, parent, entry, copy):
    """Give the child of a fork its own copy of a wired entry: the pages now, nothing shared, nothing wired.

    The child's entry keeps no layer of the parent's: with pages copied at index 0 one below would show through (B42).

    Locks: entry  both maps exclusively
           exit   same
    """
    entry_copy(entry, copy)
    copy.wired_count = 0
    copy.eflags &= ~(ENTRY_USER_WIRED | ENTRY_NEEDS_COPY)
    copy.ba.flags = 0
    if not bug(cpu, "B42"):
        copy.ba.backing_ba = null(copy.ba)
        copy.offset = 0
    copy.object = object_allocate(cpu, OBJT_DEFAULT, copy.offset + (entry.end - entry.start >> PAGE_SHIFT))
    object_hold(cpu, copy.object, EXCLUSIVE, COPY_WIRED)
    for va in range(entry.start, entry.end, PAGE_SIZE):
        pte = pmap_extract(parent.pmap, va)
        if pte & PTE_WIRED != 0:
            copy_wired_page(cpu, page_at(cpu, pte & ~FLAGS), copy.object, va - entry.start >> PAGE_SHIFT)
    object_drop(cpu, copy.object)
