"""LWKT tokens: soft locks, given up whenever their holder sleeps and all re-owned before it runs again.

A CPU keeps its tokens on a stack and releases them last in, first out.  A token of the stack is *recursive* if
this CPU owned it exclusively already.  (DragonFly `sys/kern/lwkt_token.c`; `dragonfly.md` 2.2.)
"""

from vmconc.locks.classes import EXCLUSIVE, SHARED
from vmconc.locks.cpu import TOKENS_MAX
from vmconc.locks.held import hold_goes_on, hold_pauses
from vmconc.locks.hook import (
    acquired,
    class_to_delay,
    failed,
    given_up,
    point,
    recursed,
    released,
    reowned,
    requested,
    tried,
    wait_begins,
    wait_ends,
)
from vmconc.locks.rules import TOKEN_ORDER, TOKEN_UPGRADE, TOO_MANY_HELD, broken
from vmconc.locks.sites import site
from vmconc.locks.sleep import FOREVER, cancel, halt, leave_if_stopping, linger, prepare, wakeup
from vmconc.memory.atomics import atomic_cas, atomic_or
from vmconc.memory.jit import kernel
from vmconc.memory.queries import bug, recorded, timed
from vmconc.memory.refs import offset
from vmconc.memory.struct import guard
from vmconc.memory.system import cpu_pause
from vmconc.memory.twins import struct
from vmconc.schedule.classes import touched
from vmconc.schedule.clocks import gives, takes
from vmconc.schedule.records import exploring
from vmconc.schedule.steps import STEP_LOSE, STEP_REOWN, log_gain, log_loss

EXCL = 1  # owned exclusively
EXREQ = 2  # an exclusive request waits
WAITERS = 4
HOLDER = 1 << 8  # one shared holder
HOLDERS = 0xFFFF << 8
OWNER_SHIFT = 24
OWNER = 0xFFF << OWNER_SHIFT
RECURSIVE = 2  # token_mode of an entry that owns nothing of its own
SPINS = 50

SLEEP = site("token.sleep")


@struct(align=8)
class Token:
    """A token."""

    word: int = guard("atomic")
    cls: int = guard("const")  # its lock class


@kernel
def token_owned(cpu, token):
    """Tell whether this CPU owns the token exclusively."""
    return token.word & (EXCL | OWNER) == EXCL | cpu.index + 1 << OWNER_SHIFT


@kernel
def token_held(cpu, token):
    """Tell whether the token is on this CPU's stack, in any mode."""
    for i in range(cpu.token_count):
        if cpu.token[i] == token:
            return True
    return False


@kernel
def take(cpu, token, mode, alone):
    """Try once to own a token; `alone`: it would be the only one on the stack, so a waiting writer comes first."""
    touched(cpu, offset(token) | EXCLUSIVE)
    word = token.word
    if mode == EXCLUSIVE:
        if word & (EXCL | HOLDERS) != 0:
            return False
        new = word & ~EXREQ | EXCL | cpu.index + 1 << OWNER_SHIFT
    else:
        barred = word & EXCL != 0 and not bug(cpu, "reader-ignores-writer")
        if barred or (alone and word & EXREQ != 0):
            return False
        new = word + HOLDER
    return atomic_cas(token, "word", word, new)


@kernel
def drop(cpu, token, mode):
    """Give up ownership of a token and wake those who wait for it."""
    touched(cpu, offset(token) | EXCLUSIVE)
    while True:
        word = token.word
        new = word & ~(EXCL | OWNER) if mode == EXCLUSIVE else word - HOLDER
        free = new & HOLDERS == 0
        if free:
            new &= ~WAITERS
        if atomic_cas(token, "word", word, new):
            break
    if free and word & WAITERS != 0:
        wakeup(cpu, offset(token))


