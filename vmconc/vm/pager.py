"""Pagers: where the content of an object's pages comes from.  Default (nothing) and vnode (a file).

(DragonFly `sys/vm/vnode_pager.c`, `vm_pager.c`.)
"""

from vmconc.locks.classes import EXCLUSIVE, VM_MAP, VM_PAGE
from vmconc.locks.sites import site
from vmconc.memory.jit import kernel
from vmconc.memory.queries import tracked
from vmconc.memory.refs import offset
from vmconc.schedule.steps import STEP_READ, STEP_READ_DONE, log_step
from vmconc.vm.disk import READ, WRITE, disk_transfer
from vmconc.vm.events import (
    GETPAGE,
    IO,
    IO_ERRORS,
    PAGEINS,
    PAGEINS_MAP_HELD,
    PAGEINS_MAP_RELEASED,
    event,
)
from vmconc.vm.structs import OBJT_DEFAULT, VALID_ALL

GETPAGES = site("vnode_pager.getpage")
PAGER_OK, PAGER_FAIL, PAGER_ERROR = 0, 1, 2


@kernel
def has_pager(object):
    """Tell whether an object's pages may be found somewhere else than in memory."""
    return object.type != OBJT_DEFAULT


@kernel
def note_pagein(cpu):
    """Count a page-in by whether this CPU holds a map lock meanwhile."""
    event(cpu, IO)
    event(cpu, PAGEINS)
    if tracked(cpu):
        held = cpu.held_classes & 1 << VM_MAP != 0
        event(cpu, PAGEINS_MAP_HELD if held else PAGEINS_MAP_RELEASED)


@kernel
def pager_get_page(cpu, object, page):
    """Fill a page: PAGER_OK and valid, PAGER_FAIL if the pager has nothing there, PAGER_ERROR.

    Locks: entry  the object's token, the page hard-busy
           exit   same; tokens were lost
    """
    event(cpu, GETPAGE)
    vnode = object.vnode
    if page.pindex >= vnode.pages:
        return PAGER_FAIL
    note_pagein(cpu)
    log_step(cpu, STEP_READ, offset(page), VM_PAGE, EXCLUSIVE, GETPAGES)
    status = disk_transfer(cpu, READ, vnode.index, page.pindex, page.frame)
    log_step(cpu, STEP_READ_DONE, offset(page), VM_PAGE, EXCLUSIVE, GETPAGES)
    if status != 0:
        event(cpu, IO_ERRORS)
        return PAGER_ERROR
    page.valid = VALID_ALL
    page.dirty = 0
    return PAGER_OK


@kernel
def pager_put_page(cpu, object, page):
    """Write a page to its file; return whether that went well.

    Locks: entry  the page busy
           exit   same; tokens were lost
    """
    vnode = object.vnode
    if page.pindex < vnode.pages and disk_transfer(cpu, WRITE, vnode.index, page.pindex, page.frame) != 0:
        event(cpu, IO_ERRORS)
        return False
    page.dirty = 0
    return True
