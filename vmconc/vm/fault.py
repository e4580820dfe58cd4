"""What every protocol's fault shares: the record of one fault, the map lookup, entering the page, touching it.

(DragonFly `sys/vm/vm_fault.c`, `vm_map.c` vm_map_lookup; `dragonfly.md` 3.1, 3.3.)
"""

from vmconc.locks.classes import EXCLUSIVE
from vmconc.locks.lockmgr import lock_downgrade, lock_mode, lock_release, lock_shared
from vmconc.locks.rules import WRONG_PAGE, broken
from vmconc.locks.sites import site
from vmconc.memory.atomics import atomic_add, atomic_or
from vmconc.memory.jit import kernel
from vmconc.memory.operation import operation
from vmconc.memory.pagebytes import PAGE_SHIFT, PAGE_SIZE, page_copy, page_zero
from vmconc.memory.queries import bug, tracked
from vmconc.memory.refs import at, offset
from vmconc.memory.struct import guard
from vmconc.memory.table import table
from vmconc.memory.twins import struct
from vmconc.vm.events import COPY, MAP_DOWNGRADE, RETRY_STACK, SHADOWS, ZFILL, event, retried
from vmconc.vm.kern import (
    KERN_INVALID_ADDRESS,
    KERN_PROTECTION_FAILURE,
    KERN_SUCCESS,
    KERN_TRY_AGAIN,
)
from vmconc.vm.map import (
    entry_at,
    entry_clip,
    entry_like,
    map_link,
    map_lock,
    map_lookup_entry,
    map_search,
    map_upgrade,
)
from vmconc.vm.object import object_allocate
from vmconc.vm.opcodes import PROT_WRITE
from vmconc.vm.page import page_wakeup
from vmconc.vm.pmap import FLAGS, pmap_enter, pmap_extract
from vmconc.vm.queue import page_activate, page_unqueue, prefetch_free
from vmconc.vm.structs import (
    ENTRY_COW,
    ENTRY_NEEDS_COPY,
    ENTRY_STACK,
    OBJT_DEFAULT,
    PG_REFERENCED,
    PTE_WIRED,
    VALID_ALL,
)

LOOKUP = site("vm_map_lookup.shared")
LATE = site("vm_fault.late_vnode")
PARTITION = 32 << 20
STACK_LIMIT = 8 << 20


@struct
class Fault:
    """faultstate: everything that one fault knows.  Only its CPU uses it; anybody may look."""

    space: "Vmspace" = guard("cpu")
    map: "VmMap" = guard("cpu")
    va: int = guard("cpu")  # page aligned
    write: int = guard("cpu")  # the access writes
    wire: int = guard("cpu")  # the entry is wired: so shall the page be
    entry: "VmMapEntry" = guard("cpu")
    may_write: int = guard("cpu")  # enter the page writable
    first_object: "VmObject" = guard("cpu")
    first_pindex: int = guard("cpu")
    first_page: "VmPage" = guard("cpu")
    object: "VmObject" = guard("cpu")
    pindex: int = guard("cpu")
    page: "VmPage" = guard("cpu")
    ba: "Backing" = guard("cpu")  # backing: the current layer
    layer: int = guard("cpu")  # depth of the current layer, 0: first
    first_shared: int = guard("cpu")  # token of the first object: shared; only ever goes from 1 to 0
    shared: int = guard("cpu")  # tokens of deeper objects, chain locks: likewise
    map_held: int = guard("cpu")  # lookup_still_valid
    generation: int = guard("cpu")  # map timestamp at lookup
    vnode: "Vnode" = guard("cpu")  # its lock is held
    read_in: int = guard("cpu")  # this fault has read from a pager
    outcome: int = guard("cpu")
    depth: int = guard("cpu")  # layer in which the page was found
    attempts: int = guard("cpu")


@operation
def entry_shadow(cpu, entry):
    """Put a private object in front of an entry that needs a copy; clear NEEDS_COPY.

    Locks: entry  the map exclusively
           exit   same
    """


@operation
def fault_attempt(cpu, fs):
    """Try once to resolve a fault: KERN_TRY_AGAIN asks for another attempt.

    Locks: entry  none
           exit   none
    """


@kernel
def fault_state(cpu):
    """Return the CPU's fault record."""
    faults = table(cpu, "Fault")
    return at(cpu, "Fault", faults.first + cpu.index * faults.stride)


@kernel
def resolve_fault(cpu, space, va, write, wire):
    """Resolve a page fault: KERN_SUCCESS with the page mapped, or why not.

    Locks: entry  none
           exit   none
    """
    fs = fault_state(cpu)
    fs.space = space
    fs.map = space.map
    fs.va = va & ~(PAGE_SIZE - 1)
    fs.write = write
    fs.wire = wire
    fs.first_shared = 1
    fs.shared = 1
    fs.read_in = 0
    fs.attempts = 0
    grown = False
    while True:
        fs.attempts += 1
        status = fault_attempt(cpu, fs)
        if status == KERN_INVALID_ADDRESS and not grown:
            grown = True
            if map_grow_stack(cpu, fs.map, fs.va):
                retried(cpu, RETRY_STACK)
                continue
        if status != KERN_TRY_AGAIN:
            return status


@kernel
def map_grow_stack(cpu, map, va):
    """Extend a stack entry down to `va` if one ends the gap above; return whether one was."""
    map_lock(cpu, map)
    place = map_search(map, va)
    entry = entry_at(map, place)
    usable = False
    if entry and entry.start <= va:  # somebody else has grown it
        usable = True
    elif entry and entry.eflags & ENTRY_STACK != 0 and entry.start - va <= STACK_LIMIT:
        insert_stack(cpu, map, entry, va)
        usable = True
    lock_release(cpu, map.lock)
    return usable


