"""vm_fault under `backing`: walk the entry's list; the map stays locked shared from lookup to the end of the attempt.

A page-in always ends in another attempt.  (DragonFly 9de48ead `sys/vm/vm_fault.c`; `dragonfly.md` 3.)
"""

from vmconc.locks.busy import busy_sleep
from vmconc.locks.classes import SHARED
from vmconc.locks.hook import holds
from vmconc.locks.lockmgr import lock_mode, lock_release, lock_shared
from vmconc.locks.pip import pip_add, pip_wakeup
from vmconc.locks.rules import IO_MAP_RELEASED, SHARED_BELOW, broken
from vmconc.locks.token import token_swap
from vmconc.memory.jit import kernel
from vmconc.memory.operation import implements
from vmconc.memory.pagebytes import PAGE_SIZE
from vmconc.memory.queries import tracked
from vmconc.memory.refs import at, null, offset
from vmconc.memory.segment import HEADER
from vmconc.vm.events import (
    ATTEMPTS,
    PIP_ADDED,
    RETRY_ALLOC,
    RETRY_BUSY,
    RETRY_NEED_ALL,
    RETRY_NEED_FIRST,
    RETRY_PAGED_IN,
    RETRY_PAGER_ALL,
    RETRY_PAGER_FIRST,
    TOK_VNWALK,
    event,
    retried,
)
from vmconc.vm.fault import copy_page, enter_page, fault_attempt, map_lookup, zero_fill
from vmconc.vm.kern import KERN_FAILURE, KERN_PROTECTION_FAILURE, KERN_SUCCESS, KERN_TRY_AGAIN
from vmconc.vm.object import object_drop, object_hold
from vmconc.vm.opcodes import OUTCOME_COPY, OUTCOME_PAGEIN_COPY, OUTCOME_ZERO
from vmconc.vm.page import (
    ABSENT,
    BUSY,
    memory_wait,
    page_alloc,
    page_free,
    page_lookup,
    page_lookup_busy_try,
    page_wakeup,
)
from vmconc.vm.pager import PAGER_ERROR, PAGER_OK, has_pager, pager_get_page
from vmconc.vm.pmap import pmap_remove
from vmconc.vm.queue import page_activate, page_deactivate, page_unqueue
from vmconc.vm.structs import BACK_EXCL_HEUR, OBJ_DEAD, OBJT_VNODE, VALID_ALL
from vmconc.vm.walk import (
    FIRST,
    LAYER,
    PAGE_SLEEP,
    PIP_FIRST,
    PIP_LAYER,
    VNODE,
    VNODE_WALK,
    WALK_DEEPER,
    WALK_FOUND,
    begin_walk,
    mark_writeable,
    mode_of,
    need_exclusive,
    note_found,
    return_to_first,
    unlock_vnode,
)


@kernel
def heuristic(cpu, fs, on):
    """Remember on the head whether the last fault had to allocate."""
    head = fs.entry.ba
    head.flags = head.flags | BACK_EXCL_HEUR if on else head.flags & ~BACK_EXCL_HEUR


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


@kernel
def drop_layer(cpu, fs):
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
    drop_layer(cpu, fs)
    if fs.layer != 0 and fs.first_page:
        if fs.first_page.valid == VALID_ALL:
            page_wakeup(cpu, fs.first_page)
        else:
            page_free(cpu, fs.first_page)
        fs.first_page = null(fs.first_page)


@kernel
def unlock_things(cpu, fs):
    """End an attempt.

    Locks: entry  map, vnode, first object's token
           exit   none
    """
    fs.map_held = 0
    lock_release(cpu, fs.map.lock)
    unlock_vnode(cpu, fs)
    object_drop(cpu, fs.first_object)


@kernel
def undo(cpu, fs):
    """Release everything an unfinished walk holds, the current page excepted.

    Locks: entry  as the walk left them
           exit   none
    """
    pip_wakeup(cpu, fs.first_object.pip)
    cleanup(cpu, fs)
    unlock_things(cpu, fs)


@kernel
def undo_retry(cpu, fs, reason):
    """Release everything and ask for another attempt."""
    undo(cpu, fs)
    retried(cpu, reason)
    return KERN_TRY_AGAIN


@kernel
def undo_sleep(cpu, fs, page):
    """Release everything, sleep once on a page that somebody else has busy, ask for another attempt."""
    undo(cpu, fs)
    busy_sleep(cpu, page.busy, True, PAGE_SLEEP)
    retried(cpu, RETRY_BUSY)
    return KERN_TRY_AGAIN


@kernel
def read_page(cpu, fs):
    """Ask the layer's pager for fs.page.

    Locks: entry  map shared, tokens exclusively, vnode, the page hard-busy
           exit   none if a KERN_* result; the same if WALK_DEEPER, and the page is freed below the first layer
    """
    result = pager_get_page(cpu, fs.object, fs.page)
    if tracked(cpu):
        shared = holds(cpu, offset(fs.map.lock)) and lock_mode(cpu, fs.map.lock) == SHARED
        if not shared or fs.map.timestamp != fs.generation:
            broken(cpu, IO_MAP_RELEASED, offset(fs.map), fs.generation, fs.map.timestamp)
    if result == PAGER_OK:
        fs.read_in = 1
        page = page_lookup(cpu, fs.object, fs.pindex)
        if page:
            page_activate(cpu, page)
            page_wakeup(cpu, page)
        return undo_retry(cpu, fs, RETRY_PAGED_IN)
    if result == PAGER_ERROR:
        page_free(cpu, fs.page)
        undo(cpu, fs)
        return KERN_FAILURE
    if fs.layer != 0:
        page_free(cpu, fs.page)
    return WALK_DEEPER


