"""fork: a space that is a copy of another, entry by entry as its inheritance says.

(DragonFly `sys/vm/vm_map.c` vmspace_fork; `dragonfly.md` 4.1.)
"""

from vmconc.locks.classes import EXCLUSIVE
from vmconc.locks.token import token_get, token_release
from vmconc.memory.jit import kernel
from vmconc.memory.operation import operation
from vmconc.memory.pagebytes import PAGE_SHIFT
from vmconc.vm.fault import entry_shadow
from vmconc.vm.map import (
    entry_at,
    entry_copy,
    entry_create,
    map_link,
    map_lock,
    map_unlock,
)
from vmconc.vm.object import object_allocate
from vmconc.vm.opcodes import (
    INHERIT_NONE,
    INHERIT_SHARE,
)
from vmconc.vm.space import MAP_TOKEN_SITE, map_enter, map_leave, space_create
from vmconc.vm.structs import (
    ENTRY_NEEDS_COPY,
    ENTRY_USER_WIRED,
    OBJT_DEFAULT,
)
from vmconc.vm.wire import copy_wired


@operation
def fork_entry(cpu, parent, entry, child, copy):
    """Fill `copy`, the child's entry that is in no map yet, from the parent's, which has an object: share or mark it.

    Locks: entry  both maps exclusively
           exit   same
    """


@kernel
def inherit(cpu, parent, entry, child, copy):
    """Fill the child's entry as the inheritance of the parent's says.

    Locks: entry  both maps exclusively
           exit   same
    """
    if entry.inheritance == INHERIT_SHARE:
        if entry.object and entry.eflags & ENTRY_NEEDS_COPY != 0:
            entry_shadow(cpu, entry)
        if not entry.object:
            entry.object = object_allocate(cpu, OBJT_DEFAULT, entry.end - entry.start >> PAGE_SHIFT)
            entry.offset = 0
    elif entry.wired_count != 0:
        copy_wired(cpu, parent, entry, copy)
        return
    if entry.object:
        fork_entry(cpu, parent, entry, child, copy)
    else:
        entry_copy(entry, copy)
    copy.wired_count = 0
    copy.eflags &= ~ENTRY_USER_WIRED


@kernel
def space_fork(cpu, parent):
    """Make a space that is a copy of `parent`, entry by entry as its inheritance says.

    Locks: entry  none
           exit   none
    """
    child = space_create(cpu)
    source = parent.map
    token_get(cpu, source.token, EXCLUSIVE, MAP_TOKEN_SITE)
    map_lock(cpu, source)
    map_enter(cpu, child.map)
    for place in range(source.nentries):
        entry = entry_at(source, place)
        if entry.inheritance != INHERIT_NONE:
            copy = entry_create(cpu, entry.start, entry.end)
            inherit(cpu, parent, entry, child, copy)
            map_link(cpu, child.map, copy)
    map_leave(cpu, child.map)
    map_unlock(cpu, source)
    token_release(cpu, source.token)
    return child