@kernel
def tell_lost(cpu, token, mode):
    """Tell whoever keeps track that a token is about to be given up, by its holder, who will own it again."""
    log_loss(cpu, STEP_LOSE, offset(token), token.cls, mode, 0)
    if timed(cpu):
        hold_pauses(cpu, offset(token), token.cls)


@kernel
def tell_owned(cpu, count):
    """Tell whoever keeps track that the lowest `count` tokens of the stack are owned again."""
    for i in range(count if recorded(cpu) or timed(cpu) else 0):
        token, mode = cpu.token[i], cpu.token_mode[i]
        if mode != RECURSIVE:
            log_gain(cpu, STEP_REOWN, offset(token), token.cls, mode, 0)
            if timed(cpu):
                hold_goes_on(cpu, offset(token), token.cls, mode)


@kernel
def give_up_tokens(cpu, count):
    """Give up the lowest `count` tokens of the stack, to own them again later; the stack stays as it is."""
    for i in range(count if recorded(cpu) or timed(cpu) else 0):
        if cpu.token_mode[i] != RECURSIVE:
            tell_lost(cpu, cpu.token[i], cpu.token_mode[i])
    drop_tokens(cpu, count)


@kernel
def drop_tokens(cpu, count):
    """Drop the ownership of the lowest `count` tokens of the stack."""
    i = count - 1
    while i >= 0:
        mode = cpu.token_mode[i]
        if mode != RECURSIVE:
            gives(cpu, offset(cpu.token[i]), mode)
            drop(cpu, cpu.token[i], mode)
        i -= 1


@kernel
def spins(cpu):
    """Return how often to look before sleeping: where CPUs take turns nothing changes between two looks."""
    if exploring(cpu):
        return 0
    return SPINS


@kernel
def take_all(cpu):
    """Try to own every token of the stack.  Return -1, or the place of the first that could not be had, owning none."""
    alone = cpu.token_count == 1
    for i in range(cpu.token_count):
        mode = cpu.token_mode[i]
        if mode == RECURSIVE:
            continue
        tries = 0
        while not take(cpu, cpu.token[i], mode, alone):
            tries += 1
            if tries > spins(cpu):
                drop_tokens(cpu, i)
                return i
            cpu_pause()
        takes(cpu, offset(cpu.token[i]), mode)
    return -1


@kernel
def await_token(cpu, token, mode):
    """Sleep, owning nothing, until the token may be free.  An exclusive request is announced."""
    prepare(cpu, offset(token), SLEEP)
    request = WAITERS | EXREQ if mode == EXCLUSIVE else WAITERS
    word = atomic_or(token, "word", request)
    blocked = word & EXCL != 0
    if mode == EXCLUSIVE:
        blocked = blocked or word & HOLDERS != 0
    else:
        blocked = blocked or word & EXREQ != 0
    if blocked:
        halt(cpu, FOREVER)
    else:
        cancel(cpu)
        leave_if_stopping(cpu)


@kernel
def own_tokens(cpu):
    """Own every token of the stack, all together, sleeping as long as it takes.

    Locks: entry  no token owned
           exit   every token of the stack owned
    """
    while True:
        missing = take_all(cpu)
        if missing < 0:
            return
        await_token(cpu, cpu.token[missing], cpu.token_mode[missing])


@kernel
def reown_tokens(cpu):
    """Own every token of the stack again after a sleep, and count that."""
    own_tokens(cpu)
    tell_owned(cpu, cpu.token_count)
    if cpu.token_count > 0:
        cpu.tokens_lost += 1
        for i in range(cpu.token_count):
            reowned(cpu, cpu.token[i].cls)


@kernel
def push_token(cpu, token, mode):
    """Push a token on the stack; return False if it is full."""
    n = cpu.token_count
    if n >= TOKENS_MAX:
        broken(cpu, TOO_MANY_HELD, offset(token), TOKENS_MAX, n)
        return False
    cpu.token[n] = token
    cpu.token_mode[n] = mode
    cpu.token_count = n + 1
    return True


