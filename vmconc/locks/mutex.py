"""Mutexes, semaphores and condition variables: for programs about locks rather than about memory.

To the explorer each operation is one step: a CPU that cannot get a mutex is not asked again before it is free.
"""

from vmconc.locks.block import block
from vmconc.locks.classes import CONDITION, EXCLUSIVE, MUTEX, SEMAPHORE, SHARED
from vmconc.locks.hook import (
    acquired,
    failed,
    given_up,
    point,
    refused,
    released,
    requested,
    tried,
    wait_begins,
    wait_ends,
)
from vmconc.locks.sites import site
from vmconc.locks.sleep import FOREVER, cancel, queue_up, wake_all
from vmconc.memory.atomics import atomic_add, atomic_cas, atomic_store, atomic_swap
from vmconc.memory.jit import kernel
from vmconc.memory.refs import offset
from vmconc.memory.struct import guard
from vmconc.memory.twins import struct
from vmconc.schedule.classes import touched
from vmconc.schedule.clocks import gives, takes
from vmconc.schedule.engine import pass_gate
from vmconc.schedule.gates import open_gate, shut_gate
from vmconc.schedule.records import exploring
from vmconc.schedule.steps import STEP_DOWN, STEP_SIGNAL, STEP_UP, log_step

LOCK = site("mutex.lock")
DOWN = site("semaphore.down")
WAIT = site("condition.wait")


@struct(align=8)
class Mutex:
    """A mutex: one owner, not recursive."""

    owner: int = guard("atomic")  # CPU index + 1, 0: free
    waiters: int = guard("atomic")


@struct(align=8)
class Semaphore:
    """A counting semaphore."""

    value: int = guard("atomic")
    waiters: int = guard("atomic")


@struct(align=8)
class Condition:
    """A condition variable: `signals` counts, so a signal between unlock and sleep is not lost."""

    signals: int = guard("atomic")


@kernel
def mutex_lock(cpu, mutex):
    """Acquire.

    Locks: entry  not held by this CPU
           exit   held
    """
    if exploring(cpu):
        mutex_take(cpu, mutex)
    else:
        requested(cpu, offset(mutex), MUTEX, EXCLUSIVE)
        mutex_wait(cpu, mutex)
    acquired(cpu, offset(mutex), MUTEX, EXCLUSIVE, LOCK)


@kernel
def mutex_take(cpu, mutex):
    """Acquire where CPUs take turns: this one is not chosen before the mutex is free."""
    cpu.reason = LOCK
    pass_gate(cpu, offset(mutex) | EXCLUSIVE, offset(mutex), mutex.owner != 0)
    mutex.owner = cpu.index + 1
    shut_gate(cpu, offset(mutex))


@kernel
def mutex_wait(cpu, mutex):
    """Acquire where CPUs run side by side."""
    if not atomic_cas(mutex, "owner", 0, cpu.index + 1):
        since = wait_begins(cpu, offset(mutex), MUTEX, EXCLUSIVE)
        while not atomic_cas(mutex, "owner", 0, cpu.index + 1):
            mutex_sleep(cpu, mutex)
        wait_ends(cpu, MUTEX, since)


@kernel
def mutex_sleep(cpu, mutex):
    """Sleep until the mutex may be free."""
    queue_up(cpu, offset(mutex), LOCK)
    atomic_swap(mutex, "waiters", 1)
    if mutex.owner != 0:
        block(cpu, FOREVER)
    else:
        cancel(cpu)


@kernel
def mutex_try(cpu, mutex):
    """Acquire if it is free; return whether it was."""
    point(cpu, offset(mutex), EXCLUSIVE)
    if not atomic_cas(mutex, "owner", 0, cpu.index + 1):
        failed(cpu, MUTEX)
        return False
    shut_gate(cpu, offset(mutex))
    tried(cpu, offset(mutex), MUTEX, EXCLUSIVE, LOCK)
    return True


@kernel
def mutex_unlock(cpu, mutex):
    """Release.

    Locks: entry  held
           exit   not held
    """
    mutex_leave(cpu, mutex)
    given_up(cpu, MUTEX)


