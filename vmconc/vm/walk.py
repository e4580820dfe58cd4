"""Pieces of the walk over layers that every protocol's fault uses; each protocol writes the walk itself.

(DragonFly `sys/vm/vm_fault.c` vm_fault_object; `dragonfly.md` 3.2.)
"""

from vmconc.locks.classes import EXCLUSIVE, SHARED
from vmconc.locks.lockmgr import lock_release
from vmconc.locks.sites import site
from vmconc.memory.jit import kernel
from vmconc.memory.refs import at, null
from vmconc.vm.object import object_set
from vmconc.vm.opcodes import OUTCOME_HIT, OUTCOME_PAGEIN
from vmconc.vm.structs import OBJ_MIGHTBEDIRTY, OBJ_WRITEABLE

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


@kernel
def mode_of(shared):
    """Return the lock mode for a flag of the fault."""
    return SHARED if shared != 0 else EXCLUSIVE


@kernel
def unlock_vnode(cpu, fs):
    """Release the file's lock."""
    if fs.vnode:
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
