"""Spinlocks: leaf locks, never held across a sleep.

Where CPUs take turns nobody spins: who needs a taken spinlock is not chosen before it is free.
"""

from vmconc.locks.classes import EXCLUSIVE
from vmconc.locks.hook import acquired, given_up, ordered, point, released, requested, tried, wait_begins, wait_ends
from vmconc.locks.sleep import look_later
from vmconc.memory.atomics import atomic_cas, atomic_store
from vmconc.memory.jit import kernel
from vmconc.memory.refs import offset
from vmconc.memory.struct import guard
from vmconc.memory.twins import struct
from vmconc.schedule.engine import pass_gate
from vmconc.schedule.gates import open_gate, shut_gate
from vmconc.schedule.records import exploring


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
    if exploring(cpu):
        ordered(cpu, offset(spin), cls)
        cpu.reason = site
        pass_gate(cpu, offset(spin) | EXCLUSIVE, offset(spin), spin.owner != 0)
        spin.owner = cpu.index + 1
        shut_gate(cpu, offset(spin))
    else:
        requested(cpu, offset(spin), cls, EXCLUSIVE)
        if not atomic_cas(spin, "owner", 0, cpu.index + 1):
            spin_slowly(cpu, spin, cls)
    acquired(cpu, offset(spin), cls, EXCLUSIVE, site)


@kernel
def spin_slowly(cpu, spin, cls):
    """Look until the spinlock is free, then take it."""
    since = wait_begins(cpu, offset(spin), cls, EXCLUSIVE)
    looks = 0
    while spin.owner != 0 or not atomic_cas(spin, "owner", 0, cpu.index + 1):
        looks += 1
        look_later(cpu, looks)
    wait_ends(cpu, cls, since)


@kernel
def spin_try(cpu, spin, cls, site):
    """Acquire a spinlock if it is free; return whether it was."""
    point(cpu, offset(spin), EXCLUSIVE)
    taken = atomic_cas(spin, "owner", 0, cpu.index + 1)
    if taken:
        shut_gate(cpu, offset(spin))
        tried(cpu, offset(spin), cls, EXCLUSIVE, site)
    return taken


@kernel
def spin_unlock(cpu, spin, cls):
    """Release a spinlock.

    Locks: entry  held
           exit   not held
    """
    released(cpu, offset(spin), cls)
    atomic_store(spin, "owner", 0)
    open_gate(cpu, offset(spin))
    given_up(cpu, cls)
