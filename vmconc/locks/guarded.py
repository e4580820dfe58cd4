"""Guarded-by: an access to a shared word without the lock that its declaration names is reported as it happens.

For programs about locks, whose every access is a step: which lock guards which word stands in the Guard table.
"""

from vmconc.locks.cpu import HELD_WHAT_MASK
from vmconc.locks.races import check_race
from vmconc.locks.rules import GUARDED_BY, broken
from vmconc.memory.build import ALWAYS
from vmconc.memory.jit import kernel
from vmconc.memory.refs import at
from vmconc.memory.struct import ATOMIC, WRITES, guard
from vmconc.memory.table import table
from vmconc.memory.twins import ACCESS, struct
from vmconc.schedule.engine import access_point
from vmconc.schedule.records import GOING, engine_of, exploring


@struct(align=8)
class Guard:
    """The guard of one word of the shared record."""

    lock: int = guard("const")  # byte offset of the lock, 0: none
    atomic: int = guard("const")  # every access is atomic


@kernel
def holds_for(cpu, lock, write):
    """Tell whether a CPU holds a lock in a mode that allows the access: exclusively to write, in any to read."""
    for i in range(cpu.held_count):
        if cpu.held_lock[i] == lock and (not write or cpu.held_word[i] & HELD_WHAT_MASK & 1 != 0):
            return True
    return False


@kernel
def check_access(cpu, what, line):
    """Hold the access that a CPU is about to make against the word's guard, and against others' accesses.

    What runs when all threads have finished needs no lock.
    """
    guards, engine = table(cpu, "Guard"), engine_of(cpu)
    offset = what & ~(WRITES | ATOMIC)
    word = (offset - engine.guarded) >> 3
    if 0 <= word < guards.capacity and engine.current != engine.finale - 1:
        declared = at(cpu, "Guard", guards.first + word * guards.stride)
        what |= ATOMIC * declared.atomic
        if declared.lock != 0 and not holds_for(cpu, declared.lock, what & WRITES != 0):
            broken(cpu, GUARDED_BY, offset, declared.lock, what & WRITES)
    if engine.racing != 0:
        check_race(cpu, what, line)


@kernel
def access(near, what, line):
    """What happens before an access to a shared word: a schedule point, then the checks."""
    if exploring(near) and engine_of(near).ended == GOING:
        access_point(near, what & ~ATOMIC)
        cpus = table(near, "Cpu")
        check_access(at(near, "Cpu", cpus.first + engine_of(near).current * cpus.stride), what, line)


ACCESS[ALWAYS] = access