@kernel
def resident_page(cpu, fs):
    """Deal with a page that is there and now ours: found, or to be read because it is not valid.

    Locks: entry  map shared, tokens, the page hard-busy
           exit   none if a KERN_* result, else the same
    """
    page_unqueue(cpu, fs.page)
    if fs.page.valid == VALID_ALL:
        heuristic(cpu, fs, False)
        return WALK_FOUND
    if not has_pager(fs.object):
        if fs.layer != 0:
            page_wakeup(cpu, fs.page)
        return WALK_DEEPER
    if need_exclusive(fs):
        page_deactivate(cpu, fs.page)
        page_wakeup(cpu, fs.page)
        return undo_retry(cpu, fs, RETRY_PAGER_FIRST if fs.layer == 0 else RETRY_PAGER_ALL)
    return read_page(cpu, fs)


@kernel
def absent_page(cpu, fs):
    """Deal with a page that is not in a layer where one has to be made: allocate it, ask the pager.

    Locks: entry  map shared, tokens
           exit   none if a KERN_* result, else the same and fs.page hard-busy in the first layer
    """
    heuristic(cpu, fs, True)
    if need_exclusive(fs):
        return undo_retry(cpu, fs, RETRY_NEED_FIRST if fs.layer == 0 else RETRY_NEED_ALL)
    if fs.pindex >= fs.object.size:
        undo(cpu, fs)
        return KERN_PROTECTION_FAILURE
    fs.page = page_alloc(cpu, fs.object, fs.pindex)
    if not fs.page:
        undo(cpu, fs)
        memory_wait(cpu)
        retried(cpu, RETRY_ALLOC)
        return KERN_TRY_AGAIN
    return read_page(cpu, fs) if has_pager(fs.object) else WALK_DEEPER


@kernel
def look_in_layer(cpu, fs):
    """Look for the page in the current layer.

    Locks: entry  map shared, tokens of the first object and of the layer
           exit   none if a KERN_* result, else the same and, if WALK_FOUND, fs.page hard-busy
    """
    if fs.object.flags & OBJ_DEAD != 0:
        undo(cpu, fs)
        return KERN_PROTECTION_FAILURE
    found, page = page_lookup_busy_try(cpu, fs.object, fs.pindex, True)
    if found == BUSY:
        return undo_sleep(cpu, fs, page)
    if found != ABSENT:
        fs.page = page
        return resident_page(cpu, fs)
    if fs.layer == 0 or has_pager(fs.object):
        return absent_page(cpu, fs)
    return WALK_DEEPER


@kernel
def step_down(cpu, fs):
    """Go on to the next layer.

    Locks: entry  map shared, tokens of the first object and of the layer
           exit   map shared, tokens of the first object and of the next layer
    """
    below = fs.ba.backing_ba
    object_hold(cpu, below.object, mode_of(fs.shared), LAYER)
    if fs.layer != 0:
        pip_wakeup(cpu, fs.object.pip)
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
def zero_first(cpu, fs):
    """No layer has the page: clear the first object's.

    Locks: entry  map shared, tokens, fs.first_page hard-busy
           exit   map shared, first token, fs.page hard-busy
    """
    drop_layer(cpu, fs)
    return_to_first(fs)
    zero_fill(cpu, fs.page)
    fs.outcome = OUTCOME_ZERO


@kernel
def copy_up(cpu, fs):
    """Copy the page found in a deeper layer into the first object's.

    Locks: entry  map shared, tokens, both pages hard-busy
           exit   map shared, first token, fs.page hard-busy
    """
    source = fs.page
    copy_page(cpu, source, fs.first_page)
    pmap_remove(cpu, fs.space.pmap, fs.va, fs.va + PAGE_SIZE)
    page_deactivate(cpu, source)
    page_wakeup(cpu, source)
    drop_layer(cpu, fs)
    return_to_first(fs)
    fs.outcome = OUTCOME_PAGEIN_COPY if fs.read_in != 0 else OUTCOME_COPY


@kernel
def use_found(cpu, fs):
    """A valid page is found: copy it up for a write, map it read-only from a deeper layer for a read.

    Locks: entry  map shared, tokens, fs.page hard-busy
           exit   the same, perhaps without the layer
    """
    note_found(fs)
    if fs.layer == 0:
        return
    if fs.write:
        copy_up(cpu, fs)
    else:
        fs.may_write = 0


@kernel
def walk(cpu, fs):
    """Find or make the page (vm_fault_object).

    Locks: entry  map shared, first token, vnode
           exit   on KERN_SUCCESS the same, fs.page hard-busy, perhaps a layer and a junk page; else none
    """
    pip_add(cpu, fs.first_object.pip, PIP_FIRST)
    event(cpu, PIP_ADDED)
    while True:
        result = look_in_layer(cpu, fs)
        if result == WALK_FOUND:
            use_found(cpu, fs)
            break
        if result != WALK_DEEPER:
            return result
        if fs.layer == 0:
            fs.first_page = fs.page
        if not fs.ba.backing_ba:
            fs.depth = fs.layer
            zero_first(cpu, fs)
            break
        step_down(cpu, fs)
    mark_writeable(fs)
    pip_wakeup(cpu, fs.first_object.pip)
    return KERN_SUCCESS


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
