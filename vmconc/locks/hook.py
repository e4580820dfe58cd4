"""The one hook around every lock operation: what a CPU holds, in which order it took it, and how often.

In mode `off` all of this compiles to nothing.
"""

from functools import partial

from vmconc.locks.classes import (
    COUNT_COLUMNS,
    COUNT_CONTENDED,
    COUNT_FAILED,
    COUNT_RECURSIVE,
    COUNT_REOWNED,
    COUNT_WAIT,
    EXCLUSIVE,
    SHARED,
    UNORDERED,
    VM_MAP,
)
from vmconc.locks.cpu import HELD_WHAT_MASK
from vmconc.locks.delay import AFTER_ACQUIRE, AFTER_RELEASE, BEFORE_ACQUIRE, BEFORE_RELEASE, NO_SITE, delay
from vmconc.locks.held import find_held, held_mode, holds, pop_held, push_held
from vmconc.locks.rules import LOCK_ORDER, LOCK_RECURSION, NOT_HELD, broken
from vmconc.locks.times import hold_begins, wait_is_over, wait_was_vain
from vmconc.memory.jit import kernel
from vmconc.memory.queries import controlled, delayed, logged, recorded, timed, tracked
from vmconc.memory.refs import offset
from vmconc.memory.system import nanoseconds, ticks
from vmconc.schedule.clocks import gives, racing, takes
from vmconc.schedule.engine import pass_point
from vmconc.schedule.records import exploring
from vmconc.schedule.steps import (
    STEP_ACQUIRE,
    STEP_DOWNGRADE,
    STEP_FAIL,
    STEP_RECURSE,
    STEP_REFUSED,
    STEP_RELEASE,
    STEP_REOWN,
    STEP_TRIED,
    STEP_UPGRADE,
    STEP_WAIT,
    STEP_WAITED,
    log_gain,
    log_loss,
    log_step,
)

RANKED = (1 << UNORDERED) - 1


@kernel
def count(cpu, cls, column, amount):
    """Add to a counter of a lock class."""
    if tracked(cpu):
        cpu.counts[cls * COUNT_COLUMNS + column] += amount


@kernel
def times_acquired(cpu, cls):
    """Return how often this CPU has acquired a lock of a class; 0 in mode `off`."""
    return cpu.counts[cls * COUNT_COLUMNS + SHARED] + cpu.counts[cls * COUNT_COLUMNS + EXCLUSIVE]


@kernel
def point(cpu, lock, mode):
    """Let the controlled engine choose who goes on: before every lock operation, tries and releases too."""
    pass_point(cpu, lock | mode)


@kernel
def requested(cpu, lock, cls, mode):
    """Note that a lock is about to be waited for if need be: the schedule point, then the order rules."""
    point(cpu, lock, mode)
    ordered(cpu, lock, cls)
    if delayed(cpu):
        delay(cpu, BEFORE_ACQUIRE, cls, NO_SITE)


@kernel
def ordered(cpu, lock, cls):
    """Hold a request that may have to wait against the order rules."""
    if tracked(cpu) and (cpu.held_classes & RANKED) >> cls != 0:
        check_order(cpu, lock, cls)


@kernel
def check_order(cpu, lock, cls):
    """Hold a request against the order rules: a lock of its rank or of a later one is held.

    The rule that says more comes first: an execution that is explored ends there.
    """
    if cls == VM_MAP and holds(cpu, lock):
        broken(cpu, LOCK_RECURSION, lock, 0, 0)
    if (cpu.held_classes & RANKED) >> (cls + 1) != 0:
        broken(cpu, LOCK_ORDER, lock, cls, cpu.held_classes)


@partial(kernel, within=True)
def acquired(cpu, lock, cls, mode, site):
    """Note an acquisition: count it and push it on the held-lock stack."""
    log_gain(cpu, STEP_ACQUIRE, lock, cls, mode, site)
    hold(cpu, lock, cls, mode, site)


@kernel
def tried(cpu, lock, cls, mode, site):
    """Note an acquisition to which the order rules do not apply: it could not have waited, or not for ever."""
    log_gain(cpu, STEP_TRIED if recorded(cpu) else STEP_ACQUIRE, lock, cls, mode, site)
    hold(cpu, lock, cls, mode, site)


@partial(kernel, within=True)
def hold(cpu, lock, cls, mode, site):
    """Count an acquisition and push it on the held-lock stack; then be delayed, if that is asked for."""
    if tracked(cpu):
        cpu.counts[cls * COUNT_COLUMNS + mode] += 1
        push_held(cpu, lock, cls, mode, site)
    if timed(cpu):
        hold_begins(cpu, lock, cls, mode, site)
    takes(cpu, lock, mode)
    if delayed(cpu):
        delay(cpu, AFTER_ACQUIRE, cls, site)


