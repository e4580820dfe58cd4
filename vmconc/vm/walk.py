"""The walk over layers, front to back: what both eras do alike.  How layers are linked and let go of are operations.

A protocol that walks in a way of its own provides `fault_attempt` alone.  (DragonFly `sys/vm/vm_fault.c`
vm_fault_object; `dragonfly.md` 3.2.)
"""

from vmconc.locks.busy import busy_sleep
from vmconc.locks.classes import EXCLUSIVE, SHARED
from vmconc.locks.lockmgr import lock_release
from vmconc.locks.sites import site
from vmconc.locks.token import token_get, token_release
from vmconc.memory.jit import kernel
from vmconc.memory.operation import operation
from vmconc.memory.pagebytes import PAGE_SIZE
from vmconc.memory.queries import bug
from vmconc.memory.refs import at, null
from vmconc.vm.events import (
    RETRY_ALLOC,
    RETRY_BUSY,
    RETRY_NEED_ALL,
    RETRY_NEED_FIRST,
    RETRY_PAGER_ALL,
    RETRY_PAGER_FIRST,
    retried,
)
from vmconc.vm.fault import copy_page, zero_fill
from vmconc.vm.kern import KERN_PROTECTION_FAILURE, KERN_SUCCESS, KERN_TRY_AGAIN
from vmconc.vm.object import object_drop, object_set
from vmconc.vm.opcodes import OUTCOME_COPY, OUTCOME_HIT, OUTCOME_PAGEIN, OUTCOME_PAGEIN_COPY, OUTCOME_ZERO
from vmconc.vm.page import ABSENT, BUSY, memory_wait, page_alloc, page_lookup_busy_try, page_wakeup
from vmconc.vm.pager import has_pager
from vmconc.vm.pmap import FLAGS, pmap_extract, pmap_remove
from vmconc.vm.queue import page_deactivate, page_unqueue
from vmconc.vm.structs import OBJ_DEAD, OBJ_MIGHTBEDIRTY, OBJ_WRITEABLE, VALID_ALL

FIRST = site("vm_fault.first_object")
LAYER = site("vm_fault.layer")
VNODE_WALK = site("vnode_pager_lock.bottom")
VNODE = site("vnode_pager_lock.vget")
PIP_FIRST = site("vm_fault.first_pip")
PIP_LAYER = site("vm_fault.layer_pip")
PAGE_SLEEP = site("vmpfw")

# What a step of the walk came to; a KERN_* result ends the walk.
WALK_FOUND = 100  # fs.page is hard-busy and valid
WALK_DEEPER = 101  # nothing in this layer


@operation
def walk_undo(cpu, fs):
    """Release everything an unfinished walk holds, the current page excepted.

    Locks: entry  as the walk left them
           exit   none
    """


@operation
def walk_read(cpu, fs):
    """Ask the layer's pager for fs.page.

    Locks: entry  tokens exclusively, the vnode, the page hard-busy
           exit   none if a KERN_* result; else the same, and if WALK_DEEPER the page of a deeper layer is freed
    """


@operation
def walk_note(cpu, fs, there):
    """Note whether the page that is looked for was there or has to be made.

    Locks: entry  tokens
           exit   same
    """


@operation
def walk_has_below(fs):
    """Tell whether there is a layer below the current one.

    Locks: entry  tokens of the first object and of the layer
           exit   same
    """


@operation
def walk_down(cpu, fs):
    """Go on to the next layer.

    Locks: entry  tokens of the first object and of the layer
           exit   tokens of the first object and of the next layer, its pip
    """


@operation
def walk_drop(cpu, fs):
    """Let go of everything below the first object.

    Locks: entry  tokens of the first object and of the layer, the layer's pip
           exit   the first object's token
    """


@kernel
def mode_of(shared):
    """Return the lock mode for a flag of the fault."""
    return SHARED if shared != 0 else EXCLUSIVE


@kernel
def unlock_vnode(cpu, fs):
    """Release the file's lock.  (`lock-leak`: not if the fault was of a first page.)"""
    if fs.vnode:
        if not (bug(cpu, "lock-leak") and fs.first_pindex == 0):
            lock_release(cpu, fs.vnode.lock)
        fs.vnode = null(fs.vnode)


@kernel
def need_exclusive(fs):
    """Tell whether this layer's token must become exclusive, and let the next attempt begin so."""
    if fs.layer == 0:
        needed = fs.first_shared != 0
        fs.first_shared = 0
        return needed
    needed = fs.shared != 0
    fs.first_shared = 0
    fs.shared = 0
    return needed


@kernel
def upgrade_first(cpu, fs):
    """Exchange the share of the first object's token for the whole, as if nobody came between (B29).

    Locks: entry  the first object's token shared
           exit   exclusively
    """
    if fs.layer == 0 and fs.first_shared != 0:
        token_release(cpu, fs.object.token)
        token_get(cpu, fs.object.token, EXCLUSIVE, FIRST)
        fs.first_shared = 0


@kernel
def return_to_first(fs):
    """Make the first object current again, with its page."""
    fs.object = fs.first_object
    fs.pindex = fs.first_pindex
    fs.page = fs.first_page
    fs.first_page = null(fs.first_page)
    fs.layer = 0


@kernel
def begin_walk(cpu, fs):
    """Stand at the first layer with nothing found."""
    fs.object = fs.first_object
    fs.pindex = fs.first_pindex
    fs.page = at(cpu, "VmPage", 0)
    fs.first_page = at(cpu, "VmPage", 0)
    fs.vnode = at(cpu, "Vnode", 0)
    fs.layer = 0


