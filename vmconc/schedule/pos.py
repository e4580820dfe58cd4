"""POS: each pending step has a random rank; the highest is taken, and those that conflict with it draw anew.

(Yuan, Yang, Gu: Partial order aware concurrency sampling, CAV 2018.)
"""

from functools import partial

from vmconc.memory.jit import kernel
from vmconc.schedule.chance import draw
from vmconc.schedule.pct import highest
from vmconc.schedule.records import fiber_of

RANKS = 1 << 30


@kernel
def begin_partial(engine):
    """Draw a rank for each CPU's first step."""
    for index in range(engine.fibers):
        fiber_of(engine, index).rank = draw(engine, RANKS)


@partial(kernel, apart=True)
def choose_partial(engine):
    """Choose the highest; it and every CPU about to touch the same draw a rank for what they do next."""
    chosen = highest(engine)
    what = fiber_of(engine, chosen).what
    for i in range(engine.ready_count):
        index = engine.ready[i]
        fiber = fiber_of(engine, index)
        if index == chosen or (what != 0 and conflict(fiber.what, what)):
            fiber.rank = draw(engine, RANKS)
    return chosen


@kernel
def conflict(a, b):
    """Tell whether two steps do not commute: they touch the same word and one of them writes (bit 0)."""
    return (a | 1) == (b | 1) and (a | b) & 1 != 0