@kernel
def token_get(cpu, token, mode, site):
    """Acquire a token, shared or exclusive.  It may give up all tokens held for a moment: others may run in between.

    Locks: entry  the token not held shared if it is wanted exclusively
           exit   the token on top of the stack
    """
    requested(cpu, offset(token), token.cls, mode)
    if token_owned(cpu, token):
        push_token(cpu, token, RECURSIVE)
        recursed(cpu, token.cls)
        return
    if mode == EXCLUSIVE and token_held(cpu, token):
        broken(cpu, TOKEN_UPGRADE, offset(token), 0, 0)
    first = cpu.token_count == 0
    if not push_token(cpu, token, mode):
        return
    if not take(cpu, token, mode, first):
        contended_get(cpu, token, mode)
    acquired(cpu, offset(token), token.cls, mode, site)


@kernel
def contended_get(cpu, token, mode):
    """Own the token just pushed: spin a little, then give all others up and own all together."""
    since = wait_begins(cpu, offset(token), token.cls, mode)
    held = cpu.token_count - 1
    for _ in range(spins(cpu)):
        if take(cpu, token, mode, held == 0):
            wait_ends(cpu, token.cls, since)
            return
        cpu_pause()
    give_up_tokens(cpu, held)
    own_tokens(cpu)
    tell_owned(cpu, held)
    wait_ends(cpu, token.cls, since)


@kernel
def token_try(cpu, token, mode, site):
    """Acquire a token if that needs no waiting; return whether it did."""
    point(cpu, offset(token), mode)
    if token_owned(cpu, token):
        push_token(cpu, token, RECURSIVE)
        recursed(cpu, token.cls)
        return True
    if not take(cpu, token, mode, cpu.token_count == 0):
        failed(cpu, token.cls)
        return False
    if not push_token(cpu, token, mode):
        drop(cpu, token, mode)
        return False
    tried(cpu, offset(token), token.cls, mode, site)
    return True


@kernel
def token_release(cpu, token):
    """Release the token on top of the stack.

    Locks: entry  the token on top of the stack
           exit   not there
    """
    top = cpu.token_count - 1
    if top < 0 or cpu.token[top] != token:
        broken(cpu, TOKEN_ORDER, offset(token), 0, top)
        return
    mode = cpu.token_mode[top]
    cpu.token_count = top
    if mode != RECURSIVE:
        cls = class_to_delay(cpu, token)
        give_up_top(cpu, token, mode)
        given_up(cpu, cls)


@kernel
def give_up_top(cpu, token, mode):
    """Give up ownership of the token that was on top of the stack.

    Under `two-writers` others can have it before its holder is done; `reader-ignores-writer` only makes holds longer.
    """
    if bug(cpu, "two-writers") and mode == EXCLUSIVE:
        drop(cpu, token, mode)
        linger(cpu)
        released(cpu, offset(token), token.cls)
        return
    if bug(cpu, "reader-ignores-writer") and mode == EXCLUSIVE:
        linger(cpu)
    released(cpu, offset(token), token.cls)
    drop(cpu, token, mode)


@kernel
def token_swap(cpu):
    """Exchange the two topmost tokens, so that the lower one can be released first."""
    top = cpu.token_count - 1
    if top < 1:
        broken(cpu, TOKEN_ORDER, 0, 2, top + 1)
        return
    token, mode = cpu.token[top], cpu.token_mode[top]
    if token == cpu.token[top - 1]:  # the lower one is what owns it
        return
    cpu.token[top], cpu.token_mode[top] = cpu.token[top - 1], cpu.token_mode[top - 1]
    cpu.token[top - 1], cpu.token_mode[top - 1] = token, mode


@kernel
def token_mode(cpu, token):
    """Return how this CPU holds a token: EXCLUSIVE, SHARED, or -1."""
    if token_owned(cpu, token):
        return EXCLUSIVE
    return SHARED if token_held(cpu, token) else -1
