"""Keeping chains short: collapse, bypass and split.

Whoever shortens a chain holds the chain locks of the objects concerned exclusively: no fault is inside, no reference
is added.  A page that must be freed but is still mapped stays where it is, and the collapse with it: that takes an
object that several spaces share and one of which has copied the page up.
(DragonFly `sys/vm/vm_object.c` before 9de48ead, vm_object_collapse, vm_object_backing_scan, vm_object_qcollapse;
`vm_map.c` vm_map_split; `dragonfly.md` 4.5.)
"""

from vmconc.locks.busy import busy_sleep, busy_try
from vmconc.locks.chain import chain_wait
from vmconc.locks.classes import EXCLUSIVE
from vmconc.locks.pip import pip_count
from vmconc.locks.rules import CHAIN_REFERENCED, broken
from vmconc.locks.sites import site
from vmconc.memory.atomics import atomic_add
from vmconc.memory.jit import kernel
from vmconc.memory.pagebytes import PAGE_SHIFT
from vmconc.memory.refs import at, null, offset
from vmconc.protocols.chained.links import (
    chain_object_acquire,
    chain_object_release,
    hold_below,
    reference_locked,
    reference_unchained,
)
from vmconc.vm.events import BYPASSES, COLLAPSES, SPLITS, event
from vmconc.vm.object import (
    object_allocate,
    object_drop,
    object_hold,
    object_reference,
    object_terminate,
)
from vmconc.vm.page import page_free, page_lookup, page_rename, page_wakeup
from vmconc.vm.radix import radix_get, radix_next
from vmconc.vm.structs import OBJ_NOSPLIT, OBJ_ONEMAPPING, OBJT_DEFAULT, OBJT_VNODE, VALID_ALL

COLLAPSE = site("vm_object_collapse.backing")
COLLAPSE_CHAIN = site("vm_object_collapse.chain")
COLLAPSE_BOTTOM = site("vm_object_collapse.bbobj")
COLLAPSE_PAGE = site("vm_object_backing_scan.busy")
SPLIT = site("vm_map_split.backing")
SPLIT_RESULT = site("vm_map_split.result")
SPLIT_PAGE = site("vm_map_split.busy")


@kernel
def settle(cpu, object, page):
    """Move a page of the object below up, or free it if it cannot be seen through `object`; return whether it is gone.

    Locks: entry  both objects' tokens and chain locks exclusively, the page hard-busy
           exit   the same, the page not busy
    """
    index = page.pindex - object.backing_offset
    needed = index >= 0 and index < object.size
    if needed:
        own = page_lookup(cpu, object, index)
        if not own:
            page_rename(cpu, page, object, index)
            page_wakeup(cpu, page)
            return True
        needed = own.valid != VALID_ALL
    if needed or page.pv or page.wire_count != 0:
        page_wakeup(cpu, page)
        return False
    page_free(cpu, page)
    return True


@kernel
def drain(cpu, object, below, wait):
    """Settle the pages of the object below; `wait`: those that are busy, too.

    Locks: entry  both objects' tokens and chain locks exclusively
           exit   same; tokens may have been lost if `wait`
    """
    index = radix_next(below.pages, 0)
    while index >= 0:
        page = at(cpu, "VmPage", radix_get(below.pages, index))
        if busy_try(cpu, page.busy, True, COLLAPSE_PAGE):
            settle(cpu, object, page)
            index += 1
        elif wait:
            busy_sleep(cpu, page.busy, True, COLLAPSE_PAGE)
        else:
            index += 1
        index = radix_next(below.pages, index)


@kernel
def absorb(cpu, object, below):
    """Take over all that the object below has and end it; return whether that was possible.

    Locks: entry  both objects' tokens and chain locks exclusively; nothing else refers to the object below
           exit   same; tokens may have been lost
    """
    drain(cpu, object, below, True)
    if below.resident_page_count != 0:
        return False
    bottom = hold_below(cpu, below, COLLAPSE_BOTTOM)
    object.backing_object = bottom
    object.backing_offset += below.backing_offset
    below.backing_object = null(below)
    before = atomic_add(below, "ref_count", -1)
    if before != 1:
        broken(cpu, CHAIN_REFERENCED, offset(below), 1, before)
    object_terminate(cpu, below)
    if bottom:
        object_drop(cpu, bottom)
    event(cpu, COLLAPSES)
    return True


@kernel
def shadows_all(cpu, object, below):
    """Tell whether `object` has a valid page wherever the object below has one in its reach.

    A page below that is mapped may be mapped through `object`, if that was ever shared; then it must stay in reach.

    Locks: entry  both objects' tokens and chain locks exclusively
           exit   same
    """
    index = radix_next(below.pages, object.backing_offset)
    while index >= 0 and index < object.backing_offset + object.size:
        page = at(cpu, "VmPage", radix_get(below.pages, index))
        own = page_lookup(cpu, object, index - object.backing_offset)
        if not own or own.valid != VALID_ALL:
            return False
        if page.pv and object.flags & OBJ_ONEMAPPING == 0:
            return False
        index = radix_next(below.pages, index + 1)
    return True


