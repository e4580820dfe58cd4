"""Who goes on at a schedule point, and what comes of chance: asked of the strategy or prescribed, and written down."""

from functools import partial

from vmconc.memory.gated import controlled_only
from vmconc.memory.jit import kernel
from vmconc.memory.table import record, table
from vmconc.schedule.classes import chain_chance
from vmconc.schedule.order import FOLLOWED, NOTED, next_in_order, next_luck, note_chosen
from vmconc.schedule.records import ANY, engine_of, fiber_of, is_ready
from vmconc.schedule.strategies import STAY, choose, choose_only, happens


@kernel
def note_turn(engine, chosen):
    """Record a decision."""
    if engine.turns < table(engine, "Turn").capacity:
        record(engine, "Turn", engine.turns).cpu = chosen
    engine.turns += 1


@kernel
def next_given(engine):
    """Return what the replay prescribes for the next decision."""
    return record(engine, "Given", engine.turns).cpu


@kernel
def diverge(engine):
    """Note the first decision that cannot be made as prescribed."""
    if engine.diverged == 0:
        engine.diverged = engine.turns + 1


@kernel
def prescribed(engine, index):
    """Return the CPU that the replay prescribes; if it cannot go on note that, and ask the strategy."""
    chosen = next_given(engine)
    if chosen != ANY and is_ready(engine, chosen):
        note_apart(engine, engine.strategy == STAY and choose(engine, index) != chosen)
        return chosen
    if chosen != ANY:
        diverge(engine)
    note_apart(engine, False)
    return choose(engine, index)


@kernel
def note_apart(engine, apart):
    """Note whether the next decision, which is prescribed, would have been another one."""
    if engine.turns < table(engine, "Turn").capacity:
        record(engine, "Turn", engine.turns).apart = int(apart)


@controlled_only
def chance(cpu, share):
    """Decide by chance whether something happens that does in `share` of 1,000 cases: 1 if it does, else 0.

    Recorded and replayed like whose turn it is.
    """
    engine = engine_of(cpu)
    value = int(happens(engine, share))
    if engine.observed == FOLLOWED:
        value = next_luck(engine, 2)
    elif engine.turns < engine.given:
        given = next_given(engine)
        if 0 <= given <= 1:
            note_apart(engine, given != value)
            value = given
        elif given != ANY:
            diverge(engine)
    note_turn(engine, value)
    note_chosen(engine, -1 - value, 0)
    if engine.classing != 0:
        chain_chance(fiber_of(cpu, cpu.index), value)
    return value


@partial(kernel, apart=True)
def decide_observed(engine, index):
    """Return which ready CPU goes on where each step is noted and an order may be followed."""
    if engine.observed == NOTED:
        chosen = decide_freely(engine, index)
    else:
        chosen = next_in_order(engine, index)
        if engine.ready_count > 1:
            note_turn(engine, chosen)
    note_chosen(engine, chosen, fiber_of(engine, chosen).what)
    return chosen


@partial(kernel, within=True)
def decide_freely(engine, index):
    """Return which ready CPU goes on where no order is followed."""
    if engine.ready_count == 1:
        return choose_only(engine)
    chosen = prescribed(engine, index) if engine.turns < engine.given else choose(engine, index)
    note_turn(engine, chosen)
    return chosen


@partial(kernel, within=True)
def decide(engine, index):
    """Return which ready CPU goes on; `index` ran last."""
    if engine.observed != 0:
        return decide_observed(engine, index)
    return decide_freely(engine, index)
