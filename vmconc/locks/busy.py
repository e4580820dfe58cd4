"""Page busy: hard (exclusive ownership of a page) and soft (shared), with WANTED; hard locks, kept over sleeps.

(DragonFly `sys/vm/vm_page.c` vm_page_busy_try, vm_page_sbusy_try, vm_page_sleep_busy; `dragonfly.md` 2.6.)
"""

from vmconc.locks.block import block
from vmconc.locks.classes import EXCLUSIVE, SHARED, VM_PAGE
from vmconc.locks.hook import (
    acquired,
    failed,
    given_up,
    point,
    refused,
    released,
    requested,
    tried,
    wait_begins,
    wait_ends,
)
from vmconc.locks.sleep import FOREVER, cancel, prepare, wakeup
from vmconc.memory.atomics import atomic_cas, atomic_or
from vmconc.memory.jit import kernel
from vmconc.memory.queries import bug
from vmconc.memory.refs import offset
from vmconc.memory.struct import guard
from vmconc.memory.twins import struct

PBUSY_LOCKED = 0x80000000
PBUSY_WANTED = 0x40000000
PBUSY_MASK = 0x1FFFFFFF


@struct(align=8)
class Busy:
    """The busy state of a page."""

    word: int = guard("atomic")
    owner: int = guard("atomic")  # CPU index + 1 of the hard owner, for reports and rules


@kernel
def take_busy(cpu, busy, also_soft):
    """Hard-busy the page if it is not hard-busy, nor (`also_soft`) soft-busy; return whether it was possible."""
    while True:
        word = busy.word
        if word & PBUSY_LOCKED != 0 or (also_soft and word & PBUSY_MASK != 0):
            return False
        if atomic_cas(busy, "word", word, word | PBUSY_LOCKED):
            busy.owner = cpu.index + 1
            return True


@kernel
def busy_try(cpu, busy, also_soft, site):
    """Hard-busy the page if that needs no waiting; return whether it was possible.

    Locks: entry  the token of the page's object, or the page is otherwise known to stay
           exit   the page hard-busy if True
    """
    point(cpu, offset(busy), EXCLUSIVE)
    taken = take_busy(cpu, busy, also_soft)
    if taken:
        tried(cpu, offset(busy), VM_PAGE, EXCLUSIVE, site)
    else:
        failed(cpu, VM_PAGE)
    return taken


@kernel
def is_busy(busy, also_soft):
    """Tell whether the page is hard-busy, or (`also_soft`) soft-busy."""
    mask = PBUSY_LOCKED | PBUSY_MASK if also_soft else PBUSY_LOCKED
    return busy.word & mask != 0


@kernel
def sleep_anyway(cpu, busy, site):
    """Sleep once on a page that was busy before this CPU was on the queue (B32: nobody may be left to wake it).

    Locks: entry  as `busy_sleep`
           exit   same
    """
    prepare(cpu, offset(busy), site)
    atomic_or(busy, "word", PBUSY_WANTED)
    block(cpu, FOREVER)


@kernel
def sleep_if_busy(cpu, busy, also_soft, site):
    """Sleep once if the page is busy, without a word in the statistics.

    Locks: entry  as `busy_sleep`
           exit   same
    """
    if bug(cpu, "B32"):
        sleep_anyway(cpu, busy, site)
        return
    prepare(cpu, offset(busy), site)
    word = busy.word
    mask = PBUSY_LOCKED | PBUSY_MASK if also_soft else PBUSY_LOCKED
    if word & mask != 0 and atomic_cas(busy, "word", word, word | PBUSY_WANTED):
        block(cpu, FOREVER)
    else:
        cancel(cpu)


