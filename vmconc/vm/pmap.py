"""Translations: a page table of four levels per space, entered and removed under slot locks, tracked by pv entries.

Order: slot (placemarker) -> page-table page -> page spinlock.  A translation taken away or reduced is shot down
before the call returns: no CPU is using it any more.  (DragonFly `sys/platform/pc64/x86_64/pmap.c` before part 11;
`dragonfly.md` 1.6, 2.9.)
"""

from vmconc.locks.busy import busy_owned
from vmconc.locks.classes import PAGE_SPIN, PMAP
from vmconc.locks.exhaust import give_record, take_record
from vmconc.locks.rules import PAGE_NOT_BUSY, WRONG_PAGE, broken
from vmconc.locks.sites import site
from vmconc.locks.sleep import look_later
from vmconc.locks.spin import spin_lock, spin_unlock
from vmconc.memory.atomics import atomic_add, atomic_and, atomic_or, atomic_swap, fence
from vmconc.memory.jit import kernel
from vmconc.memory.pagebytes import PAGE_SHIFT, PAGE_SIZE
from vmconc.memory.queries import bug, tracked
from vmconc.memory.refs import at, null, offset
from vmconc.memory.segment import HEADER
from vmconc.memory.table import table
from vmconc.schedule.engine import pass_point
from vmconc.vm.events import PMAP_ENTER, SHOOTDOWNS, event
from vmconc.vm.queue import page_activate
from vmconc.vm.structs import (
    PAGE_TABLE_SLOTS,
    PG_MAPPED,
    PG_WRITEABLE,
    PLACEMARKERS,
    PTE_MODIFIED,
    PTE_VALID,
    PTE_WIRED,
    PTE_WRITE,
    VALID_ALL,
)

SLOT = site("pmap.slot")
TABLE_PAGE = site("pmap.pt_pv")
TREE = site("pmap.spin")
PV_LIST = site("page.pv_list")

LEVELS = 4
LEVEL_BITS = 9
FLAGS = PAGE_SIZE - 1


@kernel
def place_in(va, level):
    """Return the slot of `va` in a page-table page of `level`."""
    return va >> (PAGE_SHIFT + LEVEL_BITS * level) & (PAGE_TABLE_SLOTS - 1)


@kernel
def leaf_of(pmap, va):
    """Return the page-table page whose words map pages around `va`, null if there is none."""
    node = pmap.root
    level = LEVELS - 1
    while node and level > 0:
        node = at(node, "PageTable", node.pte[place_in(va, level)])
        level -= 1
    return node


@kernel
def table_page(cpu, level):
    """Allocate a page-table page."""
    node = at(cpu, "PageTable", take_record(cpu, table(cpu, "PageTable")))
    node.level = level
    return node


@kernel
def make_leaf(cpu, pmap, va):
    """Return the leaf for `va`, made if need be."""
    leaf = leaf_of(pmap, va)
    if leaf:
        return leaf
    spin_lock(cpu, pmap.spin, PMAP, TREE)
    if not pmap.root:
        pmap.root = table_page(cpu, LEVELS - 1)
    node = pmap.root
    level = LEVELS - 1
    while level > 0:
        place = place_in(va, level)
        level -= 1
        if node.pte[place] == 0:
            atomic_swap(node.pte, place, offset(table_page(cpu, level)))
        node = at(node, "PageTable", node.pte[place])
    spin_unlock(cpu, pmap.spin, PMAP)
    return node


@kernel
def slot_of(pmap, va):
    """Return the spinlock of a translation slot."""
    number = (va >> PAGE_SHIFT) * 0x9E3779B1 >> 7 & PLACEMARKERS - 1
    return at(pmap, "Spin", offset(pmap.placemarker) + 8 * number)


@kernel
def page_at(cpu, frame):
    """Return the page record of the frame at a byte offset."""
    pages = table(cpu, "VmPage")
    number = (frame - at(cpu, "Machine", HEADER).pool) >> PAGE_SHIFT
    return at(cpu, "VmPage", pages.first + number * pages.stride)


