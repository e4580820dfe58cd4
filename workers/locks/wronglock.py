"""A word that some threads guard with one mutex and the others with another: no guard at all.

One thread checks its own increase, the others increase under the wrong mutex.  One preemption in a critical section.
(SCTBench, `wronglock_bad`.)
"""

from vmconc.concurrent import Mutex, check, join, kernel, mutex_lock, mutex_unlock, option, shared, start, thread

OTHERS = option("others", 3)
FIXED = option("fixed", 0)  # everybody takes the same mutex


@shared
class Data:
    """A number and two mutexes."""

    right: Mutex
    wrong: Mutex
    value: int


@kernel
def guard_of_others(data):
    """Return the mutex that the other threads take."""
    return data.right if FIXED else data.wrong


@thread
def main(cpu, data):
    """Start all others and wait for them."""
    for index in range(1, OTHERS + 2):
        start(cpu, index)
    for index in range(1, OTHERS + 2):
        join(cpu, index)


@thread(started=False)
def increase_and_check(cpu, data):
    """Add one and see that it is one more."""
    mutex_lock(cpu, data.right)
    before = data.value
    data.value = before + 1
    check(cpu, data.value == before + 1)
    mutex_unlock(cpu, data.right)


@thread(OTHERS, started=False)
def increase(cpu, data):
    """Add one."""
    mutex_lock(cpu, guard_of_others(data))
    data.value += 1
    mutex_unlock(cpu, guard_of_others(data))
