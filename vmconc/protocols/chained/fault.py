"""vm_fault under `chained`: walk the chain of objects, locking each link; the map is unlocked while a page is read.

Afterwards the map is locked again against the order of locks, so with a time-out, and its timestamp compared.  What
DragonFly calls a virtual copy, moving a page up instead of copying it, can only be reached through the swap pager
and comes with it.  (DragonFly `sys/vm/vm_fault.c` before 9de48ead; `dragonfly.md` 3.)
"""

from vmconc.locks.pip import pip_add, pip_wakeup
from vmconc.locks.rules import CHAIN_REFERENCED, SHARED_BELOW, broken
from vmconc.locks.sites import site
from vmconc.locks.token import token_swap
from vmconc.memory.jit import kernel
from vmconc.memory.operation import implements
from vmconc.memory.pagebytes import PAGE_SIZE
from vmconc.memory.refs import offset
from vmconc.protocols.chained.hold import (
    cleanup,
    drop_layers,
    leave_chain,
    lock_vnode,
    relock_map,
    undo,
    undo_retry,
    undo_sleep,
    unlock_for_io,
    unlock_things,
)
from vmconc.protocols.chained.links import chain_below_acquire, chain_object_acquire
from vmconc.vm.events import (
    ATTEMPTS,
    PIP_ADDED,
    RETRY_ALLOC,
    RETRY_NEED_ALL,
    RETRY_NEED_FIRST,
    RETRY_PAGE_GONE,
    RETRY_PAGER_ALL,
    RETRY_PAGER_FIRST,
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
from vmconc.vm.pmap import FLAGS, pmap_extract, pmap_remove
from vmconc.vm.queue import page_deactivate, page_unqueue
from vmconc.vm.structs import OBJ_DEAD, VALID_ALL
from vmconc.vm.walk import (
    FIRST,
    LAYER,
    PIP_FIRST,
    PIP_LAYER,
    WALK_DEEPER,
    WALK_FOUND,
    begin_walk,
    mark_writeable,
    mode_of,
    need_exclusive,
    note_found,
    return_to_first,
)

CHAIN_FIRST = site("vm_fault.first_chain")
CHAIN_LAYER = site("vm_fault.layer_chain")


@kernel
def read_page(cpu, fs):
    """Ask the layer's pager for fs.page.

    Locks: entry  tokens exclusively, chain locks, vnode, the page hard-busy; the map shared or not
           exit   none if a KERN_* result; else the same without the map; if WALK_DEEPER a deeper page is freed
    """
    unlock_for_io(cpu, fs)
    result = pager_get_page(cpu, fs.object, fs.page)
    if result == PAGER_OK:
        fs.read_in = 1
        if page_lookup(cpu, fs.object, fs.pindex) != fs.page:
            return undo_retry(cpu, fs, RETRY_PAGE_GONE)
        return WALK_FOUND
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

    Locks: entry  tokens, chain locks, the page hard-busy; the map shared or not
           exit   none if a KERN_* result, else the same, the map perhaps unlocked
    """
    page_unqueue(cpu, fs.page)
    if fs.page.valid == VALID_ALL:
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

    Locks: entry  tokens, chain locks; the map shared or not
           exit   none if a KERN_* result; else the same, the map perhaps unlocked; fs.page hard-busy in the first layer
    """
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

    Locks: entry  tokens of the first object and of the layer, chain locks down to it; the map shared or not
           exit   none if a KERN_* result; else the same, the map perhaps unlocked; if WALK_FOUND fs.page hard-busy
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
    """Go on to the next object.  The chain lock of the current one keeps the link as it is.

    Locks: entry  tokens of the first object and of the layer, chain locks down to it
           exit   tokens of the first object and of the next, chain locks down to that
    """
    below = fs.object.backing_object
    object_hold(cpu, below, mode_of(fs.shared), LAYER)
    chain_below_acquire(cpu, below, mode_of(fs.shared), CHAIN_LAYER)
    if fs.object.backing_object != below:
        broken(cpu, CHAIN_REFERENCED, offset(fs.object), offset(below), offset(fs.object.backing_object))
    fs.pindex += fs.object.backing_offset
    if fs.layer != 0:
        pip_wakeup(cpu, fs.object.pip)
        token_swap(cpu)
        object_drop(cpu, fs.object)
    if fs.first_shared != 0:
        broken(cpu, SHARED_BELOW, offset(below), 0, fs.layer + 1)
    fs.object = below
    fs.layer += 1
    pip_add(cpu, fs.object.pip, PIP_LAYER)
    event(cpu, PIP_ADDED)


@kernel
def zero_first(cpu, fs):
    """No object has the page: clear the first one's.

    Locks: entry  tokens, chain locks, fs.first_page hard-busy
           exit   token and chain lock of the first object, fs.page hard-busy
    """
    drop_layers(cpu, fs)
    return_to_first(fs)
    zero_fill(cpu, fs.page)
    fs.outcome = OUTCOME_ZERO


@kernel
def copy_up(cpu, fs):
    """Copy the page found in a deeper object into the first one's.

    Locks: entry  tokens, chain locks, both pages hard-busy
           exit   token and chain lock of the first object, fs.page hard-busy
    """
    source = fs.page
    copy_page(cpu, source, fs.first_page)
    if pmap_extract(fs.space.pmap, fs.va) & ~FLAGS == source.frame:  # the map may be unlocked: another's stays
        pmap_remove(cpu, fs.space.pmap, fs.va, fs.va + PAGE_SIZE)
    page_deactivate(cpu, source)
    page_wakeup(cpu, source)
    drop_layers(cpu, fs)
    return_to_first(fs)
    fs.outcome = OUTCOME_PAGEIN_COPY if fs.read_in != 0 else OUTCOME_COPY


@kernel
def use_found(cpu, fs):
    """A valid page is found: copy it up for a write, map it read-only from a deeper object for a read.

    Locks: entry  tokens, chain locks, fs.page hard-busy
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
def search(cpu, fs):
    """Go down the chain until the page is found or made: KERN_SUCCESS with fs.page hard-busy, or another result.

    Locks: entry  token and chain lock of the first object, its pip
           exit   on KERN_SUCCESS the same, perhaps tokens and chain locks down to a layer; else none
    """
    while True:
        result = look_in_layer(cpu, fs)
        if result == WALK_FOUND:
            use_found(cpu, fs)
            return KERN_SUCCESS
        if result != WALK_DEEPER:
            return result
        if fs.layer == 0:
            fs.first_page = fs.page
        if not fs.object.backing_object:
            fs.depth = fs.layer
            zero_first(cpu, fs)
            return KERN_SUCCESS
        step_down(cpu, fs)


@kernel
def walk(cpu, fs):
    """Find or make the page (vm_fault_object).

    Locks: entry  map shared, first token, vnode
           exit   on KERN_SUCCESS the same, fs.page hard-busy, perhaps a layer's pip and a junk page; else none
    """
    chain_object_acquire(cpu, fs.first_object, mode_of(fs.shared), CHAIN_FIRST)
    pip_add(cpu, fs.first_object.pip, PIP_FIRST)
    event(cpu, PIP_ADDED)
    status = search(cpu, fs)
    if status == KERN_SUCCESS:
        status = relock_map(cpu, fs)
    if status == KERN_SUCCESS:
        mark_writeable(fs)
        pip_wakeup(cpu, fs.first_object.pip)
        leave_chain(cpu, fs)
    return status


@implements(fault_attempt, "chained")
def attempt(cpu, fs):
    """One attempt: look the map up, lock, walk, enter the page, unlock."""
    event(cpu, ATTEMPTS)
    status = map_lookup(cpu, fs)
    if status != KERN_SUCCESS:
        return status
    begin_walk(cpu, fs)
    object_hold(cpu, fs.first_object, mode_of(fs.first_shared), FIRST)
    lock_vnode(cpu, fs)
    status = walk(cpu, fs)
    if status == KERN_SUCCESS:
        enter_page(cpu, fs)
        cleanup(cpu, fs)
        unlock_things(cpu, fs)
    return status
