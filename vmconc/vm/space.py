"""Address spaces and what programs do to them: mmap, munmap, mprotect, brk, minherit, exit.

Written once for every protocol: what differs is an operation (`memory/operation.py`).
(DragonFly `sys/vm/vm_map.c`, `vm_mmap.c`, `vm_unix.c`; `dragonfly.md` 4.1, 5.1.)
"""

from vmconc.locks.block import block
from vmconc.locks.classes import EXCLUSIVE, MAP_TOKEN, VM_MAP
from vmconc.locks.exhaust import give_record, take_record
from vmconc.locks.sites import site
from vmconc.locks.sleep import FOREVER, prepare
from vmconc.locks.token import token_get, token_release
from vmconc.memory.atomics import atomic_add
from vmconc.memory.jit import kernel
from vmconc.memory.operation import operation
from vmconc.memory.pagebytes import PAGE_SHIFT
from vmconc.memory.queries import bug
from vmconc.memory.refs import at, offset
from vmconc.memory.segment import HEADER
from vmconc.memory.table import table
from vmconc.vm.map import (
    clip_range,
    entry_at,
    entry_create,
    entry_dispose,
    entry_free,
    map_link,
    map_lock,
    map_search,
    map_simplify,
    map_unlink,
    map_unlock,
)
from vmconc.vm.object import object_allocate, object_reference
from vmconc.vm.opcodes import (
    INHERIT_COPY,
    INHERIT_SHARE,
    MAP_ANON,
    MAP_SHARED,
    MAP_STACK,
    PROT_EXEC,
    PROT_READ,
    PROT_WRITE,
)
from vmconc.vm.pmap import pmap_protect, pmap_release, pmap_remove
from vmconc.vm.structs import (
    ENTRY_COW,
    ENTRY_IN_TRANSITION,
    ENTRY_NEEDS_COPY,
    ENTRY_NEEDS_WAKEUP,
    ENTRY_STACK,
    OBJT_DEFAULT,
    OBJT_VNODE,
)
from vmconc.vm.wire import unwire_entry

MAP_TOKEN_SITE = site("vm_map.token")
TRANSITION = site("vmtrans")
PROT_ALL = PROT_READ | PROT_WRITE | PROT_EXEC
TOP = 1 << 47


@operation
def entry_delete_pages(cpu, space, entry):
    """Remove an entry's translations, and its pages if nobody else can reach them; then references may go.

    Locks: entry  the map exclusively
           exit   same
    """


@operation
def object_coalesce(cpu, object, start, next_pages):
    """Extend an anonymous object over the `next_pages` pages from index `start` on; return whether it was possible.

    Locks: entry  the map exclusively
           exit   same
    """


@kernel
def space_create(cpu):
    """Make an empty space with one reference."""
    spaces = table(cpu, "Vmspace")
    space = at(cpu, "Vmspace", take_record(cpu, spaces))
    places = at(cpu, "Machine", HEADER).map_entries
    number = (offset(space) - spaces.first) // spaces.stride
    space.map.lock.cls = VM_MAP
    space.map.token.cls = MAP_TOKEN
    space.map.capacity = places
    space.map.index = table(cpu, "MapIndex").first + number * places * 8
    space.refs = 1
    return space


@kernel
def space_release(cpu, space):
    """Leave a space; the last one to leave tears it down.

    Locks: entry  none
           exit   none
    """
    if atomic_add(space, "refs", -1) > 1:
        return
    map_enter(cpu, space.map)
    delete_range(cpu, space, 0, TOP)
    map_leave(cpu, space.map)
    pmap_release(cpu, space.pmap)
    give_record(cpu, table(cpu, "Vmspace"), offset(space))


@kernel
def map_enter(cpu, map):
    """Acquire what a change of a map needs: the map exclusively, then its token."""
    map_lock(cpu, map)
    token_get(cpu, map.token, EXCLUSIVE, MAP_TOKEN_SITE)


@kernel
def map_leave(cpu, map):
    """Undo `map_enter`."""
    token_release(cpu, map.token)
    map_unlock(cpu, map)


@kernel
def await_transition(cpu, map, entry):
    """Sleep, with the map unlocked, until somebody has finished with an entry; then everything must be looked up again.

    Locks: entry  as after `map_enter`
           exit   same
    """
    entry.eflags |= ENTRY_NEEDS_WAKEUP
    prepare(cpu, offset(map), TRANSITION)
    map_leave(cpu, map)
    block(cpu, FOREVER)
    map_enter(cpu, map)


@kernel
def delete_range(cpu, space, start, end):
    """Unmap [start, end).

    Locks: entry  as after `map_enter`
           exit   same
    """
    map = space.map
    clip_range(cpu, map, start, end)
    place = map_search(map, start)
    entry = entry_at(map, place)
    while entry and entry.start < end:
        if entry.eflags & ENTRY_IN_TRANSITION != 0:
            await_transition(cpu, map, entry)
            clip_range(cpu, map, start, end)
        else:
            delete_entry(cpu, space, entry)
        place = map_search(map, start)
        entry = entry_at(map, place)


@kernel
def delete_entry(cpu, space, entry):
    """Unmap one entry: translations before pages, pages before the object.

    Locks: entry  as after `map_enter`
           exit   same
    """
    if bug(cpu, "B63"):
        pmap_remove(cpu, space.pmap, entry.start, entry.end)
    if entry.wired_count != 0:
        unwire_entry(cpu, space, entry)
    if entry.object:
        entry_delete_pages(cpu, space, entry)
    map_unlink(space.map, entry)
    if entry.object:
        entry_dispose(cpu, entry)
    entry_free(cpu, entry)


