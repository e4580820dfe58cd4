"""Round robin: the CPUs go on in turn, at each decision the next one."""

from vmconc.memory.jit import kernel
from vmconc.schedule.records import READY, TIMED, fiber_of


@kernel
def choose_next(engine, index):
    """Choose the next ready CPU after `index`, itself last."""
    for distance in range(1, engine.fibers):
        other = (index + distance) % engine.fibers
        state = fiber_of(engine, other).state
        if state in (READY, TIMED):
            return other
    return index
