"""CPUs that wait for others without sleeping: they look, let others make a step, and look again."""

from vmconc.memory.gated import controlled_only
from vmconc.memory.jit import kernel
from vmconc.schedule.decisions import decide
from vmconc.schedule.engine import count, finish, go_on, to_engine
from vmconc.schedule.pct import fall_behind
from vmconc.schedule.records import LIVELOCK, engine_of, fiber_of, make_ready, unready
from vmconc.schedule.steps import STEP_LOOK, log_step

VAIN_MAX = 4  # looks in vain while nobody else makes a step: three whole rounds of the loop, after who knows what part


@controlled_only
def yield_turn(cpu):
    """Let another CPU make a step: this one looks in vain until somebody does.  Then it looks again: a step of its own.

    If only this one can go on it looks again a few times more: since its last look others may have changed something.
    """
    engine = engine_of(cpu)
    engine.vain += 1
    fall_behind(engine, cpu.index)
    if engine.parking != 0:
        to_engine(cpu, engine)
    elif engine.ready_count > 1:
        go_on(cpu, engine, decide_among_others(engine, cpu.index))
    elif engine.vain < VAIN_MAX:
        go_on(cpu, engine, decide(engine, cpu.index))
    else:
        finish(cpu, LIVELOCK)
    count(cpu, engine)
    log_step(cpu, STEP_LOOK, 0, 0, 0, 0)


@kernel
def decide_among_others(engine, index):
    """Return which other ready CPU goes on."""
    fiber = fiber_of(engine, index)
    unready(engine, fiber)
    chosen = decide(engine, index)
    make_ready(engine, fiber, index)
    return chosen
