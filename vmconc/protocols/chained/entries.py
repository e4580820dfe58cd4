"""Map entries under `chained`: each points to one object; what lies below it is the object's affair.

(DragonFly `sys/vm/vm_object.c` before 9de48ead, vm_object_shadow; `vm_map.c` vm_map_copy_entry, vm_map_clip_start;
`dragonfly.md` 4.1-4.3, 4.5.)
"""

from vmconc.locks.chain import chain_wait
from vmconc.locks.classes import EXCLUSIVE, SHARED
from vmconc.locks.sites import site
from vmconc.memory.atomics import atomic_add
from vmconc.memory.jit import kernel
from vmconc.memory.operation import implements
from vmconc.memory.pagebytes import PAGE_SHIFT
from vmconc.memory.queries import bug
from vmconc.memory.refs import null
from vmconc.protocols.chained.collapse import collapse, divisible, split
from vmconc.protocols.chained.links import (
    chain_object_acquire,
    chain_object_release,
    reference_locked,
    reference_unchained,
)
from vmconc.vm.advise import object_below
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

SHADOW = site("vm_object_shadow.source")
SHADOW_RESULT = site("vm_object_shadow.result")
CLIP = site("vm_map_clip.object")
FORK = site("chained.vm_map_copy_entry")
BELOW = site("vm_map_clean.link")
FORK_SHARE = site("chained.vmspace_fork.share")


@kernel
def put_in_front(cpu, entry):
    """Let a new object, which takes the entry's reference to the old one over, stand in front of it.

    Locks: entry  the map exclusively, the old object's token exclusively unless it is a file's
           exit   same; the token may have been lost
    """
    source = entry.object
    result = object_allocate(cpu, OBJT_DEFAULT, entry.end - entry.start >> PAGE_SHIFT)
    object_hold(cpu, result, EXCLUSIVE, SHADOW_RESULT)
    result.backing_object = source
    result.backing_offset = entry.offset
    if source.type != OBJT_VNODE:
        chain_wait(cpu, source.chain)
        atomic_add(source, "generation", 1)
    entry.object = result
    entry.offset = 0
    object_drop(cpu, result)


@implements(entry_shadow, "chained")
def shadow(cpu, entry):
    """Put a new object in front, unless this entry alone refers to the old one."""
    entry.eflags &= ~ENTRY_NEEDS_COPY
    source = entry.object
    if source.type == OBJT_VNODE:
        put_in_front(cpu, entry)
        return
    object_hold(cpu, source, EXCLUSIVE, SHADOW)
    chain_wait(cpu, source.chain)
    if source.ref_count == 1:
        object_drop(cpu, source)
        return
    reference_locked(cpu, source)  # nobody may collapse it meanwhile
    object_clear(source, OBJ_ONEMAPPING)
    put_in_front(cpu, entry)
    object_drop(cpu, source)
    object_deallocate(cpu, source)


@implements(entry_reference, "chained")
def reference(cpu, entry):
    """One more reference to the object, when nobody is changing its chain."""
    object = entry.object
    if object.type == OBJT_VNODE:
        object_reference(cpu, object)
        return
    object_hold(cpu, object, EXCLUSIVE, CLIP)
    reference_unchained(cpu, object)
    object_drop(cpu, object)


@implements(entry_dispose, "chained")
def dispose(cpu, entry):
    """Drop the object."""
    object = entry.object
    entry.object = null(object)
    object_deallocate(cpu, object)


@kernel
def share(cpu, object):
    """Add the reference of a child that shares the object.

    Locks: entry  both maps exclusively
           exit   same
    """
    if object.type == OBJT_VNODE:
        object_reference(cpu, object)
        return
    object_hold(cpu, object, EXCLUSIVE, FORK_SHARE)
    reference_unchained(cpu, object)
    if not bug(cpu, "B18"):
        object_clear(object, OBJ_ONEMAPPING)
    object_drop(cpu, object)


@kernel
def must_copy(cpu, parent, entry):
    """Let the next write through an entry put an object in front.

    Locks: entry  the map exclusively
           exit   same
    """
    if entry.eflags & ENTRY_NEEDS_COPY == 0 and not bug(cpu, "B15"):
        pmap_protect(cpu, parent.pmap, entry.start, entry.end)
    entry.eflags |= ENTRY_COW | ENTRY_NEEDS_COPY


@kernel
def copy_anonymous(cpu, parent, entry):
    """Make an anonymous entry's object ready for a second entry to refer to, which the reference added here is for.

    The chain is shortened first; what the entry has in common with its neighbours only is split off.

    Locks: entry  both maps exclusively
           exit   same
    """
    object = entry.object
    object_hold(cpu, object, EXCLUSIVE, FORK)
    if not bug(cpu, "B25"):
        chain_object_acquire(cpu, object, EXCLUSIVE, FORK)
    must_copy(cpu, parent, entry)
    collapse(cpu, object)
    divided = divisible(object)
    if divided:
        split(cpu, entry, object)
    else:
        reference_locked(cpu, object)
    object_clear(entry.object, OBJ_ONEMAPPING)
    if not bug(cpu, "B25"):
        chain_object_release(cpu, object)
    object_drop(cpu, object)
    if divided:
        object_deallocate(cpu, object)


@implements(fork_entry, "chained")
def fork(cpu, parent, entry, child, copy):
    """Share the object; unless the inheritance says share, both copies must put one in front before they write."""
    if entry.inheritance == INHERIT_SHARE:
        share(cpu, entry.object)
    elif entry.object.type == OBJT_VNODE:
        must_copy(cpu, parent, entry)
        object_reference(cpu, entry.object)
    else:
        copy_anonymous(cpu, parent, entry)
    entry_copy(entry, copy)


@implements(object_below, "chained")
def below(cpu, entry):
    """The object that the first one points to, if it is a file's: that stays, any other may be gone with the link.

    Locks: entry  the map
           exit   same; tokens may have been lost
    """
    object = entry.object
    if not bug(cpu, "B70"):
        object_hold(cpu, object, SHARED, BELOW)
    below = object.backing_object
    if below and below.type != OBJT_VNODE:
        below = null(below)
    if not bug(cpu, "B70"):
        object_drop(cpu, object)
    return below