@kernel
def mutex_leave(cpu, mutex):
    """Release, with all that is done under the mutex or to make it free."""
    if mutex.owner != cpu.index + 1:
        refused(cpu, offset(mutex), MUTEX, mutex.owner)
        return
    released(cpu, offset(mutex), MUTEX)
    atomic_store(mutex, "owner", 0)
    open_gate(cpu, offset(mutex))
    if atomic_swap(mutex, "waiters", 0) != 0:
        wake_all(cpu, offset(mutex))


@kernel
def semaphore_down(cpu, semaphore):
    """Wait until the value is above zero, then take one off it."""
    if exploring(cpu):
        semaphore_pass(cpu, semaphore)
    else:
        point(cpu, offset(semaphore), EXCLUSIVE)
        semaphore_wait(cpu, semaphore)


@kernel
def semaphore_pass(cpu, semaphore):
    """Take one off the value where CPUs take turns: this one is not chosen before it is above zero."""
    cpu.reason = DOWN
    pass_gate(cpu, offset(semaphore) | EXCLUSIVE, offset(semaphore), semaphore.value <= 0)
    log_step(cpu, STEP_DOWN, offset(semaphore), SEMAPHORE, 0, 0)
    takes(cpu, offset(semaphore), EXCLUSIVE)
    semaphore.value -= 1
    if semaphore.value <= 0:
        shut_gate(cpu, offset(semaphore))


@kernel
def semaphore_wait(cpu, semaphore):
    """Take one off the value where CPUs run side by side."""
    since = 0
    while not semaphore_take(semaphore):
        since = wait_begins(cpu, offset(semaphore), SEMAPHORE, SHARED)
        queue_up(cpu, offset(semaphore), DOWN)
        atomic_swap(semaphore, "waiters", 1)
        if semaphore.value <= 0:
            block(cpu, FOREVER)
        else:
            cancel(cpu)
        wait_ends(cpu, SEMAPHORE, since)


@kernel
def semaphore_take(semaphore):
    """Take one off the value if it is above zero; return whether it was."""
    value = semaphore.value
    return value > 0 and atomic_cas(semaphore, "value", value, value - 1)


@kernel
def semaphore_up(cpu, semaphore):
    """Add one to the value and wake those who wait."""
    point(cpu, offset(semaphore), EXCLUSIVE)
    if exploring(cpu):
        log_step(cpu, STEP_UP, offset(semaphore), SEMAPHORE, 0, 0)
    gives(cpu, offset(semaphore), EXCLUSIVE)
    if atomic_add(semaphore, "value", 1) == 0:
        open_gate(cpu, offset(semaphore))
    if atomic_swap(semaphore, "waiters", 0) != 0:
        wake_all(cpu, offset(semaphore))


@kernel
def condition_wait(cpu, condition, mutex):
    """Release the mutex, sleep until signalled, acquire it again.

    Locks: entry  the mutex
           exit   the mutex; it was free in between
    """
    if exploring(cpu):
        condition_pass(cpu, condition, mutex)
    else:
        condition_sleep(cpu, condition, mutex)
    mutex_lock(cpu, mutex)


@kernel
def condition_pass(cpu, condition, mutex):
    """Release the mutex and fall asleep where CPUs take turns: one step, so no signal comes in between."""
    mutex_unlock(cpu, mutex)
    touched(cpu, offset(condition))
    queue_up(cpu, offset(condition), WAIT)
    since = wait_begins(cpu, offset(condition), CONDITION, SHARED)
    block(cpu, FOREVER)
    wait_ends(cpu, CONDITION, since)


@kernel
def condition_sleep(cpu, condition, mutex):
    """Release the mutex and sleep until signalled where CPUs run side by side."""
    seen = condition.signals
    queue_up(cpu, offset(condition), WAIT)
    mutex_unlock(cpu, mutex)
    since = wait_begins(cpu, offset(condition), CONDITION, SHARED)
    if condition.signals == seen:
        block(cpu, FOREVER)
    else:
        cancel(cpu)
    wait_ends(cpu, CONDITION, since)


@kernel
def condition_signal(cpu, condition):
    """Wake every CPU that waits; each looks at what it waits for again (a signal is a broadcast here)."""
    point(cpu, offset(condition), EXCLUSIVE)
    if exploring(cpu):
        log_step(cpu, STEP_SIGNAL, offset(condition), CONDITION, 0, 0)
    atomic_add(condition, "signals", 1)
    wake_all(cpu, offset(condition))