@partial(kernel, within=True)
def releasing(cpu, lock, cls):
    """Let others run before a release, and log it."""
    point(cpu, lock, EXCLUSIVE)
    if delayed(cpu):
        delay(cpu, BEFORE_RELEASE, cls, NO_SITE)
    log_loss(cpu, STEP_RELEASE, lock, cls, held_mode(cpu, lock, cls) if recorded(cpu) else 0, 0)


@partial(kernel, within=True)
def released(cpu, lock, cls):
    """Note a release: take the lock off the held-lock stack."""
    releasing(cpu, lock, cls)
    if racing(cpu):
        gives(cpu, lock, held_mode(cpu, lock, cls))
    if tracked(cpu):
        pop_held(cpu, lock, cls)


@kernel
def class_to_delay(cpu, lock):
    """Return the class of a lock that is about to be released, for `given_up`; in builds without delays 0.

    Afterwards the lock may be gone.
    """
    return lock.cls if delayed(cpu) else 0


@kernel
def given_up(cpu, cls):
    """Be delayed behind a release, if that is asked for: the lock is free, and who slept on it has been woken.

    It follows the kernel that releases instead of ending it, so that without delays that is the same code as ever.
    """
    if delayed(cpu):
        delay(cpu, AFTER_RELEASE, cls, NO_SITE)


@kernel
def refused(cpu, lock, cls, found):
    """Report a release, upgrade or downgrade of a lock that this CPU does not hold; the lock stays as it is."""
    if recorded(cpu):
        log_step(cpu, STEP_REFUSED, lock, cls, 0, 0)
    broken(cpu, NOT_HELD, lock, cpu.index + 1, found)


@kernel
def changed_mode(cpu, lock, cls, mode):
    """Note an upgrade or downgrade of a held lock."""
    if mode == EXCLUSIVE:
        log_gain(cpu, STEP_UPGRADE, lock, cls, mode, 0)
    else:
        log_loss(cpu, STEP_DOWNGRADE, lock, cls, mode, 0)
    if controlled(cpu):
        if mode == EXCLUSIVE:
            takes(cpu, lock, mode)
        else:
            gives(cpu, lock, EXCLUSIVE)
    if tracked(cpu):
        i = find_held(cpu, lock, cls)
        if i < 0:
            broken(cpu, NOT_HELD, lock, cls, 0)
            return
        cpu.held_word[i] = cpu.held_word[i] & ~HELD_WHAT_MASK | cls * 2 + mode


@kernel
def now(cpu):
    """Return the time in ns; it stands still while an engine explores, where every execution must be repeatable."""
    if exploring(cpu):
        return 0
    return nanoseconds()


@kernel
def wait_begins(cpu, lock, cls, mode):
    """Note that a CPU has to wait for the lock at an offset; return the time, for `wait_ends`."""
    since = 0
    if tracked(cpu):
        cpu.wait_class = cls
        cpu.wait_mode = mode
        since = now(cpu)
    if timed(cpu):
        wait_was_vain(cpu)
        cpu.wait_lock, cpu.waited_what, cpu.reason = lock, cls * 2 + mode, 0
        cpu.wait_begun = ticks()
    if recorded(cpu):
        log_step(cpu, STEP_WAIT, lock, cls, mode, 0)
    return since


@kernel
def wait_ends(cpu, cls, since):
    """Note that the wait that began at `since` is over: one contended acquisition."""
    if tracked(cpu):
        cpu.counts[cls * COUNT_COLUMNS + COUNT_CONTENDED] += 1
        cpu.counts[cls * COUNT_COLUMNS + COUNT_WAIT] += now(cpu) - since
        cpu.wait_class = 0
    if timed(cpu):
        wait_is_over(cpu)
    if recorded(cpu):
        log_step(cpu, STEP_WAITED, 0, cls, 0, 0)


@kernel
def failed(cpu, cls):
    """Note a try that did not succeed."""
    count(cpu, cls, COUNT_FAILED, 1)
    log_step(cpu, STEP_FAIL, 0, cls, 0, 0)


@kernel
def recursed(cpu, cls):
    """Note an acquisition of a token that this CPU already owns exclusively."""
    count(cpu, cls, COUNT_RECURSIVE, 1)
    if logged(cpu):
        log_step(cpu, STEP_RECURSE, offset(cpu.token[cpu.token_count - 1]), cls, 1, 0)


@kernel
def reowned(cpu, cls):
    """Note that a token was taken again after a sleep."""
    count(cpu, cls, COUNT_REOWNED, 1)
    if controlled(cpu):
        log_step(cpu, STEP_REOWN, 0, cls, 0, 0)
