"""Page queues: free, inactive, active; each of 64 sub-queues with a spinlock of its own.

A page's sub-queue is fixed by its color.  CPUs take free pages from disjoint sets of colors first, so they meet only
when memory runs low.  (DragonFly `sys/vm/vm_page.c` vm_page_queues, vm_get_pg_color.)
"""

from vmconc.locks.classes import PAGE_QUEUE, PAGE_SPIN
from vmconc.locks.sites import site
from vmconc.locks.spin import spin_lock, spin_unlock
from vmconc.memory.jit import kernel
from vmconc.memory.pagebytes import page_prefetch
from vmconc.memory.refs import at, null
from vmconc.memory.segment import HEADER
from vmconc.memory.table import table
from vmconc.vm.structs import PQ_ACTIVE, PQ_FREE, PQ_INACTIVE, PQ_NONE, PQ_SETS

PAGE = site("page.spin")
QUEUE = site("page_queue.spin")


@kernel
def page_queue(cpu, kind, color):
    """Return one sub-queue."""
    queues = table(cpu, "PageQueue")
    return at(cpu, "PageQueue", queues.first + (kind * PQ_SETS + color) * queues.stride)


@kernel
def queue_insert(queue, page):
    """Put a page at the head: what was freed last is reused first, while it is in the cache.

    Locks: entry  the queue's spinlock
           exit   same
    """
    first = queue.head
    page.queue_prev = null(page)
    page.queue_next = first
    if first:
        first.queue_prev = page
    else:
        queue.tail = page
    queue.head = page
    queue.count += 1


@kernel
def queue_remove(queue, page):
    """Take a page out.

    Locks: entry  the queue's spinlock
           exit   same
    """
    before, behind = page.queue_prev, page.queue_next
    if before:
        before.queue_next = behind
    else:
        queue.head = behind
    if behind:
        behind.queue_prev = before
    else:
        queue.tail = before
    page.queue_next = null(page)
    page.queue_prev = null(page)
    queue.count -= 1


@kernel
def move_locked(cpu, page, kind):
    """Move a page to the queue `kind`, PQ_NONE for none.

    Locks: entry  the page's spinlock
           exit   same
    """
    if page.queue != PQ_NONE:
        old = page_queue(cpu, page.queue, page.color)
        spin_lock(cpu, old.spin, PAGE_QUEUE, QUEUE)
        queue_remove(old, page)
        page.queue = PQ_NONE
        spin_unlock(cpu, old.spin, PAGE_QUEUE)
    if kind != PQ_NONE:
        new = page_queue(cpu, kind, page.color)
        spin_lock(cpu, new.spin, PAGE_QUEUE, QUEUE)
        queue_insert(new, page)
        page.queue = kind
        spin_unlock(cpu, new.spin, PAGE_QUEUE)


@kernel
def page_move(cpu, page, kind):
    """Move a page to a queue, unless it is there already.

    Locks: entry  the page hard-busy
           exit   same
    """
    spin_lock(cpu, page.spin, PAGE_SPIN, PAGE)
    if page.queue != kind:
        move_locked(cpu, page, kind)
    spin_unlock(cpu, page.spin, PAGE_SPIN)


@kernel
def page_unqueue(cpu, page):
    """Take a page off its queue."""
    page_move(cpu, page, PQ_NONE)


@kernel
def page_activate(cpu, page):
    """Put a page on the active queue, unless it is wired."""
    if page.wire_count == 0:
        page_move(cpu, page, PQ_ACTIVE)


@kernel
def page_deactivate(cpu, page):
    """Put a page on the inactive queue, unless it is wired."""
    if page.wire_count == 0:
        page_move(cpu, page, PQ_INACTIVE)


@kernel
def first_color(cpu, pindex):
    """Return where a CPU looks for a free page first: its own share of the colors, spread by page index."""
    share = max(1, PQ_SETS // at(cpu, "Machine", HEADER).cpus)
    return (cpu.index * share + pindex % share) % PQ_SETS


@kernel
def take_free(cpu, pindex):
    """Take a page off the free queues; null if there is none.

    Locks: entry  no spinlock
           exit   same; the page is on no queue, and nobody else can find it
    """
    start = first_color(cpu, pindex)
    for i in range(PQ_SETS):
        queue = page_queue(cpu, PQ_FREE, (start + i) % PQ_SETS)
        if not queue.head:
            continue
        spin_lock(cpu, queue.spin, PAGE_QUEUE, QUEUE)
        page = queue.head
        if page:
            queue_remove(queue, page)
            page.queue = PQ_NONE
        spin_unlock(cpu, queue.spin, PAGE_QUEUE)
        if page:
            return page
    return at(cpu, "VmPage", 0)


@kernel
def are_free(cpu, frames):
    """Tell whether at least so many frames are free, as far as can be seen without the queues' spinlocks."""
    found = 0
    for color in range(PQ_SETS):
        found += page_queue(cpu, PQ_FREE, color).count
    return found >= frames


@kernel
def prefetch_free(cpu, pindex):
    """Prefetch the frame that this CPU will most likely take for `pindex`, so that it arrives during other work."""
    page = page_queue(cpu, PQ_FREE, first_color(cpu, pindex)).head
    if page:
        page_prefetch(cpu, page.frame)