@kernel
def bypass(cpu, object, below):
    """Link past the object below if nothing of it can be seen; it lives on for others.  Return whether it was so.

    Locks: entry  both objects' tokens and chain locks exclusively
           exit   same; tokens may have been lost
    """
    bottom = hold_below(cpu, below, COLLAPSE_BOTTOM)
    if bottom and bottom.type != OBJT_VNODE:
        chain_wait(cpu, bottom.chain)
    passed = below.type == OBJT_DEFAULT and below.ref_count > 1 and shadows_all(cpu, object, below)
    if passed:  # nothing has slept since the wait
        if bottom:
            reference_locked(cpu, bottom)
        object.backing_object = bottom
        object.backing_offset += below.backing_offset
        atomic_add(below, "ref_count", -1)
        event(cpu, BYPASSES)
    if bottom:
        object_drop(cpu, bottom)
    return passed


@kernel
def shorten(cpu, object, below):
    """Take one object out of a chain, if possible; return whether it was.

    Locks: entry  both objects' tokens and chain locks exclusively
           exit   same; tokens may have been lost
    """
    if pip_count(object.pip) != 0 or pip_count(below.pip) != 0:
        if below.ref_count == 1:
            drain(cpu, object, below, False)
        return False
    if below.ref_count == 1:
        return absorb(cpu, object, below)
    return bypass(cpu, object, below)


@kernel
def collapse(cpu, object):
    """Shorten the chain below an object as far as is possible now.  Its chain lock keeps the link as it is meanwhile.

    Locks: entry  the object's token and chain lock exclusively, and a reference
           exit   same; the token may have been lost
    """
    more = True
    while more:
        below = object.backing_object
        if not below or below.type == OBJT_VNODE:
            return
        object_hold(cpu, below, EXCLUSIVE, COLLAPSE)
        chain_object_acquire(cpu, below, EXCLUSIVE, COLLAPSE_CHAIN)
        more = shorten(cpu, object, below)
        chain_object_release(cpu, below)
        object_drop(cpu, below)


@kernel
def divisible(object):
    """Tell whether several entries map parts of an object, each page mapped by one of them."""
    return object.ref_count > 1 and object.flags & (OBJ_NOSPLIT | OBJ_ONEMAPPING) == OBJ_ONEMAPPING


@kernel
def share_below(cpu, object):
    """Reference and lock the object below for a second one that will point to it; null if there is none.

    Locks: entry  the object's token and chain lock exclusively
           exit   the same and, unless it is a file's, those of the object below
    """
    below = object.backing_object
    if below:
        if below.type == OBJT_VNODE:
            object_reference(cpu, below)
        else:
            object_hold(cpu, below, EXCLUSIVE, SPLIT)
            reference_unchained(cpu, below)
            chain_object_acquire(cpu, below, EXCLUSIVE, SPLIT)
    return below


@kernel
def move_range(cpu, object, first, count, result):
    """Move the pages with first <= index < first + count to another object, waiting for busy ones.

    Locks: entry  both objects' tokens and chain locks exclusively
           exit   same; tokens may have been lost
    """
    index = radix_next(object.pages, first)
    while index >= 0 and index < first + count:
        page = at(cpu, "VmPage", radix_get(object.pages, index))
        if busy_try(cpu, page.busy, True, SPLIT_PAGE):
            page_rename(cpu, page, result, index - first)
            page_wakeup(cpu, page)
        else:
            busy_sleep(cpu, page.busy, True, SPLIT_PAGE)
        index = radix_next(object.pages, index)


@kernel
def split(cpu, entry, object):
    """Give an entry an object of its own with its part of the pages, referenced twice: once for the caller.

    Locks: entry  the map exclusively, the token and chain lock of the entry's object exclusively
           exit   same; the entry's reference to `object` is the caller's to drop
    """
    count = entry.end - entry.start >> PAGE_SHIFT
    below = share_below(cpu, object)
    result = object_allocate(cpu, OBJT_DEFAULT, count)
    object_hold(cpu, result, EXCLUSIVE, SPLIT_RESULT)
    chain_object_acquire(cpu, result, EXCLUSIVE, SPLIT_RESULT)
    reference_locked(cpu, result)
    result.backing_object = below
    result.backing_offset = object.backing_offset + entry.offset
    move_range(cpu, object, entry.offset, count, result)
    entry.object = result
    entry.offset = 0
    chain_object_release(cpu, result)
    object_drop(cpu, result)
    if below and below.type != OBJT_VNODE:
        chain_object_release(cpu, below)
        object_drop(cpu, below)
    event(cpu, SPLITS)
