"""lockmgr: shared/exclusive locks that may be held across a sleep; map locks and vnode locks.

Waiting writers bar new readers, the last release hands the lock over to the writer that waits, an upgrade
beats a waiting writer.  (DragonFly `sys/kern/kern_lock.c`; `dragonfly.md` 2.1.)  All state is one word, so
each transition is one compare-and-set:

    bit 0 EXCL    bit 1 EXREQ    bit 2 UPREQ    bit 3 WAITERS
    8..23 shared holders    24..35 exclusive owner    36..47 EXREQ's CPU    48..59 UPREQ's CPU    (CPU index + 1)
"""

from vmconc.locks.block import block
from vmconc.locks.classes import EXCLUSIVE, SHARED
from vmconc.locks.hook import (
    acquired,
    changed_mode,
    class_to_delay,
    failed,
    given_up,
    now,
    point,
    refused,
    released,
    requested,
    tried,
    wait_begins,
    wait_ends,
)
from vmconc.locks.sites import site
from vmconc.locks.sleep import FOREVER, cancel, prepare, wakeup
from vmconc.memory.atomics import atomic_cas
from vmconc.memory.jit import kernel
from vmconc.memory.queries import bug
from vmconc.memory.refs import offset
from vmconc.memory.struct import guard
from vmconc.memory.twins import struct

EXCL, EXREQ, UPREQ, WAITERS = 1, 2, 4, 8
SHARE = 1 << 8
SHARES = 0xFFFF << 8
FIELD = 0xFFF
OWNER_SHIFT, EXREQ_SHIFT, UPREQ_SHIFT = 24, 36, 48
OWNER, EXREQ_CPU, UPREQ_CPU = FIELD << OWNER_SHIFT, FIELD << EXREQ_SHIFT, FIELD << UPREQ_SHIFT

WAIT_SHARED = site("lockmgr.shared")
WAIT_TIMED = site("lockmgr.shared_timed")
WAIT_EXCLUSIVE = site("lockmgr.exclusive")
WAIT_UPGRADE = site("lockmgr.upgrade")


@struct(align=8)
class Lockmgr:
    """A lockmgr lock."""

    word: int = guard("atomic")
    cls: int = guard("const")


@kernel
def owned(cpu, word):
    """Tell whether `word` says that this CPU owns the lock exclusively."""
    return word & EXCL != 0 and word >> OWNER_SHIFT & FIELD == cpu.index + 1


@kernel
def bars_shared(word):
    """Tell whether `word` bars a new shared holder."""
    return word & EXCL != 0 or (word & (EXREQ | UPREQ) != 0 and word & SHARES != 0)


@kernel
def after_last(word):
    """Return the word after the last holder left: a waiting upgrade has it now, else a waiting writer, else nobody."""
    if word & UPREQ != 0:
        cpu = word >> UPREQ_SHIFT & FIELD
        return word & ~(UPREQ | UPREQ_CPU) | EXCL | cpu << OWNER_SHIFT
    if word & EXREQ != 0:
        cpu = word >> EXREQ_SHIFT & FIELD
        return word & ~(EXREQ | EXREQ_CPU) | EXCL | cpu << OWNER_SHIFT
    return word & ~WAITERS


@kernel
def leave_shared(cpu, lock):
    """Give one share back; the last one hands over."""
    while True:
        word = lock.word
        new = word - SHARE
        last = new & SHARES == 0
        if last:
            new = after_last(new)
        if atomic_cas(lock, "word", word, new):
            break
    if last and word & (WAITERS | EXREQ | UPREQ) != 0:
        wakeup(cpu, offset(lock))


@kernel
def sleep_while(cpu, lock, word, reason, left):
    """Sleep if the lock's word is still `word`; return False if that took longer than `left` ns."""
    prepare(cpu, offset(lock), reason)
    if atomic_cas(lock, "word", word, word | WAITERS):
        return block(cpu, left)
    cancel(cpu)
    return True


@kernel
def enter_shared(cpu, lock, timeout):
    """Get a share, waiting at most `timeout` ns; return whether it was got."""
    deadline = now(cpu) + timeout if timeout < FOREVER else FOREVER
    while True:
        word = lock.word
        if not bars_shared(word):
            if atomic_cas(lock, "word", word, word + SHARE):
                return True
            continue
        left = deadline - now(cpu) if timeout < FOREVER else FOREVER
        if left <= 0 or not sleep_while(cpu, lock, word, WAIT_SHARED if timeout >= FOREVER else WAIT_TIMED, left):
            return False


@kernel
def lock_shared_timed(cpu, lock, timeout, site):
    """Acquire shared, waiting at most `timeout` ns; return whether it was got (LK_TIMELOCK).

    Locks: entry  not held by this CPU
           exit   held shared if True
    """
    if timeout >= FOREVER:  # a timed request may break the order: it cannot wait for ever
        requested(cpu, offset(lock), lock.cls, SHARED)
    word = lock.word
    if bars_shared(word) or not atomic_cas(lock, "word", word, word + SHARE):
        since = wait_begins(cpu, offset(lock), lock.cls, SHARED)
        got = enter_shared(cpu, lock, timeout)
        wait_ends(cpu, lock.cls, since)
        if not got:
            failed(cpu, lock.cls)
            return False
    if timeout >= FOREVER:
        acquired(cpu, offset(lock), lock.cls, SHARED, site)
    else:
        tried(cpu, offset(lock), lock.cls, SHARED, site)
    return True


@kernel
def lock_shared(cpu, lock, site):
    """Acquire shared.  Taking it again while holding it can deadlock behind a waiting writer.

    Locks: entry  not held by this CPU
           exit   held shared
    """
    lock_shared_timed(cpu, lock, FOREVER, site)


