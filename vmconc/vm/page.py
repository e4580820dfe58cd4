"""Resident pages: lookup, allocation, insertion, removal, freeing.

An object's pages change only under its exclusive token and with the page hard-busy; each function checks that.
(DragonFly `sys/vm/vm_page.c`.)
"""

from vmconc.locks.block import block
from vmconc.locks.busy import PBUSY_MASK, busy_owned, busy_release, busy_try
from vmconc.locks.classes import EXCLUSIVE, PAGE_SPIN
from vmconc.locks.rules import DUPLICATE_PAGE, FRAME_MAPPED, PAGE_NOT_BUSY, PAGE_WITHOUT_TOKEN, broken
from vmconc.locks.sites import site
from vmconc.locks.sleep import FOREVER, cancel, prepare, wakeup
from vmconc.locks.spin import spin_lock, spin_unlock
from vmconc.locks.token import token_get, token_held, token_owned, token_release
from vmconc.memory.atomics import atomic_add
from vmconc.memory.jit import kernel
from vmconc.memory.queries import bug, tracked
from vmconc.memory.refs import at, null, offset
from vmconc.memory.segment import HEADER
from vmconc.vm.events import BUSIED, PAGE_ALLOC, PAGE_FREE, RENAMES, event
from vmconc.vm.queue import PAGE, are_free, move_locked, take_free
from vmconc.vm.radix import radix_get, radix_put, radix_remove
from vmconc.vm.structs import PG_MAPPED, PQ_FREE, VALID_ALL

ALLOC = site("vm_page_alloc.busy")
LOOKUP = site("vm_page_lookup.busy")
FREE_TOKEN = site("vm_page_free.token")
VM_WAIT = site("vmwait")

ABSENT, FOUND, BUSY = 0, 1, 2


@kernel
def page_lookup(cpu, object, pindex):
    """Return the resident page at an index, null if there is none.

    Locks: entry  the object's token, shared or exclusive
           exit   same
    """
    if tracked(cpu) and not token_held(cpu, object.token):
        broken(cpu, PAGE_WITHOUT_TOKEN, offset(object), 0, pindex)
    return at(cpu, "VmPage", radix_get(object.pages, pindex))


@kernel
def page_lookup_busy_try(cpu, object, pindex, also_soft):
    """Look a page up and hard-busy it: (FOUND, page), (BUSY, page) or (ABSENT, null).

    Locks: entry  the object's token, shared or exclusive
           exit   same; the page hard-busy if FOUND
    """
    page = page_lookup(cpu, object, pindex)
    if not page:
        return ABSENT, page
    if not busy_try(cpu, page.busy, also_soft, LOOKUP):
        return BUSY, page
    event(cpu, BUSIED)
    return FOUND, page


@kernel
def may_change(cpu, object, page):
    """Check that this CPU may change which page stands where: exclusive token, page hard-busy."""
    if tracked(cpu):
        if not token_owned(cpu, object.token):
            broken(cpu, PAGE_WITHOUT_TOKEN, offset(object), 1, page.pindex)
        if not busy_owned(cpu, page.busy):
            broken(cpu, PAGE_NOT_BUSY, offset(page), cpu.index + 1, page.busy.owner)


@kernel
def page_insert(cpu, page, object, pindex):
    """Put a page into an object; return False if the index is taken.

    Locks: entry  the object's token exclusively, the page hard-busy
           exit   same
    """
    may_change(cpu, object, page)
    if radix_get(object.pages, pindex) != 0 and not bug(cpu, "B29"):  # B29: nobody looks a second time
        return False
    page.object = object
    page.pindex = pindex
    radix_put(cpu, object.pages, pindex, offset(page))
    object.resident_page_count += 1
    atomic_add(object, "generation", 1)
    return True


@kernel
def page_remove(cpu, page):
    """Take a page out of its object.

    Locks: entry  the object's token exclusively, the page hard-busy
           exit   same
    """
    object = page.object
    may_change(cpu, object, page)
    if radix_get(object.pages, page.pindex) != offset(page):
        broken(cpu, DUPLICATE_PAGE, offset(page), offset(page), radix_get(object.pages, page.pindex))
        return
    radix_remove(cpu, object.pages, page.pindex)
    object.resident_page_count -= 1
    atomic_add(object, "generation", 1)
    page.object = null(object)
    page.pindex = 0


@kernel
def page_alloc(cpu, object, pindex):
    """Take a free frame for an index: the page, hard-busy and not valid; null without memory or if the index is taken.

    Locks: entry  the object's token exclusively
           exit   same; the page hard-busy
    """
    if radix_get(object.pages, pindex) != 0 and not bug(cpu, "B29"):
        return at(cpu, "VmPage", 0)
    page = take_free(cpu, pindex)
    if page:
        busy_try(cpu, page.busy, True, ALLOC)
        event(cpu, BUSIED)
        event(cpu, PAGE_ALLOC)
        page.valid = 0
        page.dirty = 0
        page.flags = 0
        page_insert(cpu, page, object, pindex)
    return page


@kernel
def page_free(cpu, page):
    """Take a page out of its object and give its frame back.

    Locks: entry  the page hard-busy, not mapped; its object's token not held shared
           exit   the page is free
    """
    object = page.object
    if page.pv or page.wire_count != 0 or page.flags & PG_MAPPED != 0 or page.busy.word & PBUSY_MASK != 0:
        broken(cpu, FRAME_MAPPED, offset(page), 0, page.wire_count)
    token_get(cpu, object.token, EXCLUSIVE, FREE_TOKEN)
    page_remove(cpu, page)
    token_release(cpu, object.token)
    event(cpu, PAGE_FREE)
    if not bug(cpu, "B72"):
        page.valid = 0
    busy_release(cpu, page.busy)
    give_free(cpu, page)
    if bug(cpu, "B72"):  # by now it is anybody's
        page.valid = 0


@kernel
def give_free(cpu, page):
    """Put a page that belongs to nobody on its free queue and tell those who wait for memory."""
    spin_lock(cpu, page.spin, PAGE_SPIN, PAGE)
    move_locked(cpu, page, PQ_FREE)
    spin_unlock(cpu, page.spin, PAGE_SPIN)
    if at(cpu, "Machine", HEADER).memory_waiters != 0:
        wakeup(cpu, HEADER)


@kernel
def memory_wait(cpu, frames):
    """Sleep until so many frames are free: all that the caller needs at once, else it would take them in vain.

    Locks: entry  nothing that a CPU which frees pages may need
           exit   same
    """
    machine = at(cpu, "Machine", HEADER)
    atomic_add(machine, "memory_waiters", 1)
    prepare(cpu, HEADER, VM_WAIT)
    while not are_free(cpu, frames):
        block(cpu, FOREVER)
        prepare(cpu, HEADER, VM_WAIT)
    cancel(cpu)
    atomic_add(machine, "memory_waiters", -1)


@kernel
def page_rename(cpu, page, object, pindex):
    """Move a page to an empty index of another object; it becomes dirty there.

    Locks: entry  both objects' tokens exclusively, the page hard-busy
           exit   same
    """
    page_remove(cpu, page)
    if not page_insert(cpu, page, object, pindex):
        broken(cpu, DUPLICATE_PAGE, offset(page), 0, pindex)
    page.dirty = VALID_ALL
    event(cpu, RENAMES)


@kernel
def page_wakeup(cpu, page):
    """Un-busy a page.

    Locks: entry  the page hard-busy
           exit   not
    """
    busy_release(cpu, page.busy)
