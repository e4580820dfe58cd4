"""The controlled engine: at each schedule point it decides which CPU goes on, and hands over to it (`batons.py`).

Only one CPU runs at a time, so everything between two points is one step.  The decision is made by the CPU that runs,
on its own stack; the engine's stack is returned to when the execution ends.
"""

from functools import partial

from vmconc.memory.gated import controlled_only
from vmconc.memory.jit import kernel
from vmconc.memory.refs import offset, words_at
from vmconc.memory.system import debugger_point
from vmconc.memory.table import record
from vmconc.schedule.batons import hand_over
from vmconc.schedule.classes import chain
from vmconc.schedule.clocks import comes_last
from vmconc.schedule.deadlock import in_deadlock
from vmconc.schedule.decisions import decide
from vmconc.schedule.gates import bar, open_gate
from vmconc.schedule.pct import fall_behind
from vmconc.schedule.records import (
    ASLEEP,
    DEADLOCK,
    DONE,
    FINISHED,
    GATE_BITS,
    READY,
    TIMED,
    TOO_LONG,
    engine_of,
    exploring,
    fiber_of,
    make_ready,
    unready,
)
from vmconc.schedule.steps import STEP_LOAD, STEP_SLEEP, STEP_STORE, log_step
from vmconc.schedule.strategies import stepped


@kernel
def go_on(cpu, engine, chosen):
    """Let the chosen CPU go on; returns when this one is chosen again."""
    if chosen != cpu.index:
        engine.current = chosen
        engine.vain = 0
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
    count(cpu, engine)


@partial(kernel, within=True)
def count(cpu, engine):
    """Count a step that is about to be made, unless there were enough already."""
    if engine.steps == engine.limit:
        finish(cpu, TOO_LONG)
    engine.steps += 1
    debugger_point(engine.steps)


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


@partial(kernel, within=True)
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
    count(cpu, engine)
    return cpu.wake[0] != 0


@controlled_only
def wake_turn(cpu, index):
    """Let a CPU that sleeps go on from now on."""
    fiber = fiber_of(cpu, index)
    if fiber.state == ASLEEP:
        make_ready(engine_of(cpu), fiber, index)
    if fiber.state != DONE:
        fiber.state = READY


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
