"""Objects under `backing`: they do not point to one another, so the end of one is the end of one.

(DragonFly 9de48ead `sys/vm/vm_object.c` vm_object_deallocate, vm_object_coalesce; `dragonfly.md` 2.3, 4.6.)
"""

from vmconc.locks.classes import EXCLUSIVE, SHARED
from vmconc.locks.rules import COUNT_UNDERFLOW, broken
from vmconc.locks.sites import site
from vmconc.memory.atomics import atomic_add, atomic_cas
from vmconc.memory.operation import implements
from vmconc.memory.pagebytes import PAGE_SHIFT
from vmconc.memory.queries import bug
from vmconc.memory.refs import offset
from vmconc.vm.object import (
    object_deallocate,
    object_drop,
    object_free_pages,
    object_hold,
    object_set,
    object_terminate,
)
from vmconc.vm.pmap import pmap_remove
from vmconc.vm.space import entry_delete_pages, object_coalesce
from vmconc.vm.structs import OBJ_NOSPLIT, OBJ_ONEMAPPING, OBJT_VNODE

DEALLOCATE = site("backing.vm_object_deallocate")
DELETE = site("backing.vm_map_delete")
COALESCE = site("backing.vm_object_coalesce")


@implements(object_deallocate, "backing")
def deallocate(cpu, object):
    """Drop one reference without a lock while others are sure to remain, else under the token."""
    enough = 1 if object.type == OBJT_VNODE else 3
    if bug(cpu, "B26"):
        enough = 0
    count = object.ref_count
    while count > enough:
        if atomic_cas(object, "ref_count", count, count - 1):
            return
        count = object.ref_count
    object_hold(cpu, object, EXCLUSIVE, DEALLOCATE)
    before = atomic_add(object, "ref_count", -1)
    if before < 1:
        broken(cpu, COUNT_UNDERFLOW, offset(object), 1, before)
    if before == 1:
        object_terminate(cpu, object)
    elif before == 2 and bug(cpu, "B19"):  # the last one may be that of a list which several entries share
        object_set(object, OBJ_ONEMAPPING)
    object_drop(cpu, object)


@implements(entry_delete_pages, "backing")
def delete_pages(cpu, space, entry):
    """Translations first; then, of an object that lives on, the pages that only this entry maps."""
    object = entry.object
    if object.type == OBJT_VNODE:
        object_hold(cpu, object, SHARED, DELETE)
        pmap_remove(cpu, space.pmap, entry.start, entry.end)
        object_drop(cpu, object)
        return
    object_hold(cpu, object, SHARED if bug(cpu, "B28") else EXCLUSIVE, DELETE)  # B28: freeing a page wants it all
    pmap_remove(cpu, space.pmap, entry.start, entry.end)
    flags = object.flags & (OBJ_ONEMAPPING | OBJ_NOSPLIT)
    if object.ref_count != 1 and flags == OBJ_ONEMAPPING:
        first = entry.offset
        last = first + (entry.end - entry.start >> PAGE_SHIFT)
        object_free_pages(cpu, object, first, last)
        if last >= object.size:
            object.size = first
    object_drop(cpu, object)


@implements(object_coalesce, "backing")
def coalesce(cpu, object, start, next_pages):
    """Extend an object that is referenced once, or exactly at its end; drop stale pages of the extension."""
    object_hold(cpu, object, EXCLUSIVE, COALESCE)
    possible = object.ref_count == 1 or start == object.size
    if possible:
        object_free_pages(cpu, object, start, start + next_pages)
        object.size = max(object.size, start + next_pages)
    object_drop(cpu, object)
    return possible
