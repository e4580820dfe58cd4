"""Round robin: the CPUs go on in turn, at each decision the next one."""

from functools import partial

from vmconc.memory.jit import kernel
from vmconc.schedule.records import is_ready


@partial(kernel, apart=True)
def choose_next(engine, index):
    """Choose the next CPU after `index` that can go on, itself last."""
    for distance in range(1, engine.fibers):
        other = (index + distance) % engine.fibers
        if is_ready(engine, other):
            return other
    return index
