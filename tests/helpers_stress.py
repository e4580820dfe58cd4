"""Stress kernels: each counts in `p.bad` what must never be seen, and has a broken twin that makes it be seen."""

from vmconc.locks import busy, chain, lockmgr, pip, spin, token
from vmconc.locks import range as ranges
from vmconc.locks.classes import EXCLUSIVE, PAGE_SPIN, SHARED
from vmconc.locks.sites import site
from vmconc.locks.sleep import PATIENCE, look_later
from vmconc.memory.atomics import atomic_add, atomic_cas
from vmconc.memory.jit import kernel
from vmconc.memory.refs import at
from vmconc.memory.segment import HEADER
from vmconc.memory.system import cpu_pause
from vmconc.schedule.engine import pass_point

HERE = site("test.stress")


@kernel
def linger(cpu):
    """Stay in a critical section for a moment, now and then long, so that an intruder meets somebody."""
    for _ in range(10 if cpu.progress % 16 != 0 else 100):
        cpu_pause()
    cpu.progress += 1
    for _ in range(1 + cpu.progress % 3):  # with the JIT off: uneven, so that CPUs do not march in step
        pass_point(cpu, 0)


@kernel
def start_together(cpu, p):
    """Wait until every CPU of the machine has come here."""
    atomic_add(p, "total", 1)
    while p.total < at(cpu, "Machine", HEADER).cpus:
        look_later(cpu, PATIENCE)


@kernel
def write_pair(cpu, p):
    """Change two words that are equal whenever nobody writes; count an intruder."""
    if atomic_add(p, "inside", 1) != 0:
        atomic_add(p, "bad", 1)
    p.left += 1
    linger(cpu)
    p.right += 1
    atomic_add(p, "inside", -1)


@kernel
def read_pair(cpu, p):
    """Count a writer that is at work, or works, while we read."""
    left, right = p.left, p.right
    linger(cpu)
    if left != right or p.left != left or p.inside != 0:
        atomic_add(p, "bad", 1)


@kernel
def upgrade_pair(cpu, p):
    """Write after an upgrade, read after the downgrade; return whether the upgrade came about."""
    lock = p.map_lock
    lockmgr.lock_shared(cpu, lock, HERE)
    read_pair(cpu, p)
    if not lockmgr.lock_upgrade(cpu, lock):
        return 0
    write_pair(cpu, p)
    lockmgr.lock_downgrade(cpu, lock)
    read_pair(cpu, p)
    lockmgr.lock_release(cpu, lock)
    return 1


@kernel
def lockmgr_stress(cpu, p, rounds, broken):
    """Use one lockmgr lock in every way; return how often this CPU wrote.  `broken`: readers ignore the lock."""
    lock = p.map_lock
    start_together(cpu, p)
    writes = 0
    x = cpu.index + 12345
    for _ in range(rounds):
        x = x * 1103515245 + 12345 & 0x7FFFFFFF
        what = x >> 16 & 7
        if broken != 0 and what < 3:
            read_pair(cpu, p)
        elif what < 3:
            lockmgr.lock_shared(cpu, lock, HERE)
            read_pair(cpu, p)
            lockmgr.lock_release(cpu, lock)
        elif what == 3:
            lockmgr.lock_exclusive(cpu, lock, HERE)
            write_pair(cpu, p)
            writes += 1
            lockmgr.lock_release(cpu, lock)
        elif what == 4:
            writes += upgrade_pair(cpu, p)
        elif what == 5:
            if lockmgr.lock_shared_timed(cpu, lock, 5000, HERE):
                read_pair(cpu, p)
                lockmgr.lock_release(cpu, lock)
        elif what == 6:
            if lockmgr.lock_try(cpu, lock, EXCLUSIVE, HERE):
                write_pair(cpu, p)
                writes += 1
                lockmgr.lock_release(cpu, lock)
        elif lockmgr.lock_try(cpu, lock, SHARED, HERE):
            read_pair(cpu, p)
            lockmgr.lock_release(cpu, lock)
    return writes


@kernel
def token_stress(cpu, p, rounds, broken):
    """Take two tokens in opposite orders.  `broken`: read without the token."""
    start_together(cpu, p)
    writes = 0
    for i in range(rounds):
        first, second = (p.token, p.token2) if (i + cpu.index) % 2 == 0 else (p.token2, p.token)
        token.token_get(cpu, first, EXCLUSIVE, HERE)
        token.token_get(cpu, second, EXCLUSIVE, HERE)
        write_pair(cpu, p)
        writes += 1
        token.token_release(cpu, second)
        if i % 3 == 0:
            token.token_get(cpu, second, SHARED, HERE)
            token.token_swap(cpu)
            token.token_release(cpu, first)
            read_pair(cpu, p)
            token.token_release(cpu, second)
        else:
            token.token_release(cpu, first)
        if broken != 0:
            read_pair(cpu, p)
        else:
            token.token_get(cpu, p.token, SHARED, HERE)
            read_pair(cpu, p)
            token.token_release(cpu, p.token)
    return writes


