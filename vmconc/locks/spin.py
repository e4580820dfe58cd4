"""Spinlocks: leaf locks, never held across a sleep."""

from vmconc.locks.classes import EXCLUSIVE
from vmconc.locks.hook import acquired, point, released, requested, wait_begins, wait_ends
from vmconc.locks.sleep import look_later
from vmconc.memory.atomics import atomic_cas, atomic_store
from vmconc.memory.jit import kernel
from vmconc.memory.refs import offset, struct
from vmconc.memory.struct import guard
from vmconc.schedule.classes import touched


@struct(align=8)
class Spin:
    """A spinlock."""

    owner: int = guard("atomic")  # CPU index + 1, 0: free


@kernel
def spin_lock(cpu, spin, cls, site):
    """Acquire a spinlock.

    Locks: entry  this one not held
           exit   held
    """
    requested(cpu, offset(spin), cls, EXCLUSIVE)
    if not atomic_cas(spin, "owner", 0, cpu.index + 1):
        spin_slowly(cpu, spin, cls)
    acquired(cpu, offset(spin), cls, EXCLUSIVE, site)


@kernel
def spin_slowly(cpu, spin, cls):
    """Look until the spinlock is free, then take it."""
    since = wait_begins(cpu, cls, EXCLUSIVE)
    looks = 0
    while spin.owner != 0 or not atomic_cas(spin, "owner", 0, cpu.index + 1):
        looks += 1
        look_later(cpu, looks)
    touched(cpu, offset(spin) | EXCLUSIVE)
    wait_ends(cpu, cls, since)


@kernel
def spin_try(cpu, spin, cls, site):
    """Acquire a spinlock if it is free; return whether it was."""
    point(cpu, offset(spin), EXCLUSIVE)
    taken = atomic_cas(spin, "owner", 0, cpu.index + 1)
    if taken:
        acquired(cpu, offset(spin), cls, EXCLUSIVE, site)
    return taken


@kernel
def spin_unlock(cpu, spin, cls):
    """Release a spinlock.

    Locks: entry  held
           exit   not held
    """
    released(cpu, offset(spin), cls)
    atomic_store(spin, "owner", 0)
