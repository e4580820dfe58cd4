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
from vmconc.memory.queries import bug
from vmconc.memory.refs import offset
from vmconc.protocols.chained.hold import (
    cleanup,
    leave_chain,
    lock_vnode,
    relock_map,
    undo,
    unlock_for_io,
)
from vmconc.protocols.chained.links import chain_below_acquire, chain_object_acquire, lose_tokens
from vmconc.vm.events import (
    ATTEMPTS,
    PIP_ADDED,
    RETRY_PAGE_GONE,
    event,
)
from vmconc.vm.fault import enter_page, fault_attempt, map_lookup
from vmconc.vm.kern import KERN_FAILURE, KERN_SUCCESS
from vmconc.vm.object import object_drop, object_hold
from vmconc.vm.page import (
    page_free,
    page_lookup,
)
from vmconc.vm.pager import PAGER_ERROR, PAGER_OK, pager_get_page
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
    search,
    undo_retry,
    unlock_things,
    walk_down,
    walk_has_below,
    walk_note,
    walk_read,
)

CHAIN_FIRST = site("vm_fault.first_chain")
CHAIN_LAYER = site("vm_fault.layer_chain")


@implements(walk_read, "chained")
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


@implements(walk_note, "chained")
def no_heuristic(cpu, fs, there):
    """Remember nothing: the next fault begins shared again.

    Locks: entry  tokens
           exit   same
    """


@implements(walk_has_below, "chained")
def has_below(fs):
    """Tell whether the chain goes on.

    Locks: entry  the chain lock of the current object
           exit   same
    """
    return bool(fs.object.backing_object)


@implements(walk_down, "chained")
def step_down(cpu, fs):
    """Go on to the next object.  The chain lock of the current one keeps the link as it is.

    Locks: entry  tokens of the first object and of the layer, chain locks down to it
           exit   tokens of the first object and of the next, chain locks down to that
    """
    below = fs.object.backing_object
    if bug(cpu, "B21"):
        lose_tokens(cpu)
    object_hold(cpu, below, mode_of(fs.shared), LAYER)
    chain_below_acquire(cpu, below, mode_of(fs.shared), CHAIN_LAYER)
    if fs.object.backing_object != below:
        broken(cpu, CHAIN_REFERENCED, offset(fs.object), offset(below), offset(fs.object.backing_object))
    fs.pindex += fs.object.backing_offset
    if fs.layer != 0:
        pip_wakeup(cpu, fs.object.pip)
        if not bug(cpu, "B65"):
            token_swap(cpu)
        object_drop(cpu, fs.object)
    if fs.first_shared != 0:
        broken(cpu, SHARED_BELOW, offset(below), 0, fs.layer + 1)
    fs.object = below
    fs.layer += 1
    pip_add(cpu, fs.object.pip, PIP_LAYER)
    event(cpu, PIP_ADDED)


@kernel
def walk(cpu, fs):
    """Find or make the page (vm_fault_object).

    Locks: entry  map shared, first token, vnode
           exit   on KERN_SUCCESS the same, fs.page hard-busy, perhaps a layer's pip and a junk page; else none
    """
    if not bug(cpu, "B21"):
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
