"""The chain of objects: its lock, its references, and how the object below is reached.

Only anonymous objects have a chain lock; of a file, which many chains end in, every request is granted at once.
(DragonFly `sys/vm/vm_object.c` before 9de48ead, vm_object_chain_acquire, vm_object_chain_release_all,
vm_object_reference_locked; `dragonfly.md` 2.3, 2.4.)
"""

from vmconc.locks.chain import (
    CHAINLK_EXCL,
    CHAINLK_EXCLREQ,
    CHAINLK_MASK,
    chain_acquire,
    chain_exclusive,
    chain_free,
    chain_release,
    chain_shared,
    chain_wait,
)
from vmconc.locks.classes import CHAIN, EXCLUSIVE, SHARED
from vmconc.locks.hook import holds, point, tried, wait_begins, wait_ends
from vmconc.locks.rules import CHAIN_REFERENCED, broken
from vmconc.locks.token import give_up_tokens, reown_tokens
from vmconc.memory.jit import kernel
from vmconc.memory.queries import bug, tracked
from vmconc.memory.refs import offset
from vmconc.schedule.engine import pass_point
from vmconc.vm.object import object_drop, object_hold, object_reference
from vmconc.vm.structs import OBJT_VNODE


@kernel
def lose_tokens(cpu):
    """Give every token up for a moment, as any request for one more may do: what a bug lives on shows more often.

    Locks: entry  any tokens
           exit   the same, but others may have run
    """
    give_up_tokens(cpu, cpu.token_count)
    pass_point(cpu, 0)
    reown_tokens(cpu)


@kernel
def chain_object_acquire(cpu, object, mode, site):
    """Acquire the chain lock of an object, if it has one.

    Locks: entry  the object's token; this chain lock not held
           exit   the same and the chain lock; tokens may have been lost
    """
    if object.type != OBJT_VNODE:
        chain_acquire(cpu, object.chain, mode, site)


@kernel
def chain_below_acquire(cpu, object, mode, site):
    """Acquire the chain lock of the next object of a fault's walk, if it has one, with a page of the first object busy.

    The order is: chain lock and pages of an object, then those of the object below.  Ranks of lock classes cannot
    say that, so the order rule is not asked here.

    Locks: entry  the chain lock of the object above, the object's token; pages of objects above may be busy
           exit   the same and the chain lock; tokens may have been lost
    """
    if object.type == OBJT_VNODE or bug(cpu, "B21"):
        return
    chain = object.chain
    point(cpu, offset(chain), mode)
    bars = CHAINLK_EXCL | CHAINLK_EXCLREQ if mode == SHARED else CHAINLK_EXCL | CHAINLK_MASK
    waits = chain.word & bars != 0
    since = wait_begins(cpu, offset(chain), CHAIN, mode) if waits else 0
    if mode == SHARED:
        chain_shared(cpu, chain)
    else:
        chain_exclusive(cpu, chain)
    if waits:
        wait_ends(cpu, CHAIN, since)
    tried(cpu, offset(chain), CHAIN, mode, site)


@kernel
def chain_object_release(cpu, object):
    """Release the chain lock of an object, if it has one."""
    if object.type != OBJT_VNODE:
        chain_release(cpu, object.chain)


@kernel
def release_chain(cpu, first, last):
    """Release the chain locks of `first` and of all below it down to `last`: that one first, it is the most shared.

    Locks: entry  the chain locks; the token of `first`, or of the object above it
           exit   the token
    """
    if bug(cpu, "B21"):
        return
    if not bug(cpu, "B22"):  # B22: stops one object too early
        chain_object_release(cpu, last)
    object = first
    while object != last:
        below = object.backing_object
        chain_object_release(cpu, object)
        object = below


@kernel
def hold_below(cpu, object, site):
    """Hold the object below, whichever it is by the time its token is had; null if there is none.

    Locks: entry  the object's token
           exit   the same and, on top, the token of the object below: exclusively, shared if it is a file's
    """
    while True:
        below = object.backing_object
        if not below:
            return below
        object_hold(cpu, below, SHARED if below.type == OBJT_VNODE else EXCLUSIVE, site)
        if object.backing_object == below:
            return below
        object_drop(cpu, below)


@kernel
def others_chained(cpu, object):
    """Tell whether another CPU may hold the object's chain lock."""
    if chain_free(object.chain):
        return False
    return object.chain.word & CHAINLK_EXCL == 0 or not holds(cpu, offset(object.chain))


@kernel
def reference_locked(cpu, object):
    """Add a reference that a holder of the object's chain lock must not miss.

    Locks: entry  the object's token; its chain lock free since the last time the CPU could sleep, or held exclusively
           exit   same
    """
    if tracked(cpu) and others_chained(cpu, object):
        broken(cpu, CHAIN_REFERENCED, offset(object), 0, object.chain.word)
    object_reference(cpu, object)


@kernel
def reference_unchained(cpu, object):
    """Add a reference to an object, when nobody holds its chain lock; a file's needs no waiting.

    Locks: entry  the token of an anonymous object exclusively, its chain lock not held
           exit   same; tokens may have been lost before the reference was added
    """
    if object.type != OBJT_VNODE and not bug(cpu, "B24"):
        chain_wait(cpu, object.chain)
    reference_locked(cpu, object)
