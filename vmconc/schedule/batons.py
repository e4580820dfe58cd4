"""Whose turn it is, handed on: to another stack of this process or, in a replay on processes, to another process.

Each process waits on a word of its own, its baton, and runs its CPU's body on that CPU's stack.
"""

from functools import partial

from vmconc.memory.atomics import atomic_store, atomic_swap
from vmconc.memory.jit import kernel
from vmconc.memory.stacks import stack_fresh, stack_switch
from vmconc.memory.system import futex_wait, futex_wake, nanoseconds
from vmconc.schedule.records import engine_of, fiber_of

NAP = 1_000_000_000  # ns between two looks at the baton that nobody has to wake us for


@partial(kernel, within=True)
def hand_over(near, engine, here, there):
    """Let `there` go on instead of `here`, CPUs or the engine.  Returns when it is the turn of `here` again."""
    if engine.processes != 0:
        pass_baton(near, engine, here, there)
    else:
        stack_switch(fiber_of(near, here).stack, fiber_of(near, there).stack)


@kernel
def renew(engine, fiber, cpu):
    """Have a CPU begin with its body when it is its turn: a stack belongs to the process that runs on it."""
    if engine.processes != 0:
        fiber.fresh = 1
    else:
        stack_fresh(fiber.stack, cpu)


@partial(kernel, apart=True)
def pass_baton(near, engine, here, there):
    """Let another process go on; returns when the baton is back.  Does not return if the body is to begin anew."""
    fiber, other, begun = fiber_of(near, here), fiber_of(near, there), nanoseconds()
    engine.handed += 1
    atomic_store(other.baton, 0, 1)
    futex_wake(other.baton)
    await_baton(fiber)
    if here == engine.fibers:
        engine.spent += nanoseconds() - begun
    elif fiber.fresh != 0:
        stack_switch(fiber.stack, fiber.home)


@kernel
def await_baton(fiber):
    """Sleep until it is this process's turn, and take the baton."""
    while atomic_swap(fiber.baton, 0, 0) == 0:
        futex_wait(fiber.baton, 0, NAP)


@kernel
def serve_turns(cpu):
    """Be one CPU in all executions.  Does not return: what is on the CPU's stack when one ends is dropped."""
    fiber = fiber_of(cpu, cpu.index)
    await_baton(fiber)
    while engine_of(cpu).processes != 0:
        fiber.fresh = 0
        stack_fresh(fiber.stack, cpu)
        stack_switch(fiber.home, fiber.stack)
