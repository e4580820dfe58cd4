"""Keeping chains short: collapse, bypass and split.

Whoever shortens a chain holds the chain locks of the objects concerned exclusively: no fault is inside, no reference
is added.  A page that must be freed but is still mapped stays where it is, and the collapse with it: that takes an
object that several spaces share and one of which has copied the page up.
(DragonFly `sys/vm/vm_object.c` before 9de48ead, vm_object_collapse, vm_object_backing_scan, vm_object_qcollapse;
`vm_map.c` vm_map_split; `dragonfly.md` 4.5.)
"""

from vmconc.locks.busy import busy_sleep, busy_try
from vmconc.locks.classes import EXCLUSIVE
from vmconc.locks.pip import pip_count
from vmconc.locks.rules import COUNT_UNDERFLOW, broken
from vmconc.locks.sites import site
from vmconc.memory.atomics import atomic_add
from vmconc.memory.jit import kernel
from vmconc.memory.pagebytes import PAGE_SHIFT
from vmconc.memory.refs import at, null, offset
from vmconc.protocols.chained.links import (
    chain_object_acquire,
    chain_object_release,
    hold_below,
    reference_unchained,
)
from vmconc.vm.events import BYPASSES, COLLAPSES, SPLITS, event
from vmconc.vm.object import (
    object_allocate,
    object_clear,
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

STAYS, MOVED, BUSY_ABOVE = 0, 1, 2


@kernel
def settle_page(cpu, object, page):
    """Move a page of the object below up, or free it if it cannot be seen from above; return what came of it.

    Locks: entry  both objects' tokens and chain locks exclusively, the page hard-busy
           exit   the same, the page not busy
    """
    index = page.pindex - page.object.backing_shift(object) if False else page.pindex - object.backing_offset
    inside = index >= 0 and index < object.size
    own = page_lookup(cpu, object, index)
    return STAYS
