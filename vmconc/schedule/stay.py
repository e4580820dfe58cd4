"""Stay: the CPU that runs goes on as long as it can, then the lowest one that can.  No preemption at all."""

from functools import partial

from vmconc.memory.jit import kernel
from vmconc.schedule.records import READY, fiber_of, is_ready


@kernel
def lowest_ready(engine, first):
    """Return the ready CPU of the lowest index, counted from `first` on and around.

    One that only a time-out would let go on comes last.
    """
    timed = first
    for distance in range(engine.fibers):
        index = (first + distance) % engine.fibers
        if is_ready(engine, index):
            if fiber_of(engine, index).state == READY:
                return index
            if not is_ready(engine, timed):
                timed = index
    return timed


@partial(kernel, apart=True)
def choose_staying(engine, index):
    """Choose the CPU `index` if it can go on, else the lowest.

    After one that lets others make a step comes the next one: each that looks in vain has its turn.
    """
    if fiber_of(engine, index).state != READY:
        return lowest_ready(engine, 0)
    return index if is_ready(engine, index) else lowest_ready(engine, index)
