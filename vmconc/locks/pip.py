"""Paging-in-progress: a count on an object that keeps it from being torn down, with a WAITING bit.

(DragonFly vm_object_pip_add, vm_object_pip_wait; `dragonfly.md` 2.5.)
"""

from vmconc.locks.block import block
from vmconc.locks.classes import PIP, SHARED
from vmconc.locks.hook import acquired, given_up, released, wait_begins, wait_ends
from vmconc.locks.rules import COUNT_UNDERFLOW, broken
from vmconc.locks.sites import site
from vmconc.locks.sleep import FOREVER, cancel, prepare, wakeup
from vmconc.memory.atomics import atomic_add, atomic_cas
from vmconc.memory.jit import kernel
from vmconc.memory.refs import offset
from vmconc.memory.struct import guard
from vmconc.memory.twins import struct

WAITING = 1 << 40
COUNT = WAITING - 1

OBJTRM = site("objtrm")


@struct(align=8)
class Pip:
    """A paging-in-progress count."""

    word: int = guard("atomic")


@kernel
def pip_add(cpu, pip, site):
    """Add one."""
    atomic_add(pip, "word", 1)
    acquired(cpu, offset(pip), PIP, SHARED, site)


@kernel
def pip_wakeup(cpu, pip):
    """Take one away; the last one wakes those who wait."""
    pip_leave(cpu, pip)
    given_up(cpu, PIP)


@kernel
def pip_leave(cpu, pip):
    """Take one away, with all that is done before that or to wake."""
    if pip.word & COUNT == 0:
        broken(cpu, COUNT_UNDERFLOW, offset(pip), 1, 0)
        return
    released(cpu, offset(pip), PIP)
    while True:
        word = pip.word
        new = word - 1
        if new & COUNT == 0:
            new = 0
        if atomic_cas(pip, "word", word, new):
            break
    if new == 0 and word & WAITING != 0:
        wakeup(cpu, offset(pip))


@kernel
def pip_wait(cpu, pip):
    """Sleep until the count is zero.

    Locks: entry  the object's token exclusively
           exit   same; it was lost in between
    """
    while pip.word & COUNT != 0:
        since = wait_begins(cpu, offset(pip), PIP, SHARED)
        prepare(cpu, offset(pip), OBJTRM)
        word = pip.word
        if word & COUNT != 0 and atomic_cas(pip, "word", word, word | WAITING):
            block(cpu, FOREVER)
        else:
            cancel(cpu)
        wait_ends(cpu, PIP, since)


@kernel
def pip_count(pip):
    """Return the count."""
    return pip.word & COUNT
