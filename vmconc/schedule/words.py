"""The words that executions touch, by their byte offset: what is known of each lies in tables, at its place here.

A word keeps its place from one execution to the next.  What is said of one execution only carries its number (`era`),
so that nothing has to be cleared.
"""

from vmconc.memory.jit import kernel
from vmconc.memory.refs import at
from vmconc.memory.struct import guard
from vmconc.memory.table import table
from vmconc.memory.twins import struct

SPREAD = 0x9E3779B1  # 2**32 divided by the golden ratio
NO_PLACE = -1


@struct(align=8, private=True)
class TouchedWord:
    """One word that executions touch."""

    offset: int = guard("cpu")  # byte offset, 0: the place is free
    era: int = guard("cpu")  # the execution that wrote it last
    version: int = guard("cpu")  # the history, then, of the CPU that wrote it
    kinds: int = guard("cpu")  # bit per kind of access that it has seen (locks/races.py)


@kernel
def word_at(near, place):
    """Return the word at a place."""
    words = table(near, "TouchedWord")
    return at(near, "TouchedWord", words.first + place * words.stride)


@kernel
def place_of(near, engine, offset):
    """Return the place of a word, NO_PLACE if there is no room for it: then `crowded` is set."""
    capacity = table(near, "TouchedWord").capacity
    place = ((offset >> 3) * SPREAD >> 12) & capacity - 1
    while True:
        word = word_at(near, place)
        if word.offset == offset:
            return place
        if word.offset == 0:
            break
        place = place + 1 & capacity - 1
    if 2 * engine.word_places >= capacity:
        engine.crowded = 1
        return NO_PLACE
    word_at(near, place).offset = offset
    engine.word_places += 1
    return place
