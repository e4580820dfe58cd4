"""Stay: the CPU that runs goes on as long as it can, then the lowest one that can.  No preemption at all."""

from vmconc.memory.jit import kernel
from vmconc.schedule.records import READY, fiber_of


@kernel
def lowest_ready(engine):
    """Return the ready CPU of the lowest index, one that only a time-out would let go on last."""
    best, timed = engine.fibers, engine.fibers
    for i in range(engine.ready_count):
        index = engine.ready[i]
        if fiber_of(engine, index).state == READY:
            best = min(best, index)
        else:
            timed = min(timed, index)
    return best if best < engine.fibers else timed


@kernel
def choose_staying(engine, index):
    """Choose the CPU `index` if it is ready, else the lowest."""
    return index if fiber_of(engine, index).state == READY else lowest_ready(engine)
