"""Gates: what a CPU's next step has to wait for.  While it is shut the CPU cannot be chosen, and no step is wasted.

A gate is named by a byte offset: that of a lock, or of the Fiber of a thread that has to end first.  What has several
gates, as a readers-writer lock, tells them apart by the lowest three bits.
"""

from vmconc.memory.gated import controlled_only
from vmconc.memory.jit import kernel
from vmconc.schedule.path import opened
from vmconc.schedule.records import BARRED, GATE_BITS, READY, engine_of, exploring, fiber_of, make_ready, unready


@kernel
def bar(engine, fiber):
    """Take a CPU out of the decisions until its gate opens."""
    fiber.shut = 1
    fiber.state = BARRED
    unready(engine, fiber)


@controlled_only
def set_gates(cpu, place, shut):
    """Shut the gates of what stands at an offset whose bit is set in `shut`, and open the others.

    Nobody passes a shut gate, not even those who stand before it already.  Those before an open one take part in
    decisions again.
    """
    engine = engine_of(cpu)
    for index in range(engine.fibers if exploring(cpu) else 0):
        fiber = fiber_of(cpu, index)
        if fiber.gate & ~GATE_BITS == place:
            is_shut = shut >> (fiber.gate & GATE_BITS) & 1
            if is_shut != fiber.shut:
                move_gate(engine, fiber, index, is_shut)


@kernel
def move_gate(engine, fiber, index, shut):
    """Shut or open the gate before which a CPU stands."""
    if shut == 0:
        unbar(engine, fiber, index)
    elif fiber.state == READY:
        bar(engine, fiber)
    else:
        fiber.shut = 1


@kernel
def unbar(engine, fiber, index):
    """Let a CPU take part in decisions again."""
    fiber.shut = 0
    if fiber.state == BARRED:
        fiber.state = READY
        make_ready(engine, fiber, index)


@controlled_only
def let_through(cpu, index):
    """Let one CPU pass the gate before which it stands, whatever becomes of the gate from now on."""
    fiber = fiber_of(cpu, index)
    fiber.gate = 0
    unbar(engine_of(cpu), fiber, index)


@kernel
def shut_gate(cpu, gate):
    """Let nobody pass the only gate of something from now on."""
    set_gates(cpu, gate, 1)


@kernel
def open_gate(cpu, gate):
    """Let everybody who stands before the only gate of something take part in decisions again."""
    opened(cpu, gate, 1)
    set_gates(cpu, gate, 0)
