"""Small lock programs for the controlled engine."""

from vmconc.explore.laboratory import Laboratory, engine_tables
from vmconc.locks.classes import RWLOCK, USER_SPIN
from vmconc.locks.mutex import (
    condition_signal,
    condition_wait,
    mutex_lock,
    mutex_try,
    mutex_unlock,
    semaphore_down,
    semaphore_up,
)
from vmconc.locks.rwlock import rwlock_read, rwlock_release, rwlock_write
from vmconc.locks.sites import site
from vmconc.locks.sleep import look_later
from vmconc.locks.spin import spin_lock, spin_unlock
from vmconc.memory.build import Build
from vmconc.memory.jit import kernel
from vmconc.memory.refs import offset
from vmconc.memory.segment import Sizes, create
from vmconc.memory.struct import Embed, Words, guard
from vmconc.memory.twins import struct
from vmconc.schedule.decisions import chance
from vmconc.schedule.engine import pass_point

TURNS = 4096
LONG = 400  # steps
SPIN, RW = site("test.spin"), site("test.rwlock")
FAR = 1 << 20  # bytes from a mutex to the word that stands for what it guards


@struct
class Bench:
    """What the test programs share."""

    a: Embed("Mutex") = guard("const")
    b: Embed("Mutex") = guard("const")
    spin: Embed("Spin") = guard("const")
    items: Embed("Semaphore") = guard("const")
    condition: Embed("Condition") = guard("const")
    rwlock: Embed("Lockmgr") = guard("const")
    value: int = guard("a")
    flag: int = guard("hint")
    log: Words(16) = guard("hint")
    logged: int = guard("hint")
    rounds: int = guard("const")


@kernel
def add_locked(cpu, bench):
    """Add one under the mutex, in two steps."""
    mutex_lock(cpu, bench.a)
    value = bench.value
    pass_point(cpu, 0)
    bench.value = value + 1
    mutex_unlock(cpu, bench.a)


@kernel
def add_bare(cpu, bench):
    """Add one without a lock, in two steps."""
    pass_point(cpu, 0)
    value = bench.value
    pass_point(cpu, 0)
    bench.value = value + 1


@kernel
def add_spinning(cpu, bench):
    """Add one under a spinlock, in two steps."""
    spin_lock(cpu, bench.spin, USER_SPIN, SPIN)
    value = bench.value
    pass_point(cpu, 0)
    bench.value = value + 1
    spin_unlock(cpu, bench.spin, USER_SPIN)


@kernel
def add_writing(cpu, bench):
    """Look twice at the value as a reader, which must not change, and add one as a writer, in two steps."""
    rwlock_read(cpu, bench.rwlock, RW)
    value = bench.value
    pass_point(cpu, 0)
    bench.flag |= value != bench.value
    rwlock_release(cpu, bench.rwlock)
    rwlock_write(cpu, bench.rwlock, RW)
    value = bench.value
    pass_point(cpu, 0)
    bench.value = value + 1
    rwlock_release(cpu, bench.rwlock)


@kernel
def read_twice_or_write(cpu, bench):
    """CPU 0 takes a second share while it has one; the others write."""
    if cpu.index == 0:
        rwlock_read(cpu, bench.rwlock, RW)
        rwlock_read(cpu, bench.rwlock, RW)
        rwlock_release(cpu, bench.rwlock)
        rwlock_release(cpu, bench.rwlock)
    else:
        rwlock_write(cpu, bench.rwlock, RW)
        rwlock_release(cpu, bench.rwlock)


@kernel
def cross(cpu, bench):
    """Take two mutexes, the even CPUs in one order and the odd ones in the other."""
    first, second = bench.a, bench.b
    if cpu.index % 2 == 1:
        first, second = bench.b, bench.a
    mutex_lock(cpu, first)
    mutex_lock(cpu, second)
    mutex_unlock(cpu, second)
    mutex_unlock(cpu, first)


@kernel
def tangle(cpu, bench):
    """Wait in a ring: CPU 0 with a mutex for a spinlock, CPU 1 with that for what CPU 2 has, which needs the mutex.

    CPU 3 has nothing to do with it and works for long, CPU 4 needs the mutex.  With the flag CPU 2 keeps the order.
    """
    if cpu.index == 0:
        mutex_lock(cpu, bench.a)
        spin_lock(cpu, bench.spin, USER_SPIN, SPIN)
        spin_unlock(cpu, bench.spin, USER_SPIN)
        mutex_unlock(cpu, bench.a)
    elif cpu.index == 1:
        spin_lock(cpu, bench.spin, USER_SPIN, SPIN)
        rwlock_write(cpu, bench.rwlock, RW)
        rwlock_release(cpu, bench.rwlock)
        spin_unlock(cpu, bench.spin, USER_SPIN)
    elif cpu.index == 3:
        for _ in range(LONG):
            pass_point(cpu, 0)
    else:
        reads = cpu.index == 2
        if reads and bench.flag == 0:
            rwlock_read(cpu, bench.rwlock, RW)
        mutex_lock(cpu, bench.a)
        if reads and bench.flag != 0:
            rwlock_read(cpu, bench.rwlock, RW)
        if reads:
            rwlock_release(cpu, bench.rwlock)
        mutex_unlock(cpu, bench.a)


