"""Vector clocks: what happened before what, by locks, thread starts and joins, and atomic accesses.

Row i of the table is the clock of CPU i: of each CPU, how much happened before what CPU i does now.  Each word that is
synchronised on has two rows more: what happened before the releases of its exclusive holders, and before those of all.
A time begins with the execution's number, so whatever an execution left behind is earlier than all of the next one.
(Mattern: Virtual time and global states of distributed systems, 1989.)
"""

from functools import partial

from vmconc.memory.gated import controlled_only
from vmconc.memory.jit import kernel
from vmconc.memory.refs import at
from vmconc.memory.struct import guard
from vmconc.memory.table import table
from vmconc.memory.twins import struct
from vmconc.schedule.records import engine_of, exploring
from vmconc.schedule.words import place_of

ERA_SHIFT = 32


@struct(align=8, private=True)
class Clock:
    """One entry of a vector clock."""

    time: int = guard("cpu")


@kernel
def clock(near, engine, row, index):
    """Return the entry of a row for a CPU."""
    clocks = table(near, "Clock")
    return at(near, "Clock", clocks.first + (row * engine.fibers + index) * clocks.stride)


@kernel
def join_rows(near, engine, into, row):
    """Have what happened before one row have happened before another, too."""
    for index in range(engine.fibers):
        entry = clock(near, engine, into, index)
        entry.time = max(entry.time, clock(near, engine, row, index).time)


@kernel
def tick(near, engine, index):
    """What a CPU does from now on did not happen before what others know of."""
    clock(near, engine, index, index).time += 1


@kernel
def begin_clocks(near, engine):
    """Nothing that CPUs do is ordered yet."""
    base = engine.era << ERA_SHIFT
    for index in range(engine.fibers):
        for other in range(engine.fibers):
            clock(near, engine, index, other).time = base
        tick(near, engine, index)


@kernel
def rows_of(near, engine, offset):
    """Return the first of a word's two rows, -1 if there is no room for the word."""
    place = place_of(near, engine, offset)
    return engine.fibers + 2 * place if place >= 0 else -1


@partial(controlled_only, apart=False)
def racing(near):
    """Tell whether data races are looked for."""
    return exploring(near) and engine_of(near).racing != 0


@partial(controlled_only, apart=False)
def takes(cpu, lock, mode):
    """A CPU acquires: after the releases of exclusive holders and, exclusively (mode 1), after all others' too."""
    if racing(cpu):
        come_after(cpu, lock, mode)


@partial(controlled_only, apart=False)
def gives(cpu, lock, mode):
    """A CPU releases what it held exclusively (mode 1) or shared."""
    if racing(cpu):
        come_before(cpu, lock, mode)


@partial(kernel, apart=True)
def come_after(cpu, lock, mode):
    """Join what `takes` is about into the clock of this CPU."""
    engine = engine_of(cpu)
    row = rows_of(cpu, engine, lock)
    if row >= 0:
        join_rows(cpu, engine, cpu.index, row + mode)


@partial(kernel, apart=True)
def come_before(cpu, lock, mode):
    """Join the clock of this CPU into those of the word's releases."""
    engine = engine_of(cpu)
    row = rows_of(cpu, engine, lock)
    if row >= 0:
        join_rows(cpu, engine, row + 1, cpu.index)
        if mode != 0:
            join_rows(cpu, engine, row, cpu.index)
        tick(cpu, engine, cpu.index)


@controlled_only
def has_started(cpu, index):
    """A CPU has started another: what it did before happened before all that the other does."""
    engine = engine_of(cpu)
    if engine.racing != 0:
        join_rows(cpu, engine, index, cpu.index)
        tick(cpu, engine, cpu.index)


@controlled_only
def has_seen_end(cpu, index):
    """A CPU has waited for the end of another: all that the other did happened before."""
    engine = engine_of(cpu)
    if engine.racing != 0:
        join_rows(cpu, engine, cpu.index, index)


@kernel
def comes_last(near, engine, last):
    """A CPU runs after all others have finished."""
    if engine.racing != 0:
        for index in range(engine.fibers):
            join_rows(near, engine, last, index)
