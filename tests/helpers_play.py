"""A playground of one lock of each kind, and `act`: a kernel that performs a list of lock operations.

A test writes what each CPU does as a list of `(operation, argument, argument)`; the lists are put into shared memory
and every CPU runs `act` over its own.  `say`/`until` and `until_blocked` order the CPUs, so an interleaving is exact.
"""

import itertools

from vmconc.locks import busy, chain, lockmgr, pip, spin, token
from vmconc.locks import range as ranges
from vmconc.locks.block import block
from vmconc.locks.classes import PAGE_SPIN
from vmconc.locks.cpu import STATE_BLOCKED  # declares Cpu too
from vmconc.locks.sites import site
from vmconc.locks.sleep import PATIENCE, halt, look_later, prepare, wakeup
from vmconc.memory.jit import kernel
from vmconc.memory.refs import at, offset, words_at
from vmconc.memory.struct import STRUCTS, Embed, Same, Words, guard
from vmconc.memory.twins import struct

HERE = site("test.play")
SCRIPT_MAX = 64
FLAGS = 64
CPU_STRIDE = STRUCTS["Cpu"].stride


@struct
class Playground:
    """One lock of each kind, a few words they guard, and flags by which CPUs wait for one another."""

    map_lock: Embed("Lockmgr") = guard("itself")
    map_lock2: Embed("Lockmgr") = guard("itself")
    vnode_lock: Embed("Lockmgr") = guard("itself")
    token: Embed("Token") = guard("itself")
    token2: Embed("Token") = guard("itself")
    token3: Embed("Token") = guard("itself")
    chain: Embed("Chain") = guard("itself")
    busy: Embed("Busy") = guard("itself")
    pip: Embed("Pip") = guard("itself")
    spin: Embed("Spin") = guard("itself")
    ranges: Embed("RangeList") = guard("itself")
    lock_word: Same("map_lock.word") = guard("itself")
    left: int = guard("map_lock")
    right: int = guard("map_lock")
    total: int = guard("atomic")
    inside: int = guard("atomic")
    bad: int = guard("atomic")  # what a detector counted
    gate: int = guard("atomic")
    box: Words(8) = guard("atomic")
    flags: Words(FLAGS) = guard("atomic")


@struct
class Script:
    """What one CPU shall do, and what each step returned."""

    length: int = guard("init")
    code: Words(SCRIPT_MAX) = guard("init")
    a: Words(SCRIPT_MAX) = guard("init")
    b: Words(SCRIPT_MAX) = guard("init")
    result: Words(SCRIPT_MAX) = guard("cpu")


_codes = itertools.count()
LOCK_SHARED, LOCK_EXCLUSIVE, LOCK_TIMED, LOCK_TRY, LOCK_UPGRADE, LOCK_DOWNGRADE, LOCK_RELEASE = (
    next(_codes) for _ in range(7)
)
TOKEN_GET, TOKEN_TRY, TOKEN_RELEASE, TOKEN_SWAP, TOKEN_OWNED_BY = (next(_codes) for _ in range(5))
CHAIN_ACQUIRE, CHAIN_WAIT, CHAIN_RELEASE = (next(_codes) for _ in range(3))
BUSY_TRY, BUSY_WAIT, BUSY_SLEEP, BUSY_RELEASE, SOFT_TRY, SOFT_RELEASE, IO_START = (next(_codes) for _ in range(7))
PIP_ADD, PIP_WAKEUP, PIP_WAIT = (next(_codes) for _ in range(3))
RANGE_ACQUIRE, RANGE_RELEASE, SPIN_LOCK, SPIN_TRY, SPIN_UNLOCK = (next(_codes) for _ in range(5))
SLEEP, SLEEP_KEEPING, WAKEUP, SAY, UNTIL, UNTIL_BLOCKED, UNTIL_WORD, PEEK, SAID = (next(_codes) for _ in range(9))


@kernel
def await_flag(cpu, p, number):
    """Wait until somebody said `number`; not one of the emulated waits."""
    while p.flags[number] == 0:
        look_later(cpu, PATIENCE)


@kernel
def other_cpu(cpu, index):
    """Return CPU number `index`: the records stand side by side."""
    return at(cpu, "Cpu", offset(cpu) + (index - cpu.index) * CPU_STRIDE)


@kernel
def await_blocked(cpu, other):
    """Wait until a CPU sleeps in `halt`."""
    while other.state != STATE_BLOCKED:
        look_later(cpu, PATIENCE)


@kernel
def await_word(cpu, words, value):
    """Wait until a word has a value."""
    while words[0] != value:
        look_later(cpu, PATIENCE)


@kernel
def act_lockmgr(cpu, code, a, b):
    """Perform one operation on the lockmgr lock at offset `a`."""
    lock = at(cpu, "Lockmgr", a)
    if code == LOCK_SHARED:
        lockmgr.lock_shared(cpu, lock, HERE)
    elif code == LOCK_EXCLUSIVE:
        lockmgr.lock_exclusive(cpu, lock, HERE)
    elif code == LOCK_TIMED:
        return int(lockmgr.lock_shared_timed(cpu, lock, b, HERE))
    elif code == LOCK_TRY:
        return int(lockmgr.lock_try(cpu, lock, b, HERE))
    elif code == LOCK_UPGRADE:
        return int(lockmgr.lock_upgrade(cpu, lock))
    elif code == LOCK_DOWNGRADE:
        lockmgr.lock_downgrade(cpu, lock)
    else:
        lockmgr.lock_release(cpu, lock)
    return 0


