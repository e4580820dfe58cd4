"""A thread that believes the two others cannot both have been there before it.

Four threads, 15 steps.  No preemption and no delay is needed: the plain order of the threads fails.
(SCTBench, `lazy01_bad`.)
"""

from vmconc.concurrent import Mutex, atomic_add, check, join, mutex_lock, mutex_unlock, option, shared, start, thread

MOST = 3 + option("fixed", 0)  # what the last thread takes to be out of reach


@shared
class Data:
    """A number, and the mutex that guards it."""

    mutex: Mutex
    value: int


@thread
def main(cpu, data):
    """Start the three others and wait for them."""
    for index in range(1, 4):
        start(cpu, index)
    for index in range(1, 4):
        join(cpu, index)


@thread(2, started=False)
def add(cpu, data):
    """Add one, or two."""
    mutex_lock(cpu, data.mutex)
    atomic_add(data, "value", cpu.index)
    mutex_unlock(cpu, data.mutex)


@thread(started=False)
def look(cpu, data):
    """Check that not both have been there."""
    mutex_lock(cpu, data.mutex)
    check(cpu, data.value < MOST)
    mutex_unlock(cpu, data.mutex)
