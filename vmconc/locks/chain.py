"""The chain lock of an object (`chained` only): hard, shared or exclusive, kept over sleeps and I/O.

It keeps the links of a chain of objects as they are and forbids collapse, split and new references of the
objects it is held on.  No time-out, no recursion, no upgrade, no owner.  (DragonFly `sys/vm/vm_object.c`
before 9de48ead, vm_object_chain_*; `dragonfly.md` 2.4.)
"""

from vmconc.locks.block import block
from vmconc.locks.classes import CHAIN, SHARED
from vmconc.locks.hook import acquired, given_up, refused, released, requested, wait_begins, wait_ends
from vmconc.locks.sites import site
from vmconc.locks.sleep import FOREVER, cancel, prepare, wakeup
from vmconc.memory.atomics import atomic_cas
from vmconc.memory.jit import kernel
from vmconc.memory.queries import bug
from vmconc.memory.refs import offset
from vmconc.memory.struct import guard
from vmconc.memory.twins import struct

CHAINLK_EXCL = 0x80000000
CHAINLK_WAIT = 0x40000000
CHAINLK_EXCLREQ = 0x20000000
CHAINLK_MASK = 0x1FFFFFFF

OBJCHNS = site("objchns")
OBJCHNX = site("objchnx")
OBJCHNW = site("objchnw")


@struct(align=8)
class Chain:
    """A chain lock."""

    word: int = guard("atomic")


@kernel
def chain_free(chain):
    """Tell whether nobody holds the chain lock."""
    return chain.word & (CHAINLK_MASK | CHAINLK_EXCL) == 0


@kernel
def chain_sleep(cpu, chain, word, bits, reason):
    """Announce with `bits` that somebody waits and sleep, unless the word has changed."""
    prepare(cpu, offset(chain), reason)
    if atomic_cas(chain, "word", word, word | bits):
        block(cpu, FOREVER)
    else:
        cancel(cpu)


@kernel
def chain_shared(cpu, chain):
    """Get a share; a waiting exclusive request bars it."""
    while True:
        word = chain.word
        if word & (CHAINLK_EXCL | CHAINLK_EXCLREQ) != 0:
            chain_sleep(cpu, chain, word, CHAINLK_WAIT, OBJCHNS)
        elif atomic_cas(chain, "word", word, word + 1):
            return


@kernel
def chain_exclusive(cpu, chain):
    """Get it exclusively; on success waiters are woken so that they announce themselves again."""
    while True:
        word = chain.word
        if word & (CHAINLK_MASK | CHAINLK_EXCL) != 0:
            chain_sleep(cpu, chain, word, CHAINLK_WAIT | CHAINLK_EXCLREQ, OBJCHNX)
        elif atomic_cas(chain, "word", word, CHAINLK_EXCL | (word & CHAINLK_EXCLREQ if bug(cpu, "B23") else 0)):
            if word & CHAINLK_WAIT != 0:
                wakeup(cpu, offset(chain))
            return


@kernel
def chain_acquire(cpu, chain, mode, site):
    """Acquire a chain lock.  All tokens may be lost while it sleeps.

    Locks: entry  the object's token held; this chain lock not held
           exit   the same and the chain lock held
    """
    requested(cpu, offset(chain), CHAIN, mode)
    word = chain.word
    if mode == SHARED:
        fast = word & (CHAINLK_EXCL | CHAINLK_EXCLREQ) == 0 and atomic_cas(chain, "word", word, word + 1)
    else:
        fast = word == 0 and atomic_cas(chain, "word", 0, CHAINLK_EXCL)
    if not fast:
        since = wait_begins(cpu, offset(chain), CHAIN, mode)
        if mode == SHARED:
            chain_shared(cpu, chain)
        else:
            chain_exclusive(cpu, chain)
        wait_ends(cpu, CHAIN, since)
    acquired(cpu, offset(chain), CHAIN, mode, site)


@kernel
def chain_wait(cpu, chain):
    """Wait until nobody holds the chain lock, taking nothing.  Nothing blocks between its return and the next block.

    Locks: entry  the object's token held; this chain lock not held
           exit   the same; the chain lock was free at return
    """
    while True:
        word = chain.word
        if word & (CHAINLK_MASK | CHAINLK_EXCL) == 0:
            if word & CHAINLK_WAIT == 0:
                return
            if atomic_cas(chain, "word", word, word & ~CHAINLK_WAIT):
                wakeup(cpu, offset(chain))
                return
        else:
            since = wait_begins(cpu, offset(chain), CHAIN, SHARED)
            chain_sleep(cpu, chain, word, CHAINLK_WAIT, OBJCHNW)
            wait_ends(cpu, CHAIN, since)


@kernel
def chain_release(cpu, chain):
    """Release a chain lock; the last holder wakes those who wait.  EXCLREQ stays until an exclusive acquirer gets in.

    Locks: entry  held
           exit   not held
    """
    chain_leave(cpu, chain)
    given_up(cpu, CHAIN)


@kernel
def chain_leave(cpu, chain):
    """Release, with all that is done under the lock or to make it free."""
    if chain_free(chain):
        refused(cpu, offset(chain), CHAIN, chain.word)
        return
    released(cpu, offset(chain), CHAIN)
    while True:
        word = chain.word
        new = word - 1 if word & CHAINLK_MASK != 0 else word & ~CHAINLK_EXCL
        if new & CHAINLK_MASK == 0:
            new &= ~CHAINLK_WAIT
        if atomic_cas(chain, "word", word, new):
            break
    if word & CHAINLK_WAIT != 0 and new & CHAINLK_WAIT == 0:
        wakeup(cpu, offset(chain))