@kernel
def act_token(cpu, code, a, b):
    """Perform one operation on the token at offset `a`."""
    tok = at(cpu, "Token", a)
    if code == TOKEN_GET:
        token.token_get(cpu, tok, b, HERE)
    elif code == TOKEN_TRY:
        return int(token.token_try(cpu, tok, b, HERE))
    elif code == TOKEN_RELEASE:
        token.token_release(cpu, tok)
    elif code == TOKEN_SWAP:
        token.token_swap(cpu)
    else:
        return int(token.token_owned(other_cpu(cpu, b), tok))
    return 0


@kernel
def act_chain(cpu, code, a, b):
    """Perform one operation on the chain lock at offset `a`."""
    link = at(cpu, "Chain", a)
    if code == CHAIN_ACQUIRE:
        chain.chain_acquire(cpu, link, b, HERE)
    elif code == CHAIN_WAIT:
        chain.chain_wait(cpu, link)
    else:
        chain.chain_release(cpu, link)
    return 0


@kernel
def act_busy(cpu, code, a, b):
    """Perform one operation on the busy word at offset `a`; `b` is `also_soft`."""
    page = at(cpu, "Busy", a)
    if code == BUSY_TRY:
        return int(busy.busy_try(cpu, page, b != 0, HERE))
    if code == BUSY_WAIT:
        busy.busy_wait(cpu, page, b != 0, HERE)
    elif code == BUSY_SLEEP:
        busy.busy_sleep(cpu, page, b != 0, HERE)
    elif code == BUSY_RELEASE:
        busy.busy_release(cpu, page)
    elif code == SOFT_TRY:
        return int(busy.soft_try(cpu, page, HERE))
    elif code == SOFT_RELEASE:
        busy.soft_release(cpu, page)
    else:
        busy.io_start(cpu, page, HERE)
    return 0


@kernel
def act_small(cpu, p, code, a, b):
    """Perform one operation on the playground's pip, range list or spinlock."""
    if code == PIP_ADD:
        pip.pip_add(cpu, p.pip, HERE)
    elif code == PIP_WAKEUP:
        pip.pip_wakeup(cpu, p.pip)
    elif code == PIP_WAIT:
        pip.pip_wait(cpu, p.pip)
    elif code == RANGE_ACQUIRE:
        return offset(ranges.range_acquire(cpu, p.ranges, a, b, HERE))
    elif code == SPIN_LOCK:
        spin.spin_lock(cpu, p.spin, PAGE_SPIN, HERE)
    elif code == SPIN_TRY:
        return int(spin.spin_try(cpu, p.spin, PAGE_SPIN, HERE))
    else:
        spin.spin_unlock(cpu, p.spin, PAGE_SPIN)
    return 0


@kernel
def act_sleep(cpu, p, code, a, b):
    """Sleep, wake, say, wait for what another CPU says, look."""
    if code == SLEEP:
        prepare(cpu, a, HERE)
        return int(block(cpu, b))
    if code == SLEEP_KEEPING:  # a broken twin of `block`: the tokens stay with the sleeper
        prepare(cpu, a, HERE)
        return int(halt(cpu, b))
    if code == WAKEUP:
        wakeup(cpu, a)
    elif code == SAY:
        p.flags[a] = 1
    elif code == UNTIL:
        await_flag(cpu, p, a)
    elif code == UNTIL_BLOCKED:
        await_blocked(cpu, other_cpu(cpu, a))
    elif code == UNTIL_WORD:
        await_word(cpu, words_at(cpu, a), b)
    elif code == SAID:
        return p.flags[a]
    else:
        return words_at(cpu, a)[0]
    return 0


@kernel
def act(cpu, p, script):
    """Perform a script; each step's answer is kept beside it.  Return how many locks are held at the end."""
    for i in range(script.length):
        code, a, b = script.code[i], script.a[i], script.b[i]
        if code <= LOCK_RELEASE:
            script.result[i] = act_lockmgr(cpu, code, a, b)
        elif code <= TOKEN_OWNED_BY:
            script.result[i] = act_token(cpu, code, a, b)
        elif code <= CHAIN_RELEASE:
            script.result[i] = act_chain(cpu, code, a, b)
        elif code <= IO_START:
            script.result[i] = act_busy(cpu, code, a, b)
        elif code == RANGE_RELEASE:  # `a`: the step that acquired it
            ranges.range_release(cpu, p.ranges, at(cpu, "RangeRecord", script.result[a]))
        elif code <= SPIN_UNLOCK:
            script.result[i] = act_small(cpu, p, code, a, b)
        else:
            script.result[i] = act_sleep(cpu, p, code, a, b)
    return cpu.held_count
