"""Gates: what a CPU's next step has to wait for.  While it is shut the CPU cannot be chosen, and no step is wasted.

A gate is named by a byte offset: that of a mutex, or of the Fiber of a thread that has to end first.
"""

from vmconc.memory.gated import controlled_only
from vmconc.memory.jit import kernel
from vmconc.schedule.path import opened
from vmconc.schedule.records import BARRED, READY, engine_of, fiber_of, make_ready, unready


@kernel
def bar(engine, fiber):
    """Take a CPU out of the decisions until its gate opens."""
    fiber.shut = 1
    fiber.state = BARRED
    unready(engine, fiber)


@controlled_only
def shut_gate(cpu, gate):
    """Let nobody pass a gate from now on, not even those who stand before it already."""
    engine = engine_of(cpu)
    for index in range(engine.fibers):
        fiber = fiber_of(cpu, index)
        if fiber.gate == gate and fiber.shut == 0:
            fiber.shut = 1
            if fiber.state == READY:
                bar(engine, fiber)


@controlled_only
def open_gate(cpu, gate):
    """Let everybody who stands before a gate take part in decisions again."""
    engine = engine_of(cpu)
    opened(engine, gate)
    for index in range(engine.fibers):
        fiber = fiber_of(cpu, index)
        if fiber.gate == gate:
            fiber.shut = 0
            if fiber.state == BARRED:
                fiber.state = READY
                make_ready(engine, fiber, index)
