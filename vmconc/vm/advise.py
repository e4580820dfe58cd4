"""madvise and msync: hints about pages, and writing dirty pages back to their file.

(DragonFly `sys/vm/vm_object.c` vm_object_madvise, `vm_map.c` vm_map_clean; `dragonfly.md` 5.1.)
"""

from vmconc.locks.busy import busy_sleep, busy_try, busy_wait
from vmconc.locks.classes import EXCLUSIVE
from vmconc.locks.lockmgr import lock_release, lock_shared
from vmconc.locks.sites import site
from vmconc.memory.jit import kernel
from vmconc.memory.operation import operation
from vmconc.memory.pagebytes import PAGE_SHIFT
from vmconc.memory.queries import bug
from vmconc.memory.refs import at
from vmconc.vm.map import entry_at, map_search
from vmconc.vm.object import object_drop, object_hold
from vmconc.vm.opcodes import ADVICE_DONTNEED, ADVICE_FREE
from vmconc.vm.page import page_wakeup
from vmconc.vm.pager import pager_put_page
from vmconc.vm.queue import page_deactivate
from vmconc.vm.radix import radix_get, radix_next
from vmconc.vm.structs import OBJ_ONEMAPPING, OBJ_WRITEABLE, OBJT_VNODE, PG_WRITEABLE

MADVISE = site("vm_object_madvise")
CLEAN = site("vm_map_clean")


@operation
def object_below(cpu, entry):
    """Return the object one layer below an entry's first, null if there is none or it is no file's.

    Locks: entry  the map
           exit   same; tokens may have been lost
    """


@kernel
def advise_page(cpu, object, page, advice):
    """Follow one hint for one page.

    Locks: entry  the object's token exclusively, the page hard-busy
           exit   same
    """
    if advice == ADVICE_DONTNEED:
        page_deactivate(cpu, page)
    elif advice == ADVICE_FREE and object.type != OBJT_VNODE and object.flags & OBJ_ONEMAPPING != 0:
        page.dirty = 0
        page_deactivate(cpu, page)


@kernel
def advise_later(cpu, object, page, advice):
    """Follow a hint for a page that was busy, without looking it up again (B30: by now it may be anybody's, or free).

    Locks: entry  the object's token exclusively
           exit   same; it was lost in between
    """
    busy_wait(cpu, page.busy, True, MADVISE)
    advise_page(cpu, object, page, advice)
    page_wakeup(cpu, page)


@kernel
def next_index(object, index, advice):
    """Return where the next page stands that a hint is for, -1 if there is none.  (B44: FREE does not pass holes over.)

    Locks: entry  the object's token exclusively
           exit   same
    """
    if bug(object, "B44") and advice == ADVICE_FREE and object.type != OBJT_VNODE:
        return index
    return radix_next(object.pages, index)


@kernel
def advise_object(cpu, object, start, end, advice):
    """Follow a hint for the resident pages with start <= index < end.

    Locks: entry  the map
           exit   same
    """
    object_hold(cpu, object, EXCLUSIVE, MADVISE)
    index = next_index(object, start, advice)
    while index >= 0 and index < end:
        page = at(cpu, "VmPage", radix_get(object.pages, index))
        if busy_try(cpu, page.busy, True, MADVISE):
            if page.wire_count == 0:
                advise_page(cpu, object, page, advice)
            page_wakeup(cpu, page)
            index += 1
        elif bug(cpu, "B30"):
            advise_later(cpu, object, page, advice)
            index += 1
        else:
            busy_sleep(cpu, page.busy, True, MADVISE)
        index = next_index(object, index, advice)
    object_drop(cpu, object)


@kernel
def space_madvise(cpu, space, start, end, advice):
    """Follow a hint about [start, end): contents never change here, for nothing is paged out yet.

    Locks: entry  none
           exit   none
    """
    map = space.map
    lock_shared(cpu, map.lock, MADVISE)
    place = map_search(map, start)
    entry = entry_at(map, place)
    if bug(cpu, "B45"):
        lock_release(cpu, map.lock)
    while entry and entry.start < end:
        if entry.object:
            first = entry.offset + (max(start, entry.start) - entry.start >> PAGE_SHIFT)
            last = entry.offset + (min(end, entry.end) - entry.start >> PAGE_SHIFT)
            advise_object(cpu, entry.object, first, last, advice)
        place += 1
        entry = entry_at(map, place)
    if not bug(cpu, "B45"):
        lock_release(cpu, map.lock)


@kernel
def clean_object(cpu, object, start, end):
    """Write the pages of a file object that may have been modified.

    Locks: entry  the map
           exit   same
    """
    object_hold(cpu, object, EXCLUSIVE, CLEAN)
    index = radix_next(object.pages, start)
    while index >= 0 and index < end:
        page = at(cpu, "VmPage", radix_get(object.pages, index))
        if busy_try(cpu, page.busy, True, CLEAN):
            if page.dirty != 0 or page.flags & PG_WRITEABLE != 0:
                pager_put_page(cpu, object, page)
            page_wakeup(cpu, page)
            index += 1
        else:
            busy_sleep(cpu, page.busy, True, CLEAN)
        index = radix_next(object.pages, index)
    object_drop(cpu, object)


@kernel
def clean_entry(cpu, entry, start, end):
    """Clean the first object of an entry, or the one below it: no deeper, as both eras do.

    Locks: entry  the map
           exit   same
    """
    object = entry.object
    if object.type != OBJT_VNODE:
        object = object_below(cpu, entry)
    if object and object.flags & OBJ_WRITEABLE != 0:
        clean_object(cpu, object, start, end)


@kernel
def space_msync(cpu, space, start, end):
    """Write modified pages of mapped files in [start, end) back.

    Locks: entry  none
           exit   none
    """
    map = space.map
    lock_shared(cpu, map.lock, CLEAN)
    place = map_search(map, start)
    entry = entry_at(map, place)
    while entry and entry.start < end:
        if entry.object:
            first = entry.offset + (max(start, entry.start) - entry.start >> PAGE_SHIFT)
            last = entry.offset + (min(end, entry.end) - entry.start >> PAGE_SHIFT)
            clean_entry(cpu, entry, first, last)
        place += 1
        entry = entry_at(map, place)
    lock_release(cpu, map.lock)
