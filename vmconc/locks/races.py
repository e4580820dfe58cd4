"""Data races: two accesses to one word, one of them a write, not both atomic, and nothing orders them.

Of each word it is kept what each CPU did to it last, in each of four kinds.  An access races with one of another CPU
that it does not know of by its vector clock, whichever of the two the engine happened to take first: so a race is found
in executions in which nothing goes wrong.  (Flanagan, Freund: FastTrack, PLDI 2009; here with full clocks.)
"""

from vmconc.locks.rules import DATA_RACE, broken
from vmconc.memory.jit import kernel
from vmconc.memory.refs import at
from vmconc.memory.struct import ATOMIC, WRITES, Words, guard
from vmconc.memory.table import table
from vmconc.memory.twins import struct
from vmconc.schedule.clocks import clock, gives, takes
from vmconc.schedule.records import engine_of
from vmconc.schedule.words import place_of, word_at

KINDS = 4  # plain or atomic, read or write: the lowest two bits of what is accessed
HELD_KEPT = 8
NONE = -1


@struct(align=8)
class Access:
    """What one CPU did to one word last, in one kind."""

    time: int = guard("cpu")  # the CPU's own
    line: int = guard("cpu")  # number of the source line (memory/lines.py)
    held_count: int = guard("cpu")  # locks it held, the first HELD_KEPT
    held_lock: Words(HELD_KEPT) = guard("cpu")
    held_word: Words(HELD_KEPT) = guard("cpu")


@kernel
def number_of(engine, place, index, kind):
    """Return the number of the record of what a CPU did to the word at a place."""
    return (place * engine.fibers + index) * KINDS + kind


@kernel
def access_at(near, number):
    """Return a record by its number."""
    accesses = table(near, "Access")
    return at(near, "Access", accesses.first + number * accesses.stride)


@kernel
def note_access(cpu, number, time, line):
    """Note an access, and what is held."""
    access = access_at(cpu, number)
    access.time = time
    access.line = line
    access.held_count = min(cpu.held_count, HELD_KEPT)
    for i in range(access.held_count):
        access.held_lock[i] = cpu.held_lock[i]
        access.held_word[i] = cpu.held_word[i]


@kernel
def unordered(cpu, engine, place, kind):
    """Return the number of an access with which one of a kind to the word at a place races, or NONE."""
    kinds = word_at(cpu, place).kinds
    for other in range(KINDS):
        if kinds >> other & 1 != 0 and (kind | other) & WRITES != 0 and kind & other & ATOMIC == 0:
            for index in range(engine.fibers):
                number = number_of(engine, place, index, other)
                if access_at(cpu, number).time > clock(cpu, engine, cpu.index, index).time:
                    return number
    return NONE


@kernel
def synchronise(cpu, what):
    """An atomic access comes after the atomic writes of its word before it, and a write before those after it."""
    word = what & ~(WRITES | ATOMIC)
    takes(cpu, word, 1)
    if what & WRITES != 0:
        gives(cpu, word, 1)


@kernel
def check_race(cpu, what, line):
    """Hold the access that a CPU is about to make against those of others; an atomic one synchronises."""
    engine = engine_of(cpu)
    place, kind = place_of(cpu, engine, what & ~(WRITES | ATOMIC)), what & (WRITES | ATOMIC)
    if engine.crowded != 0:  # some clock may be missing
        return
    earlier = unordered(cpu, engine, place, kind)
    number = number_of(engine, place, cpu.index, kind)
    note_access(cpu, number, clock(cpu, engine, cpu.index, cpu.index).time, line)
    word_at(cpu, place).kinds |= 1 << kind
    if earlier != NONE:
        broken(cpu, DATA_RACE, what & ~(WRITES | ATOMIC), earlier, number)
    if kind & ATOMIC != 0:
        synchronise(cpu, what)