@kernel
def produce_or_consume(cpu, bench):
    """CPU 0 makes items for all others."""
    if cpu.index == 0:
        for _ in range(2):
            semaphore_up(cpu, bench.items)
    else:
        semaphore_down(cpu, bench.items)
        bench.value += 1


@kernel
def wait_or_signal(cpu, bench):
    """CPU 0 sets the flag and signals; the others wait for it."""
    mutex_lock(cpu, bench.a)
    if cpu.index == 0:
        bench.flag = 1
        condition_signal(cpu, bench.condition)
    else:
        while bench.flag == 0:
            condition_wait(cpu, bench.condition, bench.a)
        bench.value += 1
    mutex_unlock(cpu, bench.a)


@kernel
def spin_for_ever(cpu, bench):
    """Look for a flag that nobody sets."""
    looks = 0
    while bench.flag == 0:
        looks += 1
        look_later(cpu, looks)


@kernel
def add_often(cpu, bench):
    """Add one under the mutex, `rounds` times; the addition is a step of its own."""
    for _ in range(bench.rounds):
        mutex_lock(cpu, bench.a)
        pass_point(cpu, offset(bench.a) + FAR | 1)
        bench.value += 1
        mutex_unlock(cpu, bench.a)


@kernel
def try_or_lock(cpu, bench):
    """CPU 0 locks one mutex, CPU 2 the other, CPU 1 tries that one; CPUs 0 and 1 write the same word there."""
    mutex = bench.a if cpu.index == 0 else bench.b
    if cpu.index == 1:
        taken = mutex_try(cpu, mutex)
    else:
        mutex_lock(cpu, mutex)
        taken = True
    if taken:
        pass_point(cpu, offset(bench.a) + (FAR if cpu.index < 2 else 2 * FAR) | 1)
        bench.value += 1
        mutex_unlock(cpu, mutex)


@kernel
def wait_for_last(cpu, bench):
    """Wait, without sleeping, until the CPU with the highest number has set the flag."""
    if cpu.index == bench.rounds:
        pass_point(cpu, offset(bench.a) + FAR | 1)
        bench.flag = 1
    looks = 0
    pass_point(cpu, offset(bench.a) + FAR)
    while bench.flag == 0:
        looks += 1
        look_later(cpu, looks)
        pass_point(cpu, offset(bench.a) + FAR)


@kernel
def flip_twice(cpu, bench):
    """Write down what comes of chance, twice."""
    for place in range(2):
        pass_point(cpu, 0)
        bench.log[place] = chance(cpu, 500)


@kernel
def look_for_each_other(cpu, bench):
    """CPUs 0 and 1 look for a flag that CPU 2 sets."""
    looks = 0
    if cpu.index == 2:
        pass_point(cpu, 0)
        bench.flag = 1
    while bench.flag == 0:
        looks += 1
        look_later(cpu, looks)


@kernel
def write_log(cpu, bench):
    """Write the own number into the log, twice."""
    for _ in range(2):
        pass_point(cpu, 0)
        bench.log[bench.logged] = cpu.index
        bench.logged += 1


@kernel
def lock_in_turn(cpu, bench):
    """Take the mutex, and give it back, as often as `laboratory` was told."""
    for _ in range(cpu.last_op):
        mutex_lock(cpu, bench.a)
        mutex_unlock(cpu, bench.a)


def laboratory(body, cpus: int, times: int = 1, classes: int = 1 << 12, states: int = 0, **settings) -> Laboratory:
    """Return an engine for `cpus` CPUs that all run `body`; settings are fields of the Scheduler."""
    engine = engine_tables(cpus, TURNS, states, words=16, classes=classes, races=True)
    tables = {"Cpu": cpus, "SleepQueue": 64, "Violation": 4, "Step": 0, "Bench": 1, **engine}
    segment = create(Sizes(tables), Build("controlled"), cpus=cpus)
    for index in range(cpus):
        segment.nth("Cpu", index).index, segment.nth("Cpu", index).last_op = index, times
    bench = segment.nth("Bench", 0)
    bench.rwlock.cls = RWLOCK
    lab = Laboratory(segment, [body] * cpus, bench)
    for name, value in settings.items():
        setattr(lab.engine, name, value)
    return lab
