"""The stack of locks that a CPU holds: what, in which mode, since when, and which classes were held before."""

from functools import partial

from vmconc.locks.classes import SHARED
from vmconc.locks.cpu import HELD_BEFORE_SHIFT, HELD_MAX, HELD_SITE_MASK, HELD_SITE_SHIFT, HELD_WHAT_MASK
from vmconc.locks.rules import NOT_HELD, TOO_MANY_HELD, broken
from vmconc.locks.times import HOLD_AGAIN, key_of, time_hold
from vmconc.memory.jit import kernel
from vmconc.memory.queries import timed
from vmconc.memory.system import ticks


@kernel
def held_class(cpu, i):
    """Return the class of entry `i` of the held-lock stack."""
    return (cpu.held_word[i] & HELD_WHAT_MASK) >> 1


@kernel
def find_held(cpu, lock, cls):
    """Return the topmost place of a lock on the held-lock stack, -1 if it is not there."""
    i = cpu.held_count - 1
    while i >= 0 and not (cpu.held_lock[i] == lock and held_class(cpu, i) == cls):
        i -= 1
    return i


@kernel
def held_mode(cpu, lock, cls):
    """Return the mode in which this CPU holds a lock, SHARED if it does not."""
    i = find_held(cpu, lock, cls)
    return cpu.held_word[i] & 1 if i >= 0 else SHARED


@kernel
def holds(cpu, lock):
    """Tell whether this CPU holds the lock at an offset, in any mode."""
    for i in range(cpu.held_count):
        if cpu.held_lock[i] == lock:
            return True
    return False


@kernel
def pack(before, site, cls, mode):
    """Return the word that stands beside a held lock."""
    return before << HELD_BEFORE_SHIFT | site << HELD_SITE_SHIFT | cls * 2 + mode


@partial(kernel, within=True)
def push_held(cpu, lock, cls, mode, site):
    """Push a lock on the held-lock stack and note the order."""
    n, before = cpu.held_count, cpu.held_classes
    if n >= HELD_MAX:
        broken(cpu, TOO_MANY_HELD, lock, HELD_MAX, n)
        return
    cpu.held_lock[n] = lock
    cpu.held_word[n] = pack(before, site, cls, mode)
    cpu.held_count = n + 1
    cpu.held_classes = before | 1 << cls
    cpu.order[cls] |= before


@partial(kernel, within=True)
def pop_held(cpu, lock, cls):
    """Take a lock off the held-lock stack.  Mostly it is on top."""
    last = cpu.held_count - 1
    if last >= 0 and cpu.held_lock[last] == lock and held_class(cpu, last) == cls:
        if timed(cpu):
            time_hold(cpu, last, ticks())
        cpu.held_count = last
        cpu.held_classes = cpu.held_word[last] >> HELD_BEFORE_SHIFT
    else:
        remove_held(cpu, lock, cls)


@kernel
def remove_held(cpu, lock, cls):
    """Take a lock out of the middle of the held-lock stack."""
    i = find_held(cpu, lock, cls)
    if i < 0:
        broken(cpu, NOT_HELD, lock, cls, 0)
        return
    if timed(cpu):
        time_hold(cpu, i, ticks())
    cpu.held_count -= 1
    classes = cpu.held_word[i] >> HELD_BEFORE_SHIFT
    while i < cpu.held_count:
        cpu.held_lock[i] = cpu.held_lock[i + 1]
        if timed(cpu):
            cpu.held_key[i] = cpu.held_key[i + 1]
            cpu.held_since[i] = cpu.held_since[i + 1]
        word = cpu.held_word[i + 1] & (1 << HELD_BEFORE_SHIFT) - 1
        cpu.held_word[i] = classes << HELD_BEFORE_SHIFT | word
        classes |= 1 << held_class(cpu, i)
        i += 1
    cpu.held_classes = classes


@kernel
def hold_pauses(cpu, lock, cls):
    """Note that a token is about to be given up during a sleep."""
    i = find_held(cpu, lock, cls)
    if i >= 0:
        time_hold(cpu, i, ticks())


@kernel
def hold_goes_on(cpu, lock, cls, mode):
    """Note that a token is owned again."""
    i = find_held(cpu, lock, cls)
    if i >= 0:
        site = cpu.held_word[i] >> HELD_SITE_SHIFT & HELD_SITE_MASK
        cpu.held_key[i] = key_of(HOLD_AGAIN, site, cls, mode)
        cpu.held_since[i] = ticks()
