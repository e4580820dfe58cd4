"""The strategies by number, and the one place that asks them."""

from vmconc.memory.jit import kernel
from vmconc.schedule.pct import begin_ranked, choose_ranked
from vmconc.schedule.pos import begin_partial, choose_partial
from vmconc.schedule.roundrobin import choose_next
from vmconc.schedule.stay import choose_staying
from vmconc.schedule.uniform import choose_uniform

UNIFORM, PCT, POS, ROUND_ROBIN, STAY = range(5)
NAMES = {UNIFORM: "uniform", PCT: "pct", POS: "pos", ROUND_ROBIN: "round-robin", STAY: "stay"}


@kernel
def begin_strategy(engine):
    """Let the strategy prepare an execution; every CPU stands at its first point."""
    if engine.strategy == PCT:
        begin_ranked(engine)
    elif engine.strategy == POS:
        begin_partial(engine)


@kernel
def choose(engine, index):
    """Let the strategy choose among the ready CPUs; `index` ran last."""
    if engine.strategy == UNIFORM:
        return choose_uniform(engine)
    if engine.strategy == PCT:
        return choose_ranked(engine)
    if engine.strategy == POS:
        return choose_partial(engine)
    if engine.strategy == ROUND_ROBIN:
        return choose_next(engine, index)
    return choose_staying(engine, index)