@kernel
def free_for_exclusive(word):
    """Tell whether nobody holds the lock and nobody has a claim to it."""
    return word & (EXCL | EXREQ | UPREQ | SHARES) == 0


@kernel
def enter_exclusive(cpu, lock):
    """Get the lock exclusively: claim it (EXREQ), or wait for whoever has the claim, and be handed it."""
    me = cpu.index + 1
    while True:
        word = lock.word
        if free_for_exclusive(word):
            if atomic_cas(lock, "word", word, word | EXCL | me << OWNER_SHIFT):
                return
        elif word & EXREQ == 0:
            if atomic_cas(lock, "word", word, word | EXREQ | me << EXREQ_SHIFT):
                await_ownership(cpu, lock, WAIT_EXCLUSIVE)
                return
        else:
            sleep_while(cpu, lock, word, WAIT_EXCLUSIVE, FOREVER)


@kernel
def await_ownership(cpu, lock, reason):
    """Sleep until the lock has been handed over to this CPU."""
    while True:
        prepare(cpu, offset(lock), reason)
        if owned(cpu, lock.word):
            cancel(cpu)
            return
        block(cpu, FOREVER)


@kernel
def lock_exclusive(cpu, lock, site):
    """Acquire exclusively.

    Locks: entry  not held by this CPU
           exit   held exclusively
    """
    requested(cpu, offset(lock), lock.cls, EXCLUSIVE)
    word = lock.word
    fast = free_for_exclusive(word) and atomic_cas(lock, "word", word, word | EXCL | cpu.index + 1 << OWNER_SHIFT)
    if not fast:
        since = wait_begins(cpu, offset(lock), lock.cls, EXCLUSIVE)
        enter_exclusive(cpu, lock)
        wait_ends(cpu, lock.cls, since)
    acquired(cpu, offset(lock), lock.cls, EXCLUSIVE, site)


@kernel
def lock_try(cpu, lock, mode, site):
    """Acquire if that needs no waiting (LK_NOWAIT); return whether it was got."""
    point(cpu, offset(lock), mode)
    while True:
        word = lock.word
        if mode == EXCLUSIVE:
            possible, new = free_for_exclusive(word), word | EXCL | cpu.index + 1 << OWNER_SHIFT
        else:
            possible, new = not bars_shared(word), word + SHARE
        if not possible:
            failed(cpu, lock.cls)
            return False
        if atomic_cas(lock, "word", word, new):
            tried(cpu, offset(lock), lock.cls, mode, site)
            return True


@kernel
def lock_upgrade(cpu, lock):
    """Turn a share into exclusive ownership (LK_EXCLUPGRADE); False, **holding nothing**, if another upgrade waits.

    Locks: entry  held shared
           exit   held exclusively if True, not held if False
    """
    requested_upgrade = False
    while not requested_upgrade:
        word = lock.word
        if word & SHARES == 0:
            refused(cpu, offset(lock), lock.cls, word)
            return False
        if word & UPREQ != 0 or (bug(cpu, "B52") and word & SHARES != SHARE):  # B52: as if it could not end well
            released(cpu, offset(lock), lock.cls)
            leave_shared(cpu, lock)
            given_up(cpu, class_to_delay(cpu, lock))
            failed(cpu, lock.cls)
            return False
        if word & SHARES == SHARE:
            if atomic_cas(lock, "word", word, word - SHARE | EXCL | cpu.index + 1 << OWNER_SHIFT):
                changed_mode(cpu, offset(lock), lock.cls, EXCLUSIVE)
                return True
        else:
            claim = word - SHARE | UPREQ | cpu.index + 1 << UPREQ_SHIFT
            requested_upgrade = atomic_cas(lock, "word", word, claim)
    since = wait_begins(cpu, offset(lock), lock.cls, EXCLUSIVE)
    await_ownership(cpu, lock, WAIT_UPGRADE)
    wait_ends(cpu, lock.cls, since)
    changed_mode(cpu, offset(lock), lock.cls, EXCLUSIVE)
    return True


@kernel
def lock_downgrade(cpu, lock):
    """Turn exclusive ownership into a share; never waits.

    Locks: entry  held exclusively
           exit   held shared
    """
    if not owned(cpu, lock.word):
        refused(cpu, offset(lock), lock.cls, lock.word)
        return
    changed_mode(cpu, offset(lock), lock.cls, SHARED)
    while True:
        word = lock.word
        if atomic_cas(lock, "word", word, (word & ~(EXCL | OWNER | WAITERS)) + SHARE):
            break
    if word & WAITERS != 0:
        wakeup(cpu, offset(lock))


@kernel
def lock_release(cpu, lock):
    """Release, whatever the mode.

    Locks: entry  held
           exit   not held
    """
    cls = class_to_delay(cpu, lock)
    lock_leave(cpu, lock)
    given_up(cpu, cls)


@kernel
def lock_leave(cpu, lock):
    """Release, with all that is done under the lock or to make it free."""
    if not owned(cpu, lock.word) and lock.word & SHARES == 0:
        refused(cpu, offset(lock), lock.cls, lock.word)
        return
    released(cpu, offset(lock), lock.cls)
    if not owned(cpu, lock.word):
        leave_shared(cpu, lock)
        return
    while True:
        word = lock.word
        if atomic_cas(lock, "word", word, after_last(word & ~(EXCL | OWNER))):
            break
    if word & (WAITERS | EXREQ | UPREQ) != 0:
        wakeup(cpu, offset(lock))


@kernel
def lock_mode(cpu, lock):
    """Return EXCLUSIVE if this CPU owns the lock, SHARED if somebody holds it shared, else -1."""
    word = lock.word
    if owned(cpu, word):
        return EXCLUSIVE
    return SHARED if word & SHARES != 0 else -1