@kernel
def busy_sleep(cpu, busy, also_soft, site):
    """Sleep once if the page is busy.  Nothing is owned on return and the page may be another one.

    Locks: entry  no lock whose holder the page's owner may wait for
           exit   same; tokens were lost
    """
    if is_busy(busy, also_soft):
        since = wait_begins(cpu, offset(busy), VM_PAGE, EXCLUSIVE)
        sleep_if_busy(cpu, busy, also_soft, site)
        wait_ends(cpu, VM_PAGE, since)


@kernel
def busy_wait(cpu, busy, also_soft, site):
    """Hard-busy the page, sleeping as often as it takes.

    Locks: entry  as `busy_sleep`
           exit   the page hard-busy; tokens may have been lost
    """
    requested(cpu, offset(busy), VM_PAGE, EXCLUSIVE)
    if not take_busy(cpu, busy, also_soft):
        since = wait_begins(cpu, offset(busy), VM_PAGE, EXCLUSIVE)
        while not take_busy(cpu, busy, also_soft):
            sleep_if_busy(cpu, busy, also_soft, site)
        wait_ends(cpu, VM_PAGE, since)
    acquired(cpu, offset(busy), VM_PAGE, EXCLUSIVE, site)


@kernel
def busy_release(cpu, busy):
    """Give hard ownership up and wake those who want the page.

    Locks: entry  the page hard-busy by this CPU
           exit   not
    """
    busy_leave(cpu, busy)
    given_up(cpu, VM_PAGE)


@kernel
def busy_leave(cpu, busy):
    """Give hard ownership up, with all that is done under it or to make the page free."""
    if busy.word & PBUSY_LOCKED == 0 or busy.owner != cpu.index + 1:
        refused(cpu, offset(busy), VM_PAGE, busy.owner)
        return
    released(cpu, offset(busy), VM_PAGE)
    busy.owner = 0
    while True:
        word = busy.word
        if atomic_cas(busy, "word", word, word & ~(PBUSY_LOCKED | PBUSY_WANTED)):
            break
    if word & PBUSY_WANTED != 0 and not bug(cpu, "lost-wakeup"):
        wakeup(cpu, offset(busy))


@kernel
def busy_owned(cpu, busy):
    """Tell whether this CPU has the page hard-busy."""
    return busy.word & PBUSY_LOCKED != 0 and busy.owner == cpu.index + 1


@kernel
def soft_try(cpu, busy, site):
    """Soft-busy the page unless it is hard-busy; never counts up in passing (793bf44fb8)."""
    point(cpu, offset(busy), SHARED)
    while True:
        word = busy.word
        if word & PBUSY_LOCKED != 0:
            failed(cpu, VM_PAGE)
            return False
        if atomic_cas(busy, "word", word, word + 1):
            tried(cpu, offset(busy), VM_PAGE, SHARED, site)
            return True


@kernel
def soft_release(cpu, busy):
    """Give one soft-busy back; the last one wakes those who want the page."""
    soft_leave(cpu, busy)
    given_up(cpu, VM_PAGE)


@kernel
def soft_leave(cpu, busy):
    """Give one soft-busy back, with all that is done before that or to make the page free."""
    if busy.word & PBUSY_MASK == 0:
        refused(cpu, offset(busy), VM_PAGE, busy.word)
        return
    released(cpu, offset(busy), VM_PAGE)
    while True:
        word = busy.word
        new = word - 1
        if new & PBUSY_MASK == 0:
            new &= ~PBUSY_WANTED
        if atomic_cas(busy, "word", word, new):
            break
    if word & PBUSY_WANTED != 0 and new & PBUSY_WANTED == 0:
        wakeup(cpu, offset(busy))


@kernel
def io_start(cpu, busy, site):
    """Add a soft-busy to a page that this CPU has hard-busy, for a transfer."""
    if not busy_owned(cpu, busy):
        refused(cpu, offset(busy), VM_PAGE, busy.owner)
    while True:
        word = busy.word
        if atomic_cas(busy, "word", word, word + 1):
            tried(cpu, offset(busy), VM_PAGE, SHARED, site)
            return

