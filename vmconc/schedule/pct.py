"""PCT: random ranks, the highest goes on; before each of `depth` - 1 random steps who would make it falls back.

A bug of depth d in a program of n CPUs and k steps is found with a probability of at least 1 / (n * k ** (d - 1)).
(Burckhardt, Kothari, Musuvathi, Nagarakatte: A randomized scheduler with probabilistic guarantees of finding bugs,
ASPLOS 2010.)  The bound needs those who fell to be ranked in every order, so their ranks do not follow the steps: the
first change point drawn gives rank 0, the second -1, whichever comes first.
"""

from functools import partial

from vmconc.memory.jit import kernel
from vmconc.schedule.chance import draw
from vmconc.schedule.records import fiber_of


@kernel
def begin_ranked(engine):
    """Shuffle the ranks and draw the steps at which they change."""
    shuffle_ranks(engine)
    engine.lowest = -engine.depth
    for i in range(engine.depth - 1):
        engine.change[i] = 1 + draw(engine, max(1, engine.longest))


@kernel
def shuffle_ranks(engine):
    """Give the CPUs the ranks 1 .. n, every order of them equally likely."""
    for index in range(engine.fibers):
        other = draw(engine, index + 1)
        fiber_of(engine, index).rank = fiber_of(engine, other).rank if other != index else 0
        fiber_of(engine, other).rank = index + 1


@kernel
def fall_behind(engine, index):
    """Give a CPU that waits for others without sleeping, or with a time-out, the lowest rank, and note when it was."""
    fiber = fiber_of(engine, index)
    engine.lowest -= 1
    fiber.rank = engine.lowest
    fiber.looked_before = fiber.looked
    fiber.looked = engine.passed


@kernel
def highest(engine):
    """Return the ready CPU of the highest rank."""
    best = engine.ready[0]
    for i in range(1, engine.ready_count):
        index = engine.ready[i]
        if fiber_of(engine, index).rank > fiber_of(engine, best).rank:
            best = index
    return best


@partial(kernel, apart=True)
def choose_ranked(engine):
    """Choose the highest, after the one that was it has fallen back if the next step is one of change."""
    best = highest(engine)
    fallen = False
    for i in range(engine.depth - 1):
        if engine.change[i] == engine.steps + 1:
            fiber_of(engine, best).rank = -i
            fallen = True
    return highest(engine) if fallen else best
