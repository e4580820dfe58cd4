"""Objects: making, holding, dropping, tearing down.  How references end differs by protocol.

(DragonFly `sys/vm/vm_object.c`; `dragonfly.md` 2.3, 5.1.)
"""

from vmconc.locks.busy import busy_sleep, busy_try
from vmconc.locks.classes import VM_OBJECT
from vmconc.locks.exhaust import give_record, take_record
from vmconc.locks.pip import pip_wait
from vmconc.locks.rules import COUNT_UNDERFLOW, broken
from vmconc.locks.sites import site
from vmconc.locks.token import token_get, token_release
from vmconc.memory.atomics import atomic_add, atomic_and, atomic_or
from vmconc.memory.jit import kernel
from vmconc.memory.operation import operation
from vmconc.memory.queries import bug
from vmconc.memory.refs import at, offset
from vmconc.memory.table import table
from vmconc.schedule.engine import pass_point
from vmconc.vm.events import tell_made
from vmconc.vm.page import page_free
from vmconc.vm.radix import radix_get, radix_next
from vmconc.vm.structs import OBJ_DEAD, OBJ_ONEMAPPING, OBJT_VNODE

TERMINATE = site("vm_object_terminate.busy")
B69_WINDOW = 8  # steps
ENDED = 1 << 40  # added to hold_count when an object has been torn down: who drops the last hold frees the record


@operation
def object_deallocate(cpu, object):
    """Drop one reference; the last one tears the object down.

    Locks: entry  the object's token not held shared
           exit   same
    """


@kernel
def object_allocate(cpu, kind, size):
    """Make an object of `size` pages with one reference."""
    object = at(cpu, "VmObject", take_record(cpu, table(cpu, "VmObject")))
    object.token.cls = VM_OBJECT
    object.type = kind
    object.size = size
    object.ref_count = 1
    if kind != OBJT_VNODE:
        object.flags = OBJ_ONEMAPPING
    tell_made(cpu, object)
    return object


@kernel
def object_hold(cpu, object, mode, site):
    """Keep the object's record and acquire its token.

    Locks: entry  the object is stable for another reason (a reference, its parent's token)
           exit   its token held in `mode`
    """
    atomic_add(object, "hold_count", 1)
    token_get(cpu, object.token, mode, site)


@kernel
def object_drop(cpu, object):
    """Release the token on top and the hold; free the record if it was the last of an ended object.

    Nothing of the object may be looked at after the hold: whether it has ended stands in the same word.

    Locks: entry  the object's token on top of the stack
           exit   not
    """
    token_release(cpu, object.token)
    before = atomic_add(object, "hold_count", -1)
    if before & ENDED - 1 == 0:
        broken(cpu, COUNT_UNDERFLOW, offset(object), 1, before)
    last = before == ENDED + 1
    if bug(cpu, "B69"):
        for _ in range(B69_WINDOW):
            pass_point(cpu, 0)
        last = before & ENDED - 1 == 1 and object.flags & OBJ_DEAD != 0 and object.ref_count == 0
    if last:
        give_record(cpu, table(cpu, "VmObject"), offset(object))


@kernel
def object_reference(cpu, object):
    """Add a reference."""
    atomic_add(object, "ref_count", 1)


@kernel
def object_set(object, flags):
    """Set flags."""
    atomic_or(object, "flags", flags)


@kernel
def object_clear(object, flags):
    """Clear flags."""
    atomic_and(object, "flags", ~flags)


@kernel
def object_free_pages(cpu, object, start, end):
    """Free every page with start <= index < end, waiting for busy ones.

    Locks: entry  the object's token exclusively; nothing that a page's owner may wait for
           exit   same; the token was lost if a page was busy
    """
    index = radix_next(object.pages, start)
    while index >= 0 and index < end:
        page = at(cpu, "VmPage", radix_get(object.pages, index))
        if busy_try(cpu, page.busy, True, TERMINATE):
            page_free(cpu, page)
        else:
            busy_sleep(cpu, page.busy, True, TERMINATE)
        index = radix_next(object.pages, index)


@kernel
def object_terminate(cpu, object):
    """Tear an object down whose last reference is gone.

    Locks: entry  the object held and its token exclusively
           exit   same; the object is dead and empty, its record lives while somebody holds it
    """
    object_set(object, OBJ_DEAD)
    pip_wait(cpu, object.pip)
    if object.ref_count != 0:
        broken(cpu, COUNT_UNDERFLOW, offset(object), 0, object.ref_count)
    object_free_pages(cpu, object, 0, 1 << 60)
    pip_wait(cpu, object.pip)
    atomic_add(object, "hold_count", ENDED)

