"""Threads that other threads start, and wait for: for programs about locks.  Each is one step to the explorer."""

from vmconc.locks.rounds import JOIN, join_thread, start_thread
from vmconc.memory.gated import controlled_only
from vmconc.memory.jit import kernel
from vmconc.memory.refs import offset
from vmconc.schedule.clocks import has_seen_end, has_started
from vmconc.schedule.engine import pass_gate, pass_point
from vmconc.schedule.gates import bar
from vmconc.schedule.records import DONE, LATER, READY, engine_of, exploring, fiber_of, make_ready
from vmconc.schedule.steps import STEP_JOIN, STEP_START, log_step
from vmconc.schedule.strategies import started


@kernel
def start(cpu, index):
    """Start a thread of the program, by its number; one that has been started goes on as it was."""
    if exploring(cpu):
        start_turn(cpu, index)
    else:
        start_thread(cpu, index)


@kernel
def join(cpu, index):
    """Wait until a thread of the program, by its number, has ended."""
    if exploring(cpu):
        join_turn(cpu, index)
    else:
        join_thread(cpu, index)


@controlled_only
def start_turn(cpu, index):
    """Start a thread where threads take turns."""
    engine, other = engine_of(cpu), fiber_of(cpu, index)
    pass_point(cpu, offset(other) | 1)
    log_step(cpu, STEP_START, offset(other), 0, 0, 0)
    if other.state == LATER:
        other.starter = cpu.index + 1
        other.state = READY
        make_ready(engine, other, index)
        if other.shut != 0:
            bar(engine, other)
        engine.working += 1
        started(engine, cpu.index, index)
        has_started(cpu, index)


@controlled_only
def join_turn(cpu, index):
    """Wait for a thread where threads take turns: this one is not chosen before the other has ended."""
    other = fiber_of(cpu, index)
    cpu.reason = JOIN
    pass_gate(cpu, offset(other), offset(other), other.state != DONE)
    log_step(cpu, STEP_JOIN, offset(other), 0, 0, 0)
    has_seen_end(cpu, index)
