"""The controlled engine: at each schedule point it decides which CPU goes on, and hands over to it (`batons.py`).

Only one CPU runs at a time, so everything between two points is one step.  The decision is made by the CPU that runs,
on its own stack; the engine's stack is returned to when the execution ends.  First every CPU is brought to its first
point, so that each decision knows what every CPU is about to do.
"""

from functools import partial

from vmconc.memory.gated import controlled_only
from vmconc.memory.jit import kernel
from vmconc.memory.refs import at, offset, words_at
from vmconc.memory.segment import HEADER
from vmconc.memory.system import debugger_point, schedule_point
from vmconc.memory.table import record, table
from vmconc.memory.written import bring_back
from vmconc.schedule.batons import hand_over, renew
from vmconc.schedule.classes import begin_histories, chain, chain_chance, note_class
from vmconc.schedule.clocks import begin_clocks, comes_last
from vmconc.schedule.deadlock import in_deadlock
from vmconc.schedule.gates import bar, open_gate
from vmconc.schedule.order import FOLLOWED, NOTED, UNPLACED, next_in_order, next_luck, note_chosen
from vmconc.schedule.pct import fall_behind
from vmconc.schedule.records import (
    ANY,
    ASLEEP,
    CUT,
    DEADLOCK,
    DONE,
    FINISHED,
    GATE_BITS,
    GOING,
    LATER,
    LIVELOCK,
    READY,
    TIMED,
    TOO_LONG,
    VIOLATED,
    engine_of,
    exploring,
    fiber_of,
    is_ready,
    make_ready,
    unready,
)
from vmconc.schedule.states import note_state
from vmconc.schedule.steps import STEP_LOAD, STEP_SLEEP, STEP_STORE, log_step
from vmconc.schedule.strategies import STAY, begin_strategy, choose, choose_only, happens, stepped


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


@kernel
def go_on(cpu, engine, chosen):
    """Let the chosen CPU go on; returns when this one is chosen again."""
    if chosen != cpu.index:
        engine.current = chosen
        hand_over(cpu, engine, cpu.index, chosen)


@kernel
def to_engine(cpu, engine):
    """Go back to the engine."""
    hand_over(cpu, engine, cpu.index, engine.fibers)


@controlled_only
def finish(cpu, ending):
    """End the execution: everybody stays where he is.  Does not return."""
    engine = engine_of(cpu)
    engine.ended = ending
    to_engine(cpu, engine)


@controlled_only
def pass_point(cpu, what):
    """A schedule point before a step that touches `what` (byte offset, plus 1 if it writes; 0: not known)."""
    if not exploring(cpu):
        schedule_point(cpu)
        return
    engine = engine_of(cpu)
    fiber_of(cpu, cpu.index).what = what
    if engine.parking != 0:
        to_engine(cpu, engine)
    else:
        chosen = decide(engine, cpu.index)
        if chosen != cpu.index:
            engine.preemptions += 1
            go_on(cpu, engine, chosen)
    count_step(cpu, engine)


@partial(kernel, within=True)
def count_step(cpu, engine):
    """Note that a CPU makes the step before which it stood."""
    fiber = fiber_of(cpu, cpu.index)
    fiber.steps += 1
    if engine.classing != 0:
        chain(cpu, engine, fiber, fiber.what)
    stepped(engine, fiber, cpu.index)
    engine.steps += 1
    debugger_point(engine.steps)
    if engine.steps > engine.limit:
        finish(cpu, TOO_LONG)


@partial(controlled_only, apart=False)
def pass_gate(cpu, what, gate, shut):
    """A schedule point before a step that has to wait while a gate is shut: until then the CPU is not chosen."""
    fiber = fiber_of(cpu, cpu.index)
    fiber.gate = gate
    if shut:
        stand_before(cpu, what)
    else:
        pass_point(cpu, what)
    fiber.gate = 0


@controlled_only
def stand_before(cpu, what):
    """Stand before the gate of this CPU's next step, which is shut, until it has opened and the CPU is chosen."""
    engine, fiber = engine_of(cpu), fiber_of(cpu, cpu.index)
    fiber.what = what
    log_step(cpu, STEP_SLEEP, fiber.gate & ~GATE_BITS, 0, 0, cpu.reason)
    bar(engine, fiber)
    end_if_deadlocked(cpu, engine)
    pass_on(cpu, engine)
    count_step(cpu, engine)


@kernel
def access_point(near, what):
    """A schedule point before the CPU that runs accesses `what`."""
    cpu = record(near, "Cpu", engine_of(near).current)
    pass_point(cpu, what)
    log_access(cpu, what)


@kernel
def log_access(cpu, what):
    """Log an access that is about to happen; of a read what it will find."""
    if what & 1 != 0:
        log_step(cpu, STEP_STORE, what & ~1, 0, 0, 0)
    else:
        log_step(cpu, STEP_LOAD, what, 0, 0, words_at(cpu, what)[0])


@kernel
def pass_on(cpu, engine):
    """Let another CPU go on, since this one cannot; returns when this one can and is chosen."""
    if engine.parking != 0:
        to_engine(cpu, engine)
        return
    if engine.ready_count == 0:
        finish(cpu, DEADLOCK)
    go_on(cpu, engine, decide(engine, cpu.index))


@kernel
def end_if_deadlocked(cpu, engine):
    """End the execution if this CPU, which begins to wait, waits for others that wait for it."""
    if in_deadlock(cpu):
        engine.cycle = 1
        finish(cpu, DEADLOCK)


