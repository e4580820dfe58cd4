"""Threads that other threads start, and wait for: for programs about locks.  Each is one step to the explorer."""

from vmconc.locks.sites import site
from vmconc.memory.gated import controlled_only
from vmconc.memory.refs import offset
from vmconc.schedule.engine import pass_gate, pass_point
from vmconc.schedule.gates import bar
from vmconc.schedule.records import DONE, LATER, READY, engine_of, fiber_of, make_ready
from vmconc.schedule.strategies import started

JOIN = site("thread.join")


@controlled_only
def start(cpu, index):
    """Start a thread of the program, by its number; one that has been started goes on as it was."""
    engine, other = engine_of(cpu), fiber_of(cpu, index)
    pass_point(cpu, offset(other) | 1)
    if other.state == LATER:
        other.starter = cpu.index + 1
        other.state = READY
        make_ready(engine, other, index)
        if other.shut != 0:
            bar(engine, other)
        engine.working += 1
        started(engine, cpu.index, index)


@controlled_only
def join(cpu, index):
    """Wait until a thread of the program, by its number, has ended."""
    other = fiber_of(cpu, index)
    cpu.reason = JOIN
    pass_gate(cpu, offset(other), offset(other), other.state != DONE)
