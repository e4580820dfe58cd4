"""Deadlock as it forms: CPUs that wait for one another without end, whatever the others do.

It is looked for only when a CPU begins to wait.  A CPU may go on at last if it does not wait without end, if nobody is
known to own what it waits for (a semaphore, an answer of the disk), or if all who own it may: a writer needs the shares
of all readers back.  The rest are those of a cycle and those behind it.
"""

from vmconc.memory.gated import controlled_only
from vmconc.memory.jit import kernel
from vmconc.memory.refs import offset
from vmconc.memory.table import record
from vmconc.schedule.gates import GATE_BITS
from vmconc.schedule.records import ASLEEP, BARRED, TIMED, engine_of, fiber_of

NOT_OWNED, OWNED_SHARED, OWNED = range(3)


@kernel
def waits_for(near, index):
    """Return the byte offset of what a CPU waits for without end; 0: it does not."""
    fiber = fiber_of(near, index)
    if fiber.state == BARRED:
        return fiber.gate & ~GATE_BITS
    return record(near, "Cpu", index).channel if fiber.state == ASLEEP else 0


@kernel
def gave_up(cpu, fiber, lock):
    """Tell whether a CPU sleeps and the lock is one of its tokens, all of which it has given up for so long."""
    if fiber.state != ASLEEP and fiber.state != TIMED:
        return False
    for i in range(cpu.token_count):
        if offset(cpu.token[i]) == lock:
            return True
    return False


@kernel
def ownership(near, index, lock):
    """Return how a CPU owns a lock.  A thread owns its own end, for which others wait."""
    cpu, fiber = record(near, "Cpu", index), fiber_of(near, index)
    if offset(fiber) == lock:
        return OWNED
    for i in range(cpu.held_count):
        if cpu.held_lock[i] == lock and not gave_up(cpu, fiber, lock):
            return OWNED if cpu.held_word[i] & 1 != 0 else OWNED_SHARED
    return NOT_OWNED


@kernel
def waits_in_vain(near, engine, index):
    """Tell whether one of those who own what a CPU waits for cannot go on.  Who owns it exclusively counts first.

    Who sleeps on a lock that it holds has asked for more of it (an upgrade) and does not wait for itself.
    """
    lock, asleep = waits_for(near, index), fiber_of(near, index).state == ASLEEP
    in_vain = False
    for other in range(engine.fibers):
        owned = NOT_OWNED if asleep and other == index else ownership(near, other, lock)
        if owned == OWNED:
            return fiber_of(near, other).stuck != 0
        if owned == OWNED_SHARED and fiber_of(near, other).stuck != 0:
            in_vain = True
    return in_vain


@kernel
def is_joined(near, engine, index):
    """Tell whether somebody waits for a CPU's end."""
    for other in range(engine.fibers):
        if waits_for(near, other) == offset(fiber_of(near, index)):
            return True
    return False


@kernel
def waiter_owns(near, engine):
    """Tell whether any CPU that waits owns something: else there is no cycle, which is what is mostly so."""
    for index in range(engine.fibers):
        waits = waits_for(near, index) != 0
        if waits and (record(near, "Cpu", index).held_count != 0 or is_joined(near, engine, index)):
            return True
    return False


@controlled_only
def in_deadlock(cpu):
    """Tell whether this CPU, which begins to wait, can never go on again; `stuck` says so of every CPU then."""
    engine = engine_of(cpu)
    if engine.parking != 0 or not waiter_owns(cpu, engine):
        return False
    for index in range(engine.fibers):
        fiber_of(cpu, index).stuck = waits_for(cpu, index) != 0
    if not waits_in_vain(cpu, engine, cpu.index):
        return False
    freed = True
    while freed:
        freed = False
        for index in range(engine.fibers):
            fiber = fiber_of(cpu, index)
            if fiber.stuck != 0 and not waits_in_vain(cpu, engine, index):
                fiber.stuck = 0
                freed = True
    return fiber_of(cpu, cpu.index).stuck != 0
