"""Map entries under `backing`: each heads a list of reference-counted, immutable layers shared with other entries.

(DragonFly 9de48ead `sys/vm/vm_map.c` vm_map_entry_shadow, vm_map_copy_entry, vm_map_backing_replicate's
predecessors; `dragonfly.md` 1.3, 4.1-4.3.)
"""

from vmconc.locks.classes import EXCLUSIVE
from vmconc.locks.exhaust import give_record, take_record
from vmconc.locks.sites import site
from vmconc.memory.atomics import atomic_add
from vmconc.memory.jit import kernel
from vmconc.memory.operation import implements
from vmconc.memory.pagebytes import PAGE_SHIFT
from vmconc.memory.queries import bug
from vmconc.memory.refs import at, null, offset
from vmconc.memory.table import table
from vmconc.schedule.engine import pass_point
from vmconc.vm.advise import object_below
from vmconc.vm.events import tell_made
from vmconc.vm.fault import entry_shadow
from vmconc.vm.fork import fork_entry
from vmconc.vm.map import entry_copy, entry_dispose, entry_reference
from vmconc.vm.object import (
    object_allocate,
    object_clear,
    object_deallocate,
    object_drop,
    object_hold,
    object_reference,
)
from vmconc.vm.opcodes import INHERIT_SHARE
from vmconc.vm.pmap import pmap_protect
from vmconc.vm.structs import ENTRY_COW, ENTRY_NEEDS_COPY, OBJ_ONEMAPPING, OBJT_DEFAULT, OBJT_VNODE

SHADOW = site("vm_map_entry_shadow.source")
SHADOW_RESULT = site("vm_map_entry_shadow.result")
B71_WINDOW = 16  # steps: as many as it takes to end an object
FORK = site("backing.vm_map_copy_entry")


@kernel
def freeze(ba):
    """Return a digest of what must never change in a heap ba."""
    return offset(ba.object) * 31 + ba.offset * 7 + offset(ba.backing_ba)


@kernel
def shared_no_more(cpu, entry):
    """Tell whether an entry's head object is referenced by this entry alone; if not, it is mapped more than once.

    Locks: entry  the map exclusively
           exit   same
    """
    source = entry.object
    if source.type == OBJT_VNODE:
        return False
    object_hold(cpu, source, EXCLUSIVE, SHADOW)
    alone = source.ref_count == 1
    if not alone:
        object_clear(source, OBJ_ONEMAPPING)
    object_drop(cpu, source)
    return alone


@implements(entry_shadow, "backing")
def shadow(cpu, entry):
    """Move the head into a heap ba, which takes its references over, and head the list with a new object."""
    entry.eflags &= ~ENTRY_NEEDS_COPY
    if shared_no_more(cpu, entry):
        return
    ba = at(cpu, "Backing", take_record(cpu, table(cpu, "Backing")))
    tell_made(cpu, ba)
    ba.object = entry.object
    ba.offset = entry.offset
    ba.backing_ba = entry.ba.backing_ba
    ba.refs = 1
    ba.frozen = freeze(ba)
    result = object_allocate(cpu, OBJT_DEFAULT, entry.end - entry.start >> PAGE_SHIFT)
    object_hold(cpu, result, EXCLUSIVE, SHADOW_RESULT)
    entry.object = result
    entry.offset = 0
    entry.ba.backing_ba = ba
    object_drop(cpu, result)


@kernel
def list_reference(ba):
    """Count another pointer to a heap ba, if there is one."""
    if ba and not bug(ba, "B11"):
        atomic_add(ba, "refs", 1)


@kernel
def list_dereference(cpu, ba):
    """Take a pointer to a heap ba away; return how many there were."""
    if bug(cpu, "B13"):  # in two steps
        before = ba.refs
        pass_point(cpu, 0)
        ba.refs = before - 1
        return before
    if bug(cpu, "B71"):  # asks again how many are left
        atomic_add(ba, "refs", -1)
        for _ in range(B71_WINDOW):
            pass_point(cpu, 0)
        return ba.refs + 1
    return atomic_add(ba, "refs", -1)


@implements(entry_reference, "backing")
def reference(cpu, entry):
    """One more reference of the head object, one more pointer to the list below it."""
    object_reference(cpu, entry.object)
    list_reference(entry.ba.backing_ba)


@implements(entry_dispose, "backing")
def dispose(cpu, entry):
    """Drop the head object; then the list, as far down as nobody else points to it."""
    ba = entry.ba.backing_ba
    object_deallocate(cpu, entry.object)
    entry.object = null(entry.object)
    entry.ba.backing_ba = null(ba)
    while ba and list_dereference(cpu, ba) == 1:
        below = null(ba) if bug(cpu, "B12") else ba.backing_ba  # B12: the rest of the list stays
        object_deallocate(cpu, ba.object)
        give_record(cpu, table(cpu, "Backing"), offset(ba))
        ba = below


@implements(fork_entry, "backing")
def fork(cpu, parent, entry, child, copy):
    """Share the layers; unless the inheritance says share, both copies must shadow before they write."""
    object = entry.object
    vnode = object.type == OBJT_VNODE
    if not vnode:
        object_hold(cpu, object, EXCLUSIVE, FORK)
    if entry.inheritance != INHERIT_SHARE:
        if entry.eflags & ENTRY_NEEDS_COPY == 0 and not bug(cpu, "B15"):
            pmap_protect(cpu, parent.pmap, entry.start, entry.end)
        entry.eflags |= ENTRY_COW | ENTRY_NEEDS_COPY
    object_reference(cpu, object)
    list_reference(entry.ba.backing_ba)
    if not bug(cpu, "B18"):
        object_clear(object, OBJ_ONEMAPPING)
    entry_copy(entry, copy)
    copy.ba.flags = 0
    if not vnode:
        object_drop(cpu, object)


@implements(object_below, "backing")
def below(cpu, entry):
    """The list's first object, if it is a file's."""
    ba = entry.ba.backing_ba
    return ba.object if ba and ba.object.type == OBJT_VNODE else null(entry.object)
