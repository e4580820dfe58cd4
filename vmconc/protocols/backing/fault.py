"""vm_fault under `backing`: walk the entry's list; the map stays locked shared from lookup to the end of the attempt.

A page-in always ends in another attempt.  (DragonFly 9de48ead `sys/vm/vm_fault.c`; `dragonfly.md` 3.)
"""

from vmconc.locks.classes import SHARED, VM_MAP
from vmconc.locks.hook import holds, times_acquired
from vmconc.locks.lockmgr import lock_mode, lock_release, lock_shared, lock_shared_timed
from vmconc.locks.pip import pip_add, pip_wakeup
from vmconc.locks.rules import IO_MAP_RELEASED, SHARED_BELOW, broken
from vmconc.locks.token import token_swap
from vmconc.memory.jit import kernel
from vmconc.memory.operation import implements
from vmconc.memory.queries import bug, tracked
from vmconc.memory.refs import at, null, offset
from vmconc.memory.segment import HEADER
from vmconc.vm.events import (
    ATTEMPTS,
    PIP_ADDED,
    RETRY_PAGED_IN,
    TOK_VNWALK,
    event,
)
from vmconc.vm.fault import LOOKUP, enter_page, fault_attempt, map_lookup
from vmconc.vm.kern import KERN_FAILURE, KERN_SUCCESS
from vmconc.vm.object import object_drop, object_hold
from vmconc.vm.page import (
    page_free,
    page_lookup,
    page_wakeup,
)
from vmconc.vm.pager import PAGER_ERROR, PAGER_OK, pager_get_page
from vmconc.vm.queue import page_activate
from vmconc.vm.structs import BACK_EXCL_HEUR, OBJT_VNODE, VALID_ALL
from vmconc.vm.walk import (
    FIRST,
    LAYER,
    PIP_FIRST,
    PIP_LAYER,
    VNODE,
    VNODE_WALK,
    WALK_DEEPER,
    WALK_FOUND,
    begin_walk,
    mark_writeable,
    mode_of,
    search,
    undo_retry,
    unlock_things,
    walk_down,
    walk_drop,
    walk_has_below,
    walk_note,
    walk_read,
    walk_undo,
)

B4_PATIENCE = 100_000_000  # ns


@implements(walk_note, "backing")
def heuristic(cpu, fs, there):
    """Remember on the head whether the last fault had to allocate.

    Locks: entry  the map shared: concurrent faults may overwrite one another's
           exit   same
    """
    head = fs.entry.ba
    head.flags = head.flags & ~BACK_EXCL_HEUR if there else head.flags | BACK_EXCL_HEUR


@kernel
def lock_vnode(cpu, fs):
    """Lock the file at the bottom of the list shared, if there is one (vnode_pager_lock).

    Locks: entry  the map shared, the first object's token
           exit   the vnode shared as well
    """
    bottom = fs.entry.ba
    while bottom.backing_ba:
        bottom = bottom.backing_ba
    object = bottom.object
    deeper = object != fs.first_object
    if deeper:
        object_hold(cpu, object, SHARED, VNODE_WALK)
        event(cpu, TOK_VNWALK)
    if object.type == OBJT_VNODE:
        fs.vnode = object.vnode
        lock_shared(cpu, fs.vnode.lock, VNODE)
    if deeper:
        object_drop(cpu, object)


@implements(walk_drop, "backing")
def drop_layers(cpu, fs):
    """Let go of the current layer if it is not the first.

    Locks: entry  tokens of the first object and of the layer, the layer's pip
           exit   the first object's token
    """
    if fs.layer != 0:
        pip_wakeup(cpu, fs.object.pip)
        object_drop(cpu, fs.object)


@kernel
def cleanup(cpu, fs):
    """Free the junk page of the first object, unless it has become valid, and let go of the layer.

    Locks: entry  as the walk left them
           exit   map, vnode, first object's token
    """
    drop_layers(cpu, fs)
    if fs.layer != 0 and fs.first_page:
        if fs.first_page.valid == VALID_ALL:
            page_wakeup(cpu, fs.first_page)
        else:
            page_free(cpu, fs.first_page)
        fs.first_page = null(fs.first_page)


@implements(walk_undo, "backing")
def undo(cpu, fs):
    """Release everything an unfinished walk holds, the current page excepted.

    Locks: entry  as the walk left them
           exit   none
    """
    pip_wakeup(cpu, fs.first_object.pip)
    cleanup(cpu, fs)
    unlock_things(cpu, fs)


@kernel
def undo_error(cpu, fs):
    """Release everything after a page could not be read.

    Locks: entry  as the walk left them, without the page
           exit   none
    """
    paged = fs.object if bug(cpu, "B5") else fs.first_object  # B5: the layer's, which cleanup takes down as well
    pip_wakeup(cpu, paged.pip)
    cleanup(cpu, fs)
    unlock_things(cpu, fs)