@controlled_only
def sleep_turn(cpu, timed):
    """Sleep until woken or, if `timed`, until the engine lets the time be over.  Return whether it was woken."""
    engine = engine_of(cpu)
    fiber = fiber_of(cpu, cpu.index)
    if cpu.wake[0] != 0:  # before it could fall asleep
        return True
    fiber.what = 0
    if timed:
        fiber.state = TIMED
        fall_behind(engine, cpu.index)
    else:
        fiber.state = ASLEEP
        unready(engine, fiber)
        end_if_deadlocked(cpu, engine)
    pass_on(cpu, engine)
    fiber.state = READY
    return cpu.wake[0] != 0


@controlled_only
def wake_turn(cpu, index):
    """Let a CPU that sleeps go on from now on."""
    fiber = fiber_of(cpu, index)
    if fiber.state == ASLEEP:
        make_ready(engine_of(cpu), fiber, index)
    if fiber.state != DONE:
        fiber.state = READY


@controlled_only
def yield_turn(cpu):
    """Let another CPU make a step: this one looks in vain until somebody does."""
    engine = engine_of(cpu)
    engine.steps += 1
    if engine.steps > engine.limit:
        finish(cpu, TOO_LONG)
    if engine.parking == 0 and engine.ready_count == 1:
        finish(cpu, LIVELOCK)
    fall_behind(engine, cpu.index)
    fiber = fiber_of(cpu, cpu.index)
    unready(engine, fiber)
    chosen = engine.fibers if engine.parking != 0 else decide(engine, cpu.index)
    make_ready(engine, fiber, cpu.index)
    go_on(cpu, engine, chosen)


@kernel
def end_turn(cpu):
    """This CPU has nothing more to do.  Does not return."""
    engine = engine_of(cpu)
    fiber = fiber_of(cpu, cpu.index)
    fiber.state = DONE
    unready(engine, fiber)
    open_gate(cpu, offset(fiber))
    engine.working -= 1 - fiber.daemon
    if engine.parking == 0 and engine.working == 0:
        last_act(cpu, engine)
    pass_on(cpu, engine)


@kernel
def last_act(cpu, engine):
    """All workers have finished: let the CPU that comes last run, if there is one, and then end the execution."""
    if engine.finale == 0 or cpu.index == engine.finale - 1:
        finish(cpu, FINISHED)
    call_last(cpu, engine)


@kernel
def call_last(near, engine):
    """Let only the CPU that comes last go on, if there is one."""
    engine.ready_count = 0
    if engine.finale != 0:
        make_ready(engine, fiber_of(near, engine.finale - 1), engine.finale - 1)
        comes_last(near, engine, engine.finale - 1)


@kernel
def begin_execution(near, engine):
    """Give every CPU a fresh stack and bring it to its first point."""
    engine.steps = engine.turns = engine.preemptions = engine.diverged = 0
    engine.noted = engine.taken = engine.lucky = 0
    engine.place = UNPLACED
    engine.ended, engine.cycle = GOING, 0
    engine.working = engine.workers
    engine.ready_count = 0
    engine.parking = 1
    for index in range(engine.fibers):
        fiber = fiber_of(near, index)
        fiber.state = READY
        fiber.what = fiber.gate = fiber.shut = 0
        fiber.most = max(fiber.most, fiber.steps)
        fiber.steps = 0
        park(near, engine, fiber, index)
    engine.parking = 0


@kernel
def park(near, engine, fiber, index):
    """Bring a CPU to its first point; one that is started later stays there until then."""
    renew(engine, fiber, record(near, "Cpu", index))
    if index == engine.finale - 1:
        return
    make_ready(engine, fiber, index)
    engine.current = index
    hand_over(near, engine, engine.fibers, index)
    if fiber.later != 0 and fiber.state == READY:
        fiber.state = LATER
        unready(engine, fiber)
        engine.working -= 1


@kernel
def execute(near, engine):
    """Run one execution from the machine's state as it is to its end."""
    engine.era += 1
    if engine.classing != 0:
        begin_histories(engine)
    if engine.racing != 0:
        begin_clocks(near, engine)
    begin_execution(near, engine)
    begin_strategy(engine)
    if engine.working == 0:
        call_last(near, engine)
    if engine.ended == GOING and engine.ready_count == 0:
        engine.ended = FINISHED if engine.working == 0 else DEADLOCK
    elif engine.ended == GOING:
        engine.current = engine.fibers  # nobody: who goes first preempts nobody
        chosen = decide(engine, engine.ready[0])
        engine.current = chosen
        hand_over(near, engine, engine.fibers, chosen)
    engine.executions += 1
    engine.points += engine.steps
    if engine.steps > engine.longest:
        engine.longest = engine.steps
        engine.grown = engine.executions


@kernel
def explore(near, count):
    """Run up to `count` executions, each from the machine's first state; stop after one that ends badly.

    Stop too after one that ends in a state that was not seen before or is known to be bad, and when a search has run
    all there are.  Returns how many were run.  The machine stays as the last one left it.
    """
    engine = engine_of(near)
    for number in range(count):
        if run_one(near, engine):
            return number + 1
    return count


@kernel
def run_one(near, engine):
    """Run one execution from the machine's first state; return whether it is one to stop at."""
    bring_back(near)
    execute(near, engine)
    engine.is_new = 0
    if at(near, "Machine", HEADER).violations != 0 and engine.ended == FINISHED:
        engine.ended = VIOLATED
    if engine.ended == FINISHED:
        note_state(near, engine)
        if engine.classing != 0:
            note_class(near, engine)
    elif engine.ended == CUT:
        engine.cut += 1
    return (engine.ended != FINISHED and engine.ended != CUT) or engine.is_new != 0
