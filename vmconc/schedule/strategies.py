"""The strategies by number, and the one place that asks them."""

from functools import partial

from vmconc.memory.jit import kernel
from vmconc.schedule.chance import draw
from vmconc.schedule.path import begin_path, choose_along, choose_guided, choose_outcome
from vmconc.schedule.pct import begin_ranked, choose_ranked
from vmconc.schedule.pos import begin_partial, choose_partial
from vmconc.schedule.records import fiber_of
from vmconc.schedule.roundrobin import choose_next
from vmconc.schedule.stay import choose_staying
from vmconc.schedule.surw import begin_selected, choose_selected, hand_on, note_access
from vmconc.schedule.uniform import choose_uniform
from vmconc.schedule.urw import begin_weighted, choose_weighted

UNIFORM, PCT, POS, ROUND_ROBIN, STAY, URW, SURW, COVERAGE, DFS, DPOR = range(10)
NAMES = {
    UNIFORM: "uniform", PCT: "pct", POS: "pos", ROUND_ROBIN: "round-robin", STAY: "stay", URW: "urw", SURW: "surw",
    COVERAGE: "coverage", DFS: "dfs", DPOR: "dpor",
}  # fmt: skip

THOUSAND = 1000


@kernel
def begin_strategy(engine):
    """Let the strategy prepare an execution; every CPU stands at its first point."""
    if engine.strategy == PCT:
        begin_ranked(engine)
    elif engine.strategy == POS:
        begin_partial(engine)
    elif engine.strategy == URW:
        begin_weighted(engine)
    elif engine.strategy == SURW:
        begin_selected(engine)
    elif engine.strategy >= COVERAGE:
        begin_path(engine)
        begin_partial(engine)


@partial(kernel, within=True)
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
    if engine.strategy == URW:
        return choose_weighted(engine)
    if engine.strategy == SURW:
        return choose_selected(engine)
    if engine.strategy == COVERAGE:
        return choose_guided(engine)
    if engine.strategy >= DFS:
        return choose_along(engine, index, engine.strategy == DPOR)
    return choose_staying(engine, index)


@kernel
def choose_only(engine):
    """Return the only ready CPU: no decision, but ranks change at its steps as at others."""
    if engine.strategy == PCT:
        return choose_ranked(engine)
    if engine.strategy == POS:
        return choose_partial(engine)
    if engine.strategy == COVERAGE:
        return choose_guided(engine)
    if engine.strategy >= DFS:
        return choose_along(engine, engine.ready[0], engine.strategy == DPOR)
    return engine.ready[0]


@kernel
def happens(engine, share):
    """Tell whether something happens that does in `share` of 1,000 cases.

    A search through all executions tries both, and where nobody is preempted nothing happens.
    """
    if engine.strategy == DFS:
        return choose_outcome(engine) != 0
    return engine.strategy != STAY and draw(engine, THOUSAND) < share


@partial(kernel, within=True)
def stepped(engine, fiber, index):
    """Tell the strategy that a CPU makes the step before which it stood."""
    if engine.strategy == URW:
        fiber.left -= 1
    elif engine.strategy == SURW:
        note_access(engine, fiber, index)


@kernel
def started(engine, index, other):
    """Tell the strategy that the CPU `index` has started `other`, whose steps have counted as its own until now."""
    fiber_of(engine, index).left -= fiber_of(engine, other).left
    if engine.strategy == SURW:
        hand_on(engine, index, other)