@kernel
def insert_stack(cpu, map, entry, va):
    """Put a new entry between `va` and the stack entry above it.

    Locks: entry  the map exclusively; the range is free
           exit   same
    """
    map_link(cpu, map, entry_like(cpu, entry, va, entry.start))


@kernel
def map_lookup(cpu, fs):
    """Find the entry and first object of a fault: KERN_SUCCESS, or an error.

    Locks: entry  none
           exit   the map held shared on KERN_SUCCESS, else none
    """
    map = fs.map
    exclusive = False
    while True:
        if exclusive:
            map_lock(cpu, map)
        else:
            lock_shared(cpu, map.lock, LOOKUP)
        status = lookup_locked(cpu, fs)
        if status == KERN_TRY_AGAIN:  # nothing is held
            exclusive = not bug(cpu, "B52")
            continue
        if status != KERN_SUCCESS:
            lock_release(cpu, map.lock)
            return status
        if lock_mode(cpu, map.lock) == EXCLUSIVE:
            lock_downgrade(cpu, map.lock)
            event(cpu, MAP_DOWNGRADE)
        fs.generation = map.timestamp
        fs.map_held = 1
        return KERN_SUCCESS


@kernel
def permits(entry, write):
    """Tell whether an entry's protection allows the access."""
    return entry.protection & PROT_WRITE != 0 if write else entry.protection != 0


@kernel
def lookup_locked(cpu, fs):
    """Find the entry; shadow it or give it an object if the access needs that.

    Locks: entry  the map held
           exit   the map held, perhaps exclusively; none on KERN_TRY_AGAIN
    """
    entry = map_lookup_entry(fs.map, fs.va)
    if not entry:
        return KERN_INVALID_ADDRESS
    if not permits(entry, fs.write):
        return KERN_PROTECTION_FAILURE
    if entry.wired_count != 0 and entry.protection & PROT_WRITE != 0:
        fs.write = 1
    fs.wire = 1 if entry.wired_count != 0 else 0
    may_write = entry.protection & PROT_WRITE != 0
    if entry.eflags & ENTRY_NEEDS_COPY != 0 and entry.object:
        if fs.write:
            if not map_upgrade(cpu, fs.map):
                return KERN_TRY_AGAIN
            entry_shadow(cpu, entry)
            event(cpu, SHADOWS)
        else:
            may_write = False
    if not entry.object:
        if not map_upgrade(cpu, fs.map):
            return KERN_TRY_AGAIN
        entry = give_object(cpu, fs.map, entry, fs.va)
    fs.entry = entry
    fs.may_write = 1 if may_write else 0
    fs.first_object = entry.object
    fs.first_pindex = (fs.va - entry.start >> PAGE_SHIFT) + entry.offset
    return KERN_SUCCESS


@kernel
def give_object(cpu, map, entry, va):
    """Give an anonymous entry its object, clipped to the 32 MB partition around `va`; return the entry.

    Locks: entry  the map exclusively
           exit   same
    """
    start = va & ~(PARTITION - 1)
    if entry.end - entry.start > PARTITION:  # never in transition: what is being wired has its object
        if entry.start < start:
            entry = entry_clip(cpu, map, entry, start)
        if entry.end > start + PARTITION:
            entry_clip(cpu, map, entry, start + PARTITION)
    entry.object = object_allocate(cpu, OBJT_DEFAULT, entry.end - entry.start >> PAGE_SHIFT)
    entry.offset = 0
    entry.eflags &= ~(ENTRY_COW | ENTRY_NEEDS_COPY)
    return entry


@kernel
def zero_fill(cpu, page):
    """Clear a page.

    Locks: entry  the page hard-busy
           exit   same
    """
    page_zero(cpu, page.frame)
    prefetch_free(cpu, page.pindex + 1)
    page.valid = VALID_ALL
    event(cpu, ZFILL)


@kernel
def copy_page(cpu, source, target):
    """Copy a page's content.

    Locks: entry  both pages hard-busy
           exit   same
    """
    page_copy(cpu, source.frame, target.frame)
    target.valid = VALID_ALL
    target.dirty = VALID_ALL
    event(cpu, COPY)


@kernel
def enter_page(cpu, fs):
    """Map the page of a fault, wire or activate it, and un-busy it.

    Under `order-reversal` it locks the file while the page is busy, under `stranger-unlock` it un-busies twice.

    Locks: entry  the map shared, the page hard-busy
           exit   the map shared
    """
    page = fs.page
    if bug(cpu, "order-reversal") and fs.vnode:
        lock_shared(cpu, fs.vnode.lock, LATE)
        lock_release(cpu, fs.vnode.lock)
    if tracked(cpu) and (page.valid != VALID_ALL or page.object != fs.object or page.pindex != fs.pindex):
        broken(cpu, WRONG_PAGE, offset(page), fs.pindex, page.pindex)
    atomic_or(page, "flags", PG_REFERENCED)
    wired = pmap_extract(fs.space.pmap, fs.va) & (~FLAGS | PTE_WIRED) == page.frame | PTE_WIRED
    pmap_enter(cpu, fs.space.pmap, fs.va, page, fs.may_write != 0, fs.wire != 0)
    if fs.wire != 0:
        if not wired:
            atomic_add(page, "wire_count", 1)
        page_unqueue(cpu, page)
    else:
        page_activate(cpu, page)
    page_wakeup(cpu, page)
    if bug(cpu, "stranger-unlock"):
        page_wakeup(cpu, page)