@kernel
def shoot_down(cpu, pmap):
    """Wait until no other CPU uses a translation of this pmap that it read before now."""
    fence()
    machine = at(cpu, "Machine", HEADER)
    cpus = table(cpu, "Cpu")
    looks = 0
    for i in range(machine.cpus):
        other = at(cpu, "Cpu", cpus.first + i * cpus.stride)
        while i != cpu.index and other.user_pmap == offset(pmap):
            looks += 1
            look_later(cpu, looks)
    event(cpu, SHOOTDOWNS)


@kernel
def pv_link(cpu, page, pmap, va, write):
    """Note that `page` is mapped at `va`.

    Locks: entry  the slot
           exit   same
    """
    pv = at(cpu, "PvEntry", take_record(cpu, table(cpu, "PvEntry")))
    pv.pmap = pmap
    pv.va = va
    spin_lock(cpu, page.spin, PAGE_SPIN, PV_LIST)
    pv.following = page.pv
    page.pv = pv
    page.pv_count += 1
    atomic_or(page, "flags", PG_MAPPED | PG_WRITEABLE if write else PG_MAPPED)
    spin_unlock(cpu, page.spin, PAGE_SPIN)


@kernel
def pv_unlink(cpu, page, pmap, va):
    """Forget that `page` is mapped at `va`.

    Locks: entry  the slot
           exit   same
    """
    spin_lock(cpu, page.spin, PAGE_SPIN, PV_LIST)
    before = null(page.pv)
    pv = page.pv
    while pv and not (pv.va == va and pv.pmap == pmap):
        before = pv
        pv = pv.following
    if not pv:
        broken(cpu, WRONG_PAGE, offset(page), va, 0)
    elif before:
        before.following = pv.following
    else:
        page.pv = pv.following
    if pv:
        page.pv_count -= 1
    last = not page.pv
    if bug(cpu, "B37"):  # what was seen under the spinlock is acted on outside of it
        spin_unlock(cpu, page.spin, PAGE_SPIN)
        pass_point(cpu, 0)
    if last:
        atomic_and(page, "flags", ~(PG_MAPPED | PG_WRITEABLE))
    if not bug(cpu, "B37"):
        spin_unlock(cpu, page.spin, PAGE_SPIN)
    if pv:
        give_record(cpu, table(cpu, "PvEntry"), offset(pv))


@kernel
def forget(cpu, pmap, va, pte):
    """Finish the removal of a translation that read `pte`: nobody uses it any more.

    Locks: entry  the slot; the translation is cleared
           exit   same
    """
    shoot_down(cpu, pmap)
    page = page_at(cpu, pte & ~FLAGS)
    if pte & PTE_MODIFIED != 0:
        atomic_or(page, "dirty", VALID_ALL)
    counted = pte & PTE_WIRED != 0 and not bug(cpu, "B63")  # B63: left to who unwires, and goes by the translation
    if counted and atomic_add(page, "wire_count", -1) == 1:
        page_activate(cpu, page)
    pv_unlink(cpu, page, pmap, va)
    atomic_add(pmap, "resident", -1)


@kernel
def pmap_enter(cpu, pmap, va, page, write, wired):
    """Map `page` at `va`, in place of whatever is there.

    Locks: entry  the page busy, the map held
           exit   same
    """
    if tracked(cpu) and not busy_owned(cpu, page.busy):
        broken(cpu, PAGE_NOT_BUSY, offset(page), cpu.index + 1, page.busy.owner)
    event(cpu, PMAP_ENTER)
    slot = slot_of(pmap, va)
    spin_lock(cpu, slot, PMAP, SLOT)
    leaf = make_leaf(cpu, pmap, va)
    spin_lock(cpu, leaf.spin, PMAP, TABLE_PAGE)
    place = place_in(va, 0)
    new = page.frame | PTE_VALID | (PTE_WRITE if write else 0) | (PTE_WIRED if wired else 0)
    old = leaf.pte[place]
    if old & ~FLAGS == page.frame:
        replace_flags(cpu, pmap, leaf, place, page, new | old & PTE_WIRED)
    else:
        if old != 0:
            forget(cpu, pmap, va, atomic_swap(leaf.pte, place, 0))
        pv_link(cpu, page, pmap, va, write)
        atomic_add(pmap, "resident", 1)
        atomic_swap(leaf.pte, place, new)
    spin_unlock(cpu, leaf.spin, PMAP)
    spin_unlock(cpu, slot, PMAP)