@kernel
def chain_stress(cpu, p, rounds, broken):
    """Share or own a chain lock, sometimes only wait for it.  `broken`: take a share without asking."""
    start_together(cpu, p)
    writes = 0
    for i in range(rounds):
        what = (i + cpu.index) % 4
        if what == 0:
            chain.chain_acquire(cpu, p.chain, EXCLUSIVE, HERE)
            write_pair(cpu, p)
            writes += 1
            chain.chain_release(cpu, p.chain)
        elif what == 1:
            chain.chain_wait(cpu, p.chain)
        elif broken != 0:
            read_pair(cpu, p)
        else:
            chain.chain_acquire(cpu, p.chain, SHARED, HERE)
            read_pair(cpu, p)
            chain.chain_release(cpu, p.chain)
    return writes


@kernel
def soft_try_broken(cpu, page):
    """Count up first and look then (the bug that 793bf44fb8 repaired)."""
    atomic_add(page, "word", 1)
    pass_point(cpu, 0)
    if page.word & busy.PBUSY_LOCKED == 0:
        return True
    atomic_add(page, "word", -1)
    return False


@kernel
def check_alone(cpu, p):
    """Count every soft-busy seen while this CPU owns the page and nobody had it soft-busy when it got it."""
    for _ in range(4):
        if p.busy.word & busy.PBUSY_MASK != 0:
            atomic_add(p, "bad", 1)
        linger(cpu)


@kernel
def busy_stress(cpu, p, rounds, broken):
    """Own and share a page.  `broken`: the soft-busy that counts in passing."""
    start_together(cpu, p)
    writes = 0
    x = cpu.index + 777
    for _ in range(rounds):
        x = x * 1103515245 + 12345 & 0x7FFFFFFF
        what = x >> 16 & 3
        if what == 0:
            if broken == 0:
                busy.busy_wait(cpu, p.busy, True, HERE)
            elif not busy.busy_try(cpu, p.busy, True, HERE):
                continue
            write_pair(cpu, p)
            check_alone(cpu, p)
            writes += 1
            busy.busy_release(cpu, p.busy)
        elif what == 1 and broken == 0:
            busy.busy_sleep(cpu, p.busy, True, HERE)
        elif what != 3 and broken != 0:
            linger(cpu)
        elif broken != 0:
            if soft_try_broken(cpu, p.busy):
                atomic_add(p.busy, "word", -1)
        elif busy.soft_try(cpu, p.busy, HERE):
            read_pair(cpu, p)
            busy.soft_release(cpu, p.busy)
    return writes


@kernel
def spin_stress(cpu, p, rounds, broken):
    """Count under a spinlock.  `broken`: the lock word is tested and set in two steps."""
    start_together(cpu, p)
    for _ in range(rounds):
        if broken != 0:
            while p.spin.owner != 0:
                pass_point(cpu, 0)
            linger(cpu)
            p.spin.owner = cpu.index + 1
        else:
            spin.spin_lock(cpu, p.spin, PAGE_SPIN, HERE)
        write_pair(cpu, p)
        if broken != 0:
            p.spin.owner = 0
        else:
            spin.spin_unlock(cpu, p.spin, PAGE_SPIN)
    return rounds


@kernel
def pip_stress(cpu, p, rounds, broken):
    """Even CPUs raise and lower the count around a visit, odd ones wait for zero and bar new visits meanwhile.

    `broken`: a visitor raises the count only after it has come in.
    """
    start_together(cpu, p)
    for _ in range(rounds):
        if cpu.index % 2 == 0:
            if broken == 0:
                pip.pip_add(cpu, p.pip, HERE)
            if p.gate == 0:
                atomic_add(p, "inside", 1)
                linger(cpu)
                atomic_add(p, "inside", -1)
            if broken != 0:
                pip.pip_add(cpu, p.pip, HERE)
            pip.pip_wakeup(cpu, p.pip)
            pass_point(cpu, 0)
        elif (p.inside != 0 or pip.pip_count(p.pip) != 0) and atomic_cas(p, "gate", 0, 1):
            pip.pip_wait(cpu, p.pip)
            if p.inside != 0:
                atomic_add(p, "bad", 1)
            linger(cpu)
            p.gate = 0
            pass_point(cpu, 0)
        else:
            pass_point(cpu, 0)
    return 0


@kernel
def range_stress(cpu, p, rounds, broken):
    """Every CPU interlocks [8k, 8k + 9): each overlaps its neighbours.  `broken`: the last address is forgotten."""
    start_together(cpu, p)
    for i in range(rounds):
        k = (i * 3 + cpu.index) % 4
        start = 8 * k
        end = start + 8 if broken != 0 else start + 9
        record = ranges.range_acquire(cpu, p.ranges, start, end, HERE)
        for place in (k, k + 1):
            if atomic_add(p.box, place, 1) != 0:
                atomic_add(p, "bad", 1)
        linger(cpu)
        for place in (k, k + 1):
            atomic_add(p.box, place, -1)
        ranges.range_release(cpu, p.ranges, record)
    return rounds
