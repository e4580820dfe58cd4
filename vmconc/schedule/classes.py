"""Happens-before classes: which executions differ only in the order of steps that do not conflict.

Each CPU has a history: a hash, in its own order, of the words that it touched, each with the history that its last
writer had then.  So the histories of all CPUs at the end say who read and overwrote what whom had written, and nothing
else: they are the same exactly for executions of one class (a Mazurkiewicz trace; happens-before hashes in Musuvathi,
Qadeer: Partial-order reduction for context-bounded state exploration, MSR-TR-2007-12), but for collisions of 64 bits.
"""

from vmconc.memory.gated import controlled_only
from vmconc.memory.jit import kernel
from vmconc.memory.mixing import mix
from vmconc.memory.refs import at
from vmconc.memory.table import table
from vmconc.schedule.path import also_touches
from vmconc.schedule.records import engine_of, exploring, fiber_of
from vmconc.schedule.words import place_of, word_at

UNKNOWN = 1 << 40  # no byte offset: marks the history of who made a step of which it is not known what it touches
FULL = 2  # the table is full when one of so many places is taken


@kernel
def chain(near, engine, fiber, what):
    """Put a touch of a word into a CPU's history; a write (bit 0) makes that the word's version.  0: not known."""
    if what == 0:
        chain_all(engine, fiber)
        return
    place = place_of(near, engine, what & ~1)
    if place < 0:
        return
    word = word_at(near, place)
    version = word.version if word.era == engine.era else 0
    fiber.history = mix(fiber.history + what, version)
    if what & 1 != 0:
        word.era = engine.era
        word.version = fiber.history


@kernel
def chain_all(engine, fiber):
    """A step that touches nobody knows what conflicts with every other: all histories go on from here."""
    fiber.history = mix(fiber.history + UNKNOWN, 0)
    all_of_them = fingerprint(engine)
    for index in range(engine.fibers):
        other = fiber_of(engine, index)
        other.history = mix(other.history, all_of_them)


@kernel
def chain_chance(fiber, value):
    """Put what came of chance into a CPU's history."""
    fiber.history = mix(fiber.history, value)


@kernel
def begin_histories(engine):
    """Begin the histories of an execution."""
    for index in range(engine.fibers):
        fiber_of(engine, index).history = mix(index, engine.fibers)


@controlled_only
def touched(cpu, what):
    """Note that the step under way touches one more word, beside the one that its point has named."""
    if exploring(cpu):
        engine = engine_of(cpu)
        also_touches(engine, what)
        if engine.classing != 0:
            chain(cpu, engine, fiber_of(cpu, cpu.index), what)


@kernel
def fingerprint(engine):
    """Return the hash of all histories."""
    value = 0
    for index in range(engine.fibers):
        value = mix(value, fiber_of(engine, index).history)
    return value


@kernel
def note_class(near, engine):
    """Count the execution that has just ended in its class.  When the table is full no more are counted."""
    classes = table(near, "Class")
    if engine.classes * FULL >= classes.capacity:
        return
    engine.counted += 1
    found = fingerprint(engine) | 1
    place = (found >> 8) % classes.capacity
    while True:
        entry = at(near, "Class", classes.first + place * classes.stride)
        if entry.fingerprint == found or entry.fingerprint == 0:
            break
        place = (place + 1) % classes.capacity
    if entry.fingerprint == 0:
        entry.fingerprint = found
        entry.first = engine.counted
        engine.classes += 1
    entry.executions += 1
