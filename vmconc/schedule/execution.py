"""Executions, one after the other, each from the machine's first state to its end.

First every CPU is brought to its first point, so that each decision knows what every CPU is about to do.
"""

from vmconc.memory.jit import kernel
from vmconc.memory.refs import at
from vmconc.memory.segment import HEADER
from vmconc.memory.table import record
from vmconc.memory.written import bring_back
from vmconc.schedule.batons import hand_over, renew
from vmconc.schedule.classes import begin_histories, note_class
from vmconc.schedule.clocks import begin_clocks
from vmconc.schedule.decisions import decide
from vmconc.schedule.engine import call_last
from vmconc.schedule.order import UNPLACED
from vmconc.schedule.records import (
    CUT,
    DEADLOCK,
    DONE,
    FINISHED,
    GOING,
    LATER,
    READY,
    VIOLATED,
    engine_of,
    fiber_of,
    is_ready,
    make_ready,
    unready,
)
from vmconc.schedule.states import note_state
from vmconc.schedule.strategies import begin_strategy


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
    engine.parking = engine.vain = 0


@kernel
def park(near, engine, fiber, index):
    """Bring a CPU to its first point; one that is started later stays there until then."""
    renew(engine, fiber, record(near, "Cpu", index))
    if index == engine.finale - 1:
        return
    make_ready(engine, fiber, index)
    engine.current = index
    hand_over(near, engine, engine.fibers, index)
    if fiber.later != 0 and fiber.state != DONE:
        if is_ready(engine, index):  # else its first step stands before a shut gate
            unready(engine, fiber)
        fiber.state = LATER
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
