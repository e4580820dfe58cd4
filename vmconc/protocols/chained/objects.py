"""Objects under `chained`: the end of one drops its reference to the object below, and so on down the chain.

(DragonFly `sys/vm/vm_object.c` before 9de48ead, vm_object_deallocate, vm_object_coalesce; `vm_map.c` vm_map_delete;
`dragonfly.md` 2.3, 4.5, 5.1.)
"""

from vmconc.locks.chain import chain_free
from vmconc.locks.classes import EXCLUSIVE, SHARED
from vmconc.locks.rules import CHAIN_REFERENCED, COUNT_UNDERFLOW, broken
from vmconc.locks.sites import site
from vmconc.memory.atomics import atomic_add, atomic_cas
from vmconc.memory.jit import kernel
from vmconc.memory.operation import implements
from vmconc.memory.pagebytes import PAGE_SHIFT
from vmconc.memory.queries import bug, tracked
from vmconc.memory.refs import null, offset
from vmconc.protocols.chained.collapse import collapse
from vmconc.protocols.chained.links import chain_object_acquire, chain_object_release, hold_below
from vmconc.vm.object import (
    object_deallocate,
    object_drop,
    object_free_pages,
    object_hold,
    object_terminate,
)
from vmconc.vm.pmap import pmap_remove
from vmconc.vm.space import entry_delete_pages, object_coalesce
from vmconc.vm.structs import OBJ_NOSPLIT, OBJ_ONEMAPPING, OBJT_VNODE

DEALLOCATE = site("chained.vm_object_deallocate")
DEALLOCATE_BELOW = site("chained.vm_object_deallocate.backing")
DELETE = site("chained.vm_map_delete")
COALESCE = site("chained.vm_object_coalesce")


@kernel
def drop_quickly(object):
    """Drop one reference without a lock if others are sure to remain; return whether that was possible."""
    enough = 1 if object.type == OBJT_VNODE else 3
    if bug(object, "B26"):
        enough = 0
    count = object.ref_count
    while count > enough:
        if atomic_cas(object, "ref_count", count, count - 1):
            return True
        count = object.ref_count
    return False


@kernel
def end(cpu, object):
    """End an object whose last reference is the caller's; return the object below, whose reference is the caller's now.

    Locks: entry  the object's token exclusively
           exit   same; the object is dead and empty
    """
    below = hold_below(cpu, object, DEALLOCATE_BELOW)
    if tracked(cpu) and not chain_free(object.chain):
        broken(cpu, CHAIN_REFERENCED, offset(object), 0, object.chain.word)
    object.backing_object = null(object)
    if below:
        object_drop(cpu, below)
    before = atomic_add(object, "ref_count", -1)
    if before != 1:
        broken(cpu, COUNT_UNDERFLOW, offset(object), 1, before)
    object_terminate(cpu, object)
    return below


@implements(object_deallocate, "chained")
def deallocate(cpu, object):
    """Drop one reference without a lock while others are sure to remain, else under the token; the last ends it."""
    while object and not drop_quickly(object):
        object_hold(cpu, object, EXCLUSIVE, DEALLOCATE)
        below = null(object)
        if object.ref_count > 1:
            atomic_add(object, "ref_count", -1)
        else:
            below = end(cpu, object)
        object_drop(cpu, object)
        object = below


@implements(entry_delete_pages, "chained")
def delete_pages(cpu, space, entry):
    """Translations first; then, of an object that lives on, the pages that only this entry maps."""
    object = entry.object
    if object.type == OBJT_VNODE:
        object_hold(cpu, object, SHARED, DELETE)
        pmap_remove(cpu, space.pmap, entry.start, entry.end)
        object_drop(cpu, object)
        return
    object_hold(cpu, object, SHARED if bug(cpu, "B28") else EXCLUSIVE, DELETE)  # B28: freeing a page wants it all
    chain_object_acquire(cpu, object, EXCLUSIVE, DELETE)
    pmap_remove(cpu, space.pmap, entry.start, entry.end)
    flags = object.flags & (OBJ_ONEMAPPING | OBJ_NOSPLIT)
    if object.ref_count != 1 and flags == OBJ_ONEMAPPING:
        collapse(cpu, object)
        first = entry.offset
        last = first + (entry.end - entry.start >> PAGE_SHIFT)
        object_free_pages(cpu, object, first, last)
        if last >= object.size:
            object.size = first
    chain_object_release(cpu, object)
    object_drop(cpu, object)


@implements(object_coalesce, "chained")
def coalesce(cpu, object, start, next_pages):
    """Extend an object with nothing below it, referenced once or exactly at its end; drop stale pages there."""
    object_hold(cpu, object, EXCLUSIVE, COALESCE)
    chain_object_acquire(cpu, object, EXCLUSIVE, COALESCE)
    collapse(cpu, object)
    possible = not object.backing_object and (object.ref_count == 1 or start == object.size)
    if possible:
        object_free_pages(cpu, object, start, start + next_pages)
        object.size = max(object.size, start + next_pages)
    chain_object_release(cpu, object)
    object_drop(cpu, object)
    return possible
