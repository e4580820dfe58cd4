"""mremap: entries move to another address or grow; their objects and pages stay what they are.

(Linux's call: DragonFly has none, real programs' traces have.)
"""

from vmconc.memory.jit import kernel
from vmconc.memory.pagebytes import PAGE_SHIFT
from vmconc.vm.map import (
    clip_range,
    entry_at,
    entry_like,
    map_link,
    map_search,
    map_unlink,
)
from vmconc.vm.object import object_reference
from vmconc.vm.pmap import pmap_remove
from vmconc.vm.space import delete_range, map_enter, map_leave
from vmconc.vm.structs import (
    OBJT_VNODE,
)
from vmconc.vm.wire import unwire_range


@kernel
def move_entries(cpu, map, start, end, target):
    """Move the entries of [start, end) to `target`; their translations are gone already.

    Locks: entry  the map exclusively; the target range is free
           exit   same
    """
    entry = entry_at(map, map_search(map, start))
    while entry and entry.start < end:
        map_unlink(map, entry)
        entry.start += target - start
        entry.end += target - start
        map_link(cpu, map, entry)
        entry = entry_at(map, map_search(map, start))


@kernel
def space_mremap(cpu, space, va, length, target, new_length):
    """Move [va, va+length) to [target, target+new_length): its pages go along, growth is new anonymous memory.

    Locks: entry  none
           exit   none
    """
    map = space.map
    map_enter(cpu, map)
    kept = min(length, new_length)
    clip_range(cpu, map, va, va + length)
    if target != va:
        delete_range(cpu, space, target, target + new_length)
        clip_range(cpu, map, va, va + kept)
        unwire_range(cpu, space, va, va + length)
        pmap_remove(cpu, space.pmap, va, va + length)
        move_entries(cpu, map, va, va + kept, target)
        delete_range(cpu, space, va, va + length)
    elif new_length < length:
        delete_range(cpu, space, va + new_length, va + length)
    if new_length > length:
        if target == va:
            delete_range(cpu, space, va + length, va + new_length)
        grow_mapping(cpu, map, target, target + length, new_length - length)
    map_leave(cpu, map)


@kernel
def grow_mapping(cpu, map, start, va, length):
    """Map anonymous memory, or more of the file, at `va`: as like the last entry of [start, va) as new memory can be.

    Locks: entry  the map exclusively; the range is free
           exit   same
    """
    lower = entry_at(map, map_search(map, va) - 1)
    if not lower or lower.end <= start:
        return
    entry = entry_like(cpu, lower, va, va + length)
    if lower.object and lower.object.type == OBJT_VNODE:
        entry.object = lower.object
        entry.offset = lower.offset + (va - lower.start >> PAGE_SHIFT)
        object_reference(cpu, entry.object)
    map_link(cpu, map, entry)