@kernel
def extend_below(cpu, map, va, length, prot):
    """Map anonymous memory by extending the entry that ends at `va`; return whether that was possible.

    Locks: entry  the map exclusively
           exit   same
    """
    lower = entry_at(map, map_search(map, va) - 1)
    if not lower or lower.end != va or lower.eflags != 0 or lower.wired_count != 0 or lower.protection != prot:
        return False
    if lower.ba.backing_ba or lower.inheritance != INHERIT_COPY:
        return False
    if lower.object:
        if lower.object.type == OBJT_VNODE:
            return False
        after = lower.offset + (lower.end - lower.start >> PAGE_SHIFT)
        if not object_coalesce(cpu, lower.object, after, length >> PAGE_SHIFT):
            return False
    lower.end = va + length
    return True


@kernel
def vnode_at(cpu, file):
    """Return the vnode of a file by its index in the plan."""
    vnodes = table(cpu, "Vnode")
    return at(cpu, "Vnode", vnodes.first + file * vnodes.stride)


@kernel
def insert_entry(cpu, map, va, length, prot, flags, file, first):
    """Put a new entry into a free range: anonymous, or `file` from page `first` on.

    Locks: entry  the map exclusively
           exit   same
    """
    entry = entry_create(cpu, va, va + length)
    entry.protection = prot
    entry.max_protection = PROT_ALL
    entry.inheritance = INHERIT_COPY
    if flags & MAP_ANON == 0:
        entry.object = vnode_at(cpu, file).object
        object_reference(cpu, entry.object)
        entry.offset = first
    elif flags & MAP_SHARED != 0:
        entry.object = object_allocate(cpu, OBJT_DEFAULT, length >> PAGE_SHIFT)
    if flags & (MAP_ANON | MAP_SHARED) == 0:
        entry.eflags = ENTRY_COW | ENTRY_NEEDS_COPY
    if flags & MAP_SHARED != 0:
        entry.inheritance = INHERIT_SHARE
    if flags & MAP_STACK != 0:
        entry.eflags |= ENTRY_STACK
    map_link(cpu, map, entry)


@kernel
def space_mmap(cpu, space, va, length, prot, flags, file, first):
    """Map [va, va+length), in place of what is there.

    Locks: entry  none
           exit   none
    """
    map = space.map
    map_enter(cpu, map)
    delete_range(cpu, space, va, va + length)
    plain = flags & (MAP_ANON | MAP_SHARED | MAP_STACK) == MAP_ANON
    if not (plain and extend_below(cpu, map, va, length, prot)):
        insert_entry(cpu, map, va, length, prot, flags, file, first)
    map_leave(cpu, map)


@kernel
def space_munmap(cpu, space, start, end):
    """Unmap [start, end).

    Locks: entry  none
           exit   none
    """
    map_enter(cpu, space.map)
    delete_range(cpu, space, start, end)
    map_leave(cpu, space.map)


@kernel
def protect_entry(cpu, space, entry, prot):
    """Set an entry's protection; translations are only ever reduced, more is faulted in.

    Locks: entry  the map exclusively
           exit   same
    """
    before = entry.protection
    entry.protection = prot
    if prot == 0 and entry.wired_count != 0:
        unwire_entry(cpu, space, entry)
    if prot == 0:
        pmap_remove(cpu, space.pmap, entry.start, entry.end)
    elif before & PROT_WRITE != 0 and prot & PROT_WRITE == 0:
        pmap_protect(cpu, space.pmap, entry.start, entry.end)


@kernel
def space_mprotect(cpu, space, start, end, prot):
    """Set the protection of [start, end).

    Locks: entry  none
           exit   none
    """
    map = space.map
    map_lock(cpu, map)
    clip_range(cpu, map, start, end)
    place = map_search(map, start)
    entry = entry_at(map, place)
    while entry and entry.start < end:
        protect_entry(cpu, space, entry, prot)
        place += 1
        entry = entry_at(map, place)
    simplify_range(cpu, map, start, end)
    map_unlock(cpu, map)


@kernel
def simplify_range(cpu, map, start, end):
    """Merge neighbours in and at both ends of a range.

    Locks: entry  the map exclusively
           exit   same
    """
    entry = entry_at(map, map_search(map, start))
    while entry and entry.start <= end:
        following = entry.end
        map_simplify(cpu, map, entry.start)
        entry = entry_at(map, map_search(map, following))


@kernel
def space_minherit(cpu, space, start, end, inheritance):
    """Set what a fork does with [start, end).

    Locks: entry  none
           exit   none
    """
    map = space.map
    map_lock(cpu, map)
    clip_range(cpu, map, start, end)
    place = map_search(map, start)
    entry = entry_at(map, place)
    while entry and entry.start < end:
        entry.inheritance = inheritance
        place += 1
        entry = entry_at(map, place)
    simplify_range(cpu, map, start, end)
    map_unlock(cpu, map)


@kernel
def space_brk(cpu, space, old_end, delta):
    """Grow the heap by `delta` bytes above `old_end`, or shrink it if `delta` is negative.

    Locks: entry  none
           exit   none
    """
    if delta > 0:
        space_mmap(cpu, space, old_end, delta, PROT_READ | PROT_WRITE, MAP_ANON, -1, 0)
    elif delta < 0:
        space_munmap(cpu, space, old_end + delta, old_end)
