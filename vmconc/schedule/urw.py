"""URW: a CPU is the likelier to go on the more steps it has left, so all orders of the steps are about equally likely.

How many steps a CPU makes is learned from the executions before.  What a CPU will start counts as its own until then.
(Zhao, Wolff, Mathur, Roychoudhury: Selectively uniform concurrency testing, ASPLOS 2025.)
"""

from functools import partial

from vmconc.memory.jit import kernel
from vmconc.schedule.chance import draw
from vmconc.schedule.records import fiber_of


@kernel
def begin_weighted(engine):
    """Expect each CPU to make as many steps as in its longest execution."""
    for index in range(engine.fibers):
        fiber = fiber_of(engine, index)
        fiber.own = fiber.left = fiber.most
    inherit(engine)


@kernel
def inherit(engine):
    """Add what a CPU that is started later is expected to do to its starter's steps, and to that one's starter's."""
    for index in range(engine.fibers):
        fiber = fiber_of(engine, index)
        above = fiber.starter
        while above != 0:
            starter = fiber_of(engine, above - 1)
            starter.left += fiber.own
            above = starter.starter


@partial(kernel, apart=True)
def choose_weighted(engine):
    """Choose a ready CPU in proportion to the steps it has left, one at least."""
    total = 0
    for i in range(engine.ready_count):
        total += max(1, fiber_of(engine, engine.ready[i]).left)
    place = draw(engine, total)
    i = 0
    while True:
        place -= max(1, fiber_of(engine, engine.ready[i]).left)
        if place < 0:
            return engine.ready[i]
        i += 1
