"""Readers-writer locks of lock programs: lockmgr locks without time-outs and upgrades, by lockmgr's rules.

To the explorer a request is one step, and a CPU whose request would change nothing is not asked: a reader while it is
barred, a writer while another one has the claim.  A writer's claim is a step of its own, since it bars new readers;
then it is not asked before the lock has been handed over to it.
"""

from functools import partial

from vmconc.locks.classes import EXCLUSIVE, SHARED
from vmconc.locks.hook import acquired, refused, released
from vmconc.locks.lockmgr import (
    EXCL,
    EXREQ,
    EXREQ_SHIFT,
    FIELD,
    OWNER,
    OWNER_SHIFT,
    SHARE,
    SHARES,
    WAIT_EXCLUSIVE,
    WAIT_SHARED,
    after_last,
    bars_shared,
    free_for_exclusive,
    lock_exclusive,
    lock_release,
    lock_shared,
    owned,
)
from vmconc.memory.jit import kernel
from vmconc.memory.refs import offset
from vmconc.schedule.engine import pass_gate
from vmconc.schedule.gates import let_through, set_gates
from vmconc.schedule.path import opened
from vmconc.schedule.records import exploring

READERS, WRITERS, CLAIMANT = range(3)  # the gates of one lock; the last one is for who has the claim, always shut


@kernel
def rwlock_read(cpu, lock, site):
    """Acquire shared.

    Locks: entry  not held by this CPU
           exit   held shared
    """
    if not exploring(cpu):
        lock_shared(cpu, lock, site)
        return
    cpu.reason = WAIT_SHARED
    pass_gate(cpu, offset(lock) | SHARED, offset(lock) + READERS, bars_shared(lock.word))
    lock.word += SHARE
    acquired(cpu, offset(lock), lock.cls, SHARED, site)


@kernel
def rwlock_write(cpu, lock, site):
    """Acquire exclusively.

    Locks: entry  not held by this CPU
           exit   held exclusively
    """
    if not exploring(cpu):
        lock_exclusive(cpu, lock, site)
        return
    cpu.reason = WAIT_EXCLUSIVE
    pass_gate(cpu, offset(lock) | EXCLUSIVE, offset(lock) + WRITERS, lock.word & EXREQ != 0)
    if not take_exclusive(cpu, lock):
        pass_gate(cpu, offset(lock) | EXCLUSIVE, offset(lock) + CLAIMANT, True)
    acquired(cpu, offset(lock), lock.cls, EXCLUSIVE, site)


@kernel
def take_exclusive(cpu, lock):
    """Take the lock if it is free and return True, else claim it."""
    word, me = lock.word, cpu.index + 1
    free = free_for_exclusive(word)
    change(cpu, lock, word | EXCL | me << OWNER_SHIFT if free else word | EXREQ | me << EXREQ_SHIFT)
    return free


@kernel
def rwlock_release(cpu, lock):
    """Release, whatever the mode.

    Locks: entry  held
           exit   not held
    """
    if not exploring(cpu):
        lock_release(cpu, lock)
    elif not owned(cpu, lock.word) and lock.word & SHARES == 0:
        refused(cpu, offset(lock), lock.cls, lock.word)
    else:
        released(cpu, offset(lock), lock.cls)
        leave(cpu, lock)


@partial(kernel, apart=True)
def leave(cpu, lock):
    """Give ownership or a share up; the last one hands over."""
    word = lock.word & ~(EXCL | OWNER) if owned(cpu, lock.word) else lock.word - SHARE
    if word & SHARES != 0:
        lock.word = word
        return
    change(cpu, lock, after_last(word))
    if word & EXREQ != 0:
        opened(cpu, offset(lock), 1 << CLAIMANT)
        let_through(cpu, (word >> EXREQ_SHIFT & FIELD) - 1)


@kernel
def shut_by(word):
    """Return which gates are shut while the lock's word is `word`, a bit for each."""
    shut = 1 << CLAIMANT
    if bars_shared(word):
        shut |= 1 << READERS
    if word & EXREQ != 0:
        shut |= 1 << WRITERS
    return shut


@kernel
def change(cpu, lock, word):
    """Change the lock's word, and open and shut its gates if need be."""
    before, shut = shut_by(lock.word), shut_by(word)
    lock.word = word
    if before != shut:
        opened(cpu, offset(lock), before & ~shut)
        set_gates(cpu, offset(lock), shut)