@kernel
def note_found(fs):
    """Note in which layer the page was found, and whether it came from a pager."""
    fs.depth = fs.layer
    fs.outcome = OUTCOME_PAGEIN if fs.read_in != 0 else OUTCOME_HIT


@kernel
def mark_writeable(fs):
    """Note on the object that a page of it is about to be mapped writable, if so.

    Locks: entry  the object's token
           exit   same
    """
    if fs.may_write != 0:
        object_set(fs.object, OBJ_WRITEABLE | OBJ_MIGHTBEDIRTY)


@kernel
def unlock_things(cpu, fs):
    """End an attempt.

    Locks: entry  the map unless it was unlocked for I/O, vnode, first object's token
           exit   none
    """
    if fs.map_held != 0:
        fs.map_held = 0
        lock_release(cpu, fs.map.lock)
    unlock_vnode(cpu, fs)
    object_drop(cpu, fs.first_object)


@kernel
def undo_retry(cpu, fs, reason):
    """Release everything and ask for another attempt."""
    walk_undo(cpu, fs)
    retried(cpu, reason)
    return KERN_TRY_AGAIN


@kernel
def undo_sleep(cpu, fs, page):
    """Release everything, sleep once on a page that somebody else has busy, ask for another attempt."""
    walk_undo(cpu, fs)
    busy_sleep(cpu, page.busy, True, PAGE_SLEEP)
    retried(cpu, RETRY_BUSY)
    return KERN_TRY_AGAIN


@kernel
def resident_page(cpu, fs):
    """Deal with a page that is there and now ours: found, or to be read because it is not valid.

    Locks: entry  tokens, the page hard-busy
           exit   none if a KERN_* result, else the same
    """
    page_unqueue(cpu, fs.page)
    if fs.page.valid == VALID_ALL:
        walk_note(cpu, fs, True)
        return WALK_FOUND
    if not has_pager(fs.object):
        if fs.layer != 0:
            page_wakeup(cpu, fs.page)
        return WALK_DEEPER
    if need_exclusive(fs):
        page_deactivate(cpu, fs.page)
        page_wakeup(cpu, fs.page)
        return undo_retry(cpu, fs, RETRY_PAGER_FIRST if fs.layer == 0 else RETRY_PAGER_ALL)
    return walk_read(cpu, fs)


@kernel
def absent_page(cpu, fs):
    """Deal with a page that is not in a layer where one has to be made: allocate it, ask the pager.

    Locks: entry  tokens
           exit   none if a KERN_* result, else the same and fs.page hard-busy in the first layer
    """
    walk_note(cpu, fs, False)
    if bug(cpu, "B29"):
        upgrade_first(cpu, fs)
    if not bug(cpu, "B27") and need_exclusive(fs):
        return undo_retry(cpu, fs, RETRY_NEED_FIRST if fs.layer == 0 else RETRY_NEED_ALL)
    if fs.pindex >= fs.object.size:
        walk_undo(cpu, fs)
        return KERN_PROTECTION_FAILURE
    fs.page = page_alloc(cpu, fs.object, fs.pindex)
    if not fs.page:
        frames = 2 if fs.first_page else 1  # the first object's page is given back and needed again
        walk_undo(cpu, fs)
        memory_wait(cpu, frames)
        retried(cpu, RETRY_ALLOC)
        return KERN_TRY_AGAIN
    return walk_read(cpu, fs) if has_pager(fs.object) else WALK_DEEPER


@kernel
def look_in_layer(cpu, fs):
    """Look for the page in the current layer.

    Locks: entry  tokens of the first object and of the layer
           exit   none if a KERN_* result, else the same and, if WALK_FOUND, fs.page hard-busy
    """
    if fs.object.flags & OBJ_DEAD != 0:
        walk_undo(cpu, fs)
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
def zero_first(cpu, fs):
    """No layer has the page: clear the first object's.

    Locks: entry  tokens, fs.first_page hard-busy
           exit   first token, fs.page hard-busy
    """
    fs.depth = fs.layer
    walk_drop(cpu, fs)
    return_to_first(fs)
    zero_fill(cpu, fs.page)
    fs.outcome = OUTCOME_ZERO


@kernel
def copy_up(cpu, fs):
    """Copy the page found in a deeper layer into the first object's; take its translation away here, and no other.

    Locks: entry  tokens, both pages hard-busy
           exit   first token, fs.page hard-busy
    """
    source = fs.page
    copy_page(cpu, source, fs.first_page)
    if pmap_extract(fs.space.pmap, fs.va) & ~FLAGS == source.frame:
        pmap_remove(cpu, fs.space.pmap, fs.va, fs.va + PAGE_SIZE)
    page_deactivate(cpu, source)
    page_wakeup(cpu, source)
    walk_drop(cpu, fs)
    return_to_first(fs)
    fs.outcome = OUTCOME_PAGEIN_COPY if fs.read_in != 0 else OUTCOME_COPY


@kernel
def use_found(cpu, fs):
    """A valid page is found: copy it up for a write, map it read-only from a deeper layer for a read.

    Locks: entry  tokens, fs.page hard-busy
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
    """Go down the layers until the page is found or made: KERN_SUCCESS with fs.page hard-busy, or another result.

    Locks: entry  the first object's token and pip
           exit   on KERN_SUCCESS the same, perhaps a deeper layer's too; else none
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
        if not walk_has_below(fs):
            zero_first(cpu, fs)
            return KERN_SUCCESS
        walk_down(cpu, fs)