@kernel
def fill_page(cpu, fs):
    """Have the pager fill fs.page with the map locked.  (B4 unlocks it meanwhile and asks nothing afterwards.)

    Locks: entry  map shared, tokens exclusively, vnode, the page hard-busy
           exit   same; tokens were lost
    """
    if bug(cpu, "B4"):
        lock_release(cpu, fs.map.lock)
    result = pager_get_page(cpu, fs.object, fs.page)
    if bug(cpu, "B4"):
        lock_shared_timed(cpu, fs.map.lock, B4_PATIENCE, LOOKUP)
    return result


@kernel
def fill_page_watched(cpu, fs):
    """Have the pager fill fs.page, and see that the map stayed locked, shared, all the time.

    Who lets go of it and locks it again has acquired it once more, whether or not others changed it meanwhile.

    Locks: entry  map shared, tokens exclusively, vnode, the page hard-busy
           exit   same; tokens were lost
    """
    before = times_acquired(cpu, VM_MAP)
    result = fill_page(cpu, fs)
    if tracked(cpu):
        shared = holds(cpu, offset(fs.map.lock)) and lock_mode(cpu, fs.map.lock) == SHARED
        now = times_acquired(cpu, VM_MAP)
        if not shared or now != before:
            broken(cpu, IO_MAP_RELEASED, offset(fs.map), 0, now - before)
    return result


@implements(walk_read, "backing")
def read_page(cpu, fs):
    """Ask the layer's pager for fs.page.  (B50: the file system, done with the read, locks the map once more.)

    Locks: entry  map shared, tokens exclusively, vnode, the page hard-busy
           exit   none if a KERN_* result; the same if WALK_DEEPER, and the page is freed below the first layer
    """
    result = fill_page_watched(cpu, fs)
    if bug(cpu, "B50"):
        lock_shared(cpu, fs.map.lock, LOOKUP)
        lock_release(cpu, fs.map.lock)
    if result == PAGER_OK:
        fs.read_in = 1
        page = page_lookup(cpu, fs.object, fs.pindex)
        if page:
            page_activate(cpu, page)
            page_wakeup(cpu, page)
        if bug(cpu, "B6"):  # goes on with a page that is anybody's
            return WALK_FOUND
        return undo_retry(cpu, fs, RETRY_PAGED_IN)
    if result == PAGER_ERROR:
        page_free(cpu, fs.page)
        undo_error(cpu, fs)
        return KERN_FAILURE
    if fs.layer != 0:
        page_free(cpu, fs.page)
    return WALK_DEEPER


@implements(walk_has_below, "backing")
def has_below(fs):
    """Tell whether the list goes on.

    Locks: entry  the map shared
           exit   same
    """
    return bool(fs.ba.backing_ba)


@implements(walk_down, "backing")
def step_down(cpu, fs):
    """Go on to the next layer.

    Locks: entry  map shared, tokens of the first object and of the layer
           exit   map shared, tokens of the first object and of the next layer
    """
    below = fs.ba.backing_ba
    object_hold(cpu, below.object, mode_of(fs.shared), LAYER)
    if fs.layer != 0:
        pip_wakeup(cpu, fs.object.pip)
        if not bug(cpu, "B65"):
            token_swap(cpu)
        object_drop(cpu, fs.object)
    if fs.first_shared != 0:
        broken(cpu, SHARED_BELOW, offset(below.object), 0, fs.layer + 1)
    fs.ba = below
    fs.object = below.object
    fs.pindex += below.offset
    fs.layer += 1
    pip_add(cpu, fs.object.pip, PIP_LAYER)
    event(cpu, PIP_ADDED)


@kernel
def walk(cpu, fs):
    """Find or make the page (vm_fault_object).

    Locks: entry  map shared, first token, vnode
           exit   on KERN_SUCCESS the same, fs.page hard-busy, perhaps a layer and a junk page; else none
    """
    pip_add(cpu, fs.first_object.pip, PIP_FIRST)
    event(cpu, PIP_ADDED)
    status = search(cpu, fs)
    if status == KERN_SUCCESS:
        mark_writeable(fs)
        pip_wakeup(cpu, fs.first_object.pip)
    return status


@kernel
def begin(cpu, fs):
    """Stand at the head; begin exclusively if the last fault here had to allocate."""
    begin_walk(cpu, fs)
    fs.ba = fs.entry.ba
    if at(cpu, "Machine", HEADER).heuristic != 0 and fs.entry.ba.flags & BACK_EXCL_HEUR != 0:
        fs.first_shared = 0


@implements(fault_attempt, "backing")
def attempt(cpu, fs):
    """One attempt: look the map up, lock, walk, enter the page, unlock."""
    event(cpu, ATTEMPTS)
    status = map_lookup(cpu, fs)
    if status != KERN_SUCCESS:
        return status
    begin(cpu, fs)
    object_hold(cpu, fs.first_object, mode_of(fs.first_shared), FIRST)
    lock_vnode(cpu, fs)
    status = walk(cpu, fs)
    if status == KERN_SUCCESS:
        enter_page(cpu, fs)
        cleanup(cpu, fs)
        unlock_things(cpu, fs)
    return status