@kernel
def replace_flags(cpu, pmap, leaf, place, page, new):
    """Change the flags of a translation that maps the same page; what was modified stays so.

    Locks: entry  the slot, the page busy
           exit   same
    """
    old = atomic_swap(leaf.pte, place, new)
    if old & PTE_MODIFIED != 0:
        page.dirty = VALID_ALL
    if old & PTE_WRITE != 0 and new & PTE_WRITE == 0:
        shoot_down(cpu, pmap)
    if new & PTE_WRITE != 0:
        atomic_or(page, "flags", PG_WRITEABLE)


@kernel
def remove_one(cpu, pmap, leaf, va):
    """Remove one translation, if it is there.

    Locks: entry  no slot
           exit   same
    """
    slot = slot_of(pmap, va)
    spin_lock(cpu, slot, PMAP, SLOT)
    pte = atomic_swap(leaf.pte, place_in(va, 0), 0)
    if pte != 0:
        forget(cpu, pmap, va, pte)
    spin_unlock(cpu, slot, PMAP)


@kernel
def protect_one(cpu, pmap, leaf, va):
    """Make one translation read-only.

    Locks: entry  no slot
           exit   same
    """
    slot = slot_of(pmap, va)
    spin_lock(cpu, slot, PMAP, SLOT)
    pte = atomic_and(leaf.pte, place_in(va, 0), ~PTE_WRITE)
    if pte & PTE_WRITE != 0:
        shoot_down(cpu, pmap)
    spin_unlock(cpu, slot, PMAP)


@kernel
def next_leaf(va):
    """Return the first address that another leaf maps."""
    return (va >> (PAGE_SHIFT + LEVEL_BITS)) + 1 << (PAGE_SHIFT + LEVEL_BITS)


@kernel
def pmap_remove(cpu, pmap, start, end):
    """Remove every translation of [start, end).

    Locks: entry  no spinlock
           exit   same
    """
    va = start
    while va < end:
        leaf = leaf_of(pmap, va)
        if not leaf:
            va = next_leaf(va)
            continue
        if leaf.pte[place_in(va, 0)] != 0:
            remove_one(cpu, pmap, leaf, va)
        va += PAGE_SIZE


@kernel
def pmap_protect(cpu, pmap, start, end):
    """Make every translation of [start, end) read-only.

    Locks: entry  no spinlock
           exit   same
    """
    va = start
    while va < end:
        leaf = leaf_of(pmap, va)
        if not leaf:
            va = next_leaf(va)
            continue
        if leaf.pte[place_in(va, 0)] & PTE_WRITE != 0:
            protect_one(cpu, pmap, leaf, va)
        va += PAGE_SIZE


@kernel
def pmap_extract(pmap, va):
    """Return the translation word of `va`, 0 if there is none."""
    leaf = leaf_of(pmap, va)
    return leaf.pte[place_in(va, 0)] if leaf else 0


@kernel
def free_below(cpu, node):
    """Free every page-table page below `node`, which is of level 1 or more, and `node` itself."""
    for i in range(PAGE_TABLE_SLOTS):
        if node.pte[i] != 0:
            give_record(cpu, table(cpu, "PageTable"), node.pte[i])
    give_record(cpu, table(cpu, "PageTable"), offset(node))


@kernel
def pmap_release(cpu, pmap):
    """Free the page table of a space that nobody is in any more and that maps nothing."""
    root = pmap.root
    if not root:
        return
    for i in range(PAGE_TABLE_SLOTS):
        third = at(cpu, "PageTable", root.pte[i])
        if third:
            for j in range(PAGE_TABLE_SLOTS):
                if third.pte[j] != 0:
                    free_below(cpu, at(cpu, "PageTable", third.pte[j]))
            give_record(cpu, table(cpu, "PageTable"), offset(third))
    give_record(cpu, table(cpu, "PageTable"), offset(root))
    pmap.root = null(root)
