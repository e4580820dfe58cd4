"""SURW: all orders in which the CPUs access one word are about equally likely; the rest goes by random ranks.

Each execution watches one word, drawn from those that several CPUs have touched and one has written.  The CPU that is
to access it next is drawn in proportion to the accesses it has left; the others wait when they come to theirs.
(Zhao, Wolff, Mathur, Roychoudhury: Selectively uniform concurrency testing, ASPLOS 2025.)

A lock is watched by its acquisitions: nobody can choose who releases it.  A word that was never touched without one
lock is not watched, since the order of its accesses is that of the lock's acquisitions.
"""

from functools import partial

from vmconc.memory.jit import kernel
from vmconc.memory.table import record
from vmconc.schedule.chance import draw
from vmconc.schedule.deadlock import NOT_OWNED, ownership
from vmconc.schedule.pct import shuffle_ranks
from vmconc.schedule.records import DONE, LATER, WORDS_MAX, fiber_of
from vmconc.schedule.urw import choose_weighted, inherit


@kernel
def touched_of(engine, place):
    """Return what is known of the word at a place of `engine.words`."""
    return record(engine, "Touched", place)


@kernel
def begin_selected(engine):
    """Draw the word to watch, the ranks, and who is to access the word first."""
    shuffle_ranks(engine)
    for place in range(engine.word_count):
        remember(engine, touched_of(engine, place))
    engine.watched = draw_word(engine)
    for index in range(engine.fibers):
        fiber = fiber_of(engine, index)
        fiber.own = fiber.left = touched_of(engine, engine.watched).most[index] if engine.watched >= 0 else 0
    inherit(engine)
    intend(engine)


@kernel
def remember(engine, touched):
    """Add the last execution's accesses to a word to what is known of it."""
    for index in range(engine.fibers):
        touched.most[index] = max(touched.most[index], touched.now[index])
        touched.now[index] = 0


@kernel
def is_worth(touched):
    """Tell whether the order of the accesses to a word may matter and is not that of another word."""
    return touched.several != 0 and touched.written != 0 and touched.lock <= 0


@kernel
def draw_word(engine):
    """Return the place of one of the words for whose accesses the order may matter, -1 if there is none."""
    count = 0
    chosen = -1
    for place in range(engine.word_count):
        if is_worth(touched_of(engine, place)):
            count += 1
            if draw(engine, count) == 0:
                chosen = place
    return chosen


@kernel
def intend(engine):
    """Draw who is to access the word next, in proportion to the accesses left; also one who has to wait just now."""
    total = 0
    for index in range(engine.fibers):
        total += accesses_left(fiber_of(engine, index))
    engine.intended = 0
    if total != 0:
        place = draw(engine, total)
        while place >= 0:
            place -= accesses_left(fiber_of(engine, engine.intended))
            engine.intended += 1


@kernel
def accesses_left(fiber):
    """Return how often a CPU will access the word yet; those of one not started yet are its starter's."""
    return 0 if fiber.state == LATER or fiber.state == DONE else max(0, fiber.left)


@kernel
def hand_on(engine, index, other):
    """If `index` is to access the word next draw anew between it and the CPU that it has just started."""
    here, there = max(0, fiber_of(engine, index).left), fiber_of(engine, other).left
    if engine.intended == index + 1 and here + there > 0 and draw(engine, here + there) >= here:
        engine.intended = other + 1


@kernel
def is_watched(engine, index, what):
    """Tell whether a step of a CPU accesses the word that is watched; a release is no access."""
    if engine.watched < 0 or what & ~1 != engine.words[engine.watched]:
        return False
    return ownership(engine, index, what & ~1) == NOT_OWNED


@partial(kernel, apart=True)
def choose_selected(engine):
    """Choose the highest of those that do not wait for their turn at the word; if all do, draw one of them."""
    best = -1
    for i in range(engine.ready_count):
        index = engine.ready[i]
        fiber = fiber_of(engine, index)
        waits = index + 1 != engine.intended and is_watched(engine, index, fiber.what)
        if not waits and (best < 0 or fiber.rank > fiber_of(engine, best).rank):
            best = index
    return best if best >= 0 else choose_weighted(engine)


@partial(kernel, apart=True)
def note_access(engine, fiber, index):
    """Note that a CPU makes a step; one at the word is its turn there.  Who comes last is alone."""
    place = -1 if index == engine.finale - 1 else place_of(engine, fiber.what & ~1)
    if place < 0 or ownership(engine, index, fiber.what & ~1) != NOT_OWNED:
        return
    touched = touched_of(engine, place)
    note_lock(engine, touched, index)
    if touched.by == 0:
        touched.by = index + 1
    touched.now[index] += 1
    touched.written |= fiber.what & 1
    if touched.by != index + 1:
        touched.several = 1
    if place == engine.watched:
        fiber.left -= 1
        intend(engine)


@kernel
def note_lock(engine, touched, index):
    """Note whether a CPU, which is about to touch a word, holds the lock under which all have touched it so far."""
    cpu = record(engine, "Cpu", index)
    if touched.lock == 0:
        touched.lock = cpu.held_lock[cpu.held_count - 1] if cpu.held_count > 0 else -1
    elif touched.lock > 0 and ownership(engine, index, touched.lock) == NOT_OWNED:
        touched.lock = -1


@kernel
def place_of(engine, word):
    """Return the place of a word in `engine.words`, noting a new one; -1: not known, or there are too many."""
    if word == 0:
        return -1
    place = 0
    while place < engine.word_count and engine.words[place] != word:
        place += 1
    if place == WORDS_MAX:
        return -1
    if place == engine.word_count:
        engine.words[place] = word
        engine.word_count += 1
    return place
