"""What an attempt at a fault holds besides the layers it looks into: the file, the map; and how it lets go of all.

(DragonFly `sys/vm/vm_fault.c` before 9de48ead, unlock_things, relock_map; `vnode_pager.c` vnode_pager_lock;
`dragonfly.md` 2.11, 3.2, 3.3.)
"""

from vmconc.locks.classes import SHARED
from vmconc.locks.held import holds
from vmconc.locks.lockmgr import lock_release, lock_shared, lock_shared_timed
from vmconc.locks.pip import pip_wakeup
from vmconc.locks.rules import IO_MAP_HELD, broken
from vmconc.locks.sites import site
from vmconc.locks.sleep import FOREVER
from vmconc.locks.token import token_swap
from vmconc.memory.jit import kernel
from vmconc.memory.operation import implements
from vmconc.memory.queries import bug, tracked
from vmconc.memory.refs import null, offset
from vmconc.protocols.chained.links import lose_tokens, release_chain
from vmconc.schedule.engine import pass_point
from vmconc.vm.events import (
    MAP_RELOCK_TIMED,
    MAP_UNLOCK_FOR_IO,
    RETRY_RELOCK,
    RETRY_TIMESTAMP,
    TOK_VNWALK,
    TS_FAIL,
    event,
)
from vmconc.vm.kern import KERN_SUCCESS
from vmconc.vm.object import object_drop, object_hold
from vmconc.vm.page import page_free, page_wakeup
from vmconc.vm.queue import page_deactivate
from vmconc.vm.structs import OBJ_DEAD, OBJT_VNODE
from vmconc.vm.walk import VNODE, VNODE_WALK, undo_retry, unlock_things, walk_drop, walk_undo

RELOCK = site("vm_fault.relock_map")
RELOCK_PATIENCE = 100_000_000  # ns


@kernel
def next_for_vnode(cpu, fs, object):
    """Go one object down on the way to the file, hand over hand; return where that led, `object` if its link changed.

    Locks: entry  the first object's token, and the object's own shared if it is another
           exit   the same of the object returned
    """
    below = object.backing_object
    object_hold(cpu, below, SHARED, VNODE_WALK)
    event(cpu, TOK_VNWALK)
    if bug(cpu, "B64"):
        lose_tokens(cpu)
    if object.backing_object != below:
        if not bug(cpu, "B64"):
            object_drop(cpu, below)
        return object
    if object != fs.first_object:
        token_swap(cpu)
        object_drop(cpu, object)
    return below


@kernel
def lock_vnode(cpu, fs):
    """Lock the file at the bottom of the chain shared, if there is one (vnode_pager_lock).

    No chain lock is held yet: an object on the way may have been collapsed, then the walk begins anew.

    Locks: entry  the map shared, the first object's token
           exit   the vnode shared as well
    """
    object = fs.first_object
    while object.type != OBJT_VNODE:
        if object.flags & OBJ_DEAD != 0 and object != fs.first_object:
            object_drop(cpu, object)
            object = fs.first_object
        if not object.backing_object:
            break
        object = next_for_vnode(cpu, fs, object)
    if object.type == OBJT_VNODE:
        fs.vnode = object.vnode
        lock_shared(cpu, fs.vnode.lock, VNODE)
    if object != fs.first_object:
        object_drop(cpu, object)


@implements(walk_drop, "chained")
def drop_layers(cpu, fs):
    """Let go of everything below the first object.

    Locks: entry  tokens of the first object and of the layer, chain locks down to it, the layer's pip
           exit   token and chain lock of the first object
    """
    if fs.layer != 0:
        pip_wakeup(cpu, fs.object.pip)
        release_chain(cpu, fs.first_object.backing_object, fs.object)
        object_drop(cpu, fs.object)


@kernel
def leave_chain(cpu, fs):
    """Release all chain locks and the layer's token.

    Locks: entry  tokens of the first object and of the layer, chain locks down to it
           exit   the first object's token
    """
    release_chain(cpu, fs.first_object, fs.object)
    if fs.layer != 0:
        object_drop(cpu, fs.object)


@kernel
def cleanup(cpu, fs):
    """Free the junk page of the first object and end paging in the layer.

    Locks: entry  the first object's token, the layer's pip, no chain lock
           exit   map, vnode, first object's token
    """
    if fs.layer != 0:
        if fs.first_page:
            page_free(cpu, fs.first_page)
            fs.first_page = null(fs.first_page)
        pip_wakeup(cpu, fs.object.pip)


@implements(walk_undo, "chained")
def undo(cpu, fs):
    """Release everything an unfinished walk holds, the current page excepted.

    Locks: entry  as the walk left them
           exit   none
    """
    pip_wakeup(cpu, fs.first_object.pip)
    leave_chain(cpu, fs)
    cleanup(cpu, fs)
    unlock_things(cpu, fs)


@kernel
def unlock_for_io(cpu, fs):
    """Unlock the map for the time the pager takes; whatever it said may be wrong afterwards.

    Locks: entry  the map shared, unless it is unlocked already
           exit   the map not
    """
    if fs.map_held != 0:
        fs.map_held = 0
        lock_release(cpu, fs.map.lock)
        event(cpu, MAP_UNLOCK_FOR_IO)
    if tracked(cpu) and holds(cpu, offset(fs.map.lock)):
        broken(cpu, IO_MAP_HELD, offset(fs.map), 0, 0)


@kernel
def give_page_up(cpu, fs, reason):
    """The map is not as it was: leave the page where it is and ask for another attempt.

    Locks: entry  as the walk left them, fs.page hard-busy
           exit   none
    """
    page_deactivate(cpu, fs.page)
    page_wakeup(cpu, fs.page)
    return undo_retry(cpu, fs, reason)


@kernel
def map_changed(cpu, fs, locked):
    """Tell whether the map was changed since it was looked up.  (B1 never asks, B2 while the map is not locked yet.)

    Locks: entry  the map shared if `locked`
           exit   same
    """
    if bug(cpu, "B1") or bug(cpu, "B2") == locked:
        return False
    changed = fs.map.timestamp != fs.generation
    if bug(cpu, "B2"):
        pass_point(cpu, 0)
    return changed


@kernel
def relock_map(cpu, fs):
    """Make sure that the map is locked and as it was: KERN_SUCCESS, or KERN_TRY_AGAIN with everything released.

    The map comes before all that is held in the order of locks, so it is not waited for without end.

    Locks: entry  as the walk left them, fs.page hard-busy
           exit   on KERN_SUCCESS the same and the map shared, else none
    """
    if fs.map_held != 0:
        return KERN_SUCCESS
    event(cpu, MAP_RELOCK_TIMED)
    patience = FOREVER if bug(cpu, "B3") else RELOCK_PATIENCE
    changed = map_changed(cpu, fs, False)
    if not lock_shared_timed(cpu, fs.map.lock, patience, RELOCK):
        return give_page_up(cpu, fs, RETRY_RELOCK)
    fs.map_held = 1
    if changed or map_changed(cpu, fs, True):
        event(cpu, TS_FAIL)
        return give_page_up(cpu, fs, RETRY_TIMESTAMP)
    return KERN_SUCCESS
