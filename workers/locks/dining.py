"""The dining philosophers: each takes the fork on the left, then the one on the right; all wait for each other.

For n philosophers n + 1 threads and 6 n steps.  One preemption is enough, but it takes n - 1 delays to have all of them
hold one fork; the PCT depth grows with n.
"""

from vmconc.concurrent import Mutex, join, kernel, mutex_lock, mutex_unlock, option, shared, start, thread

PHILOSOPHERS = option("philosophers", 3)  # 2 .. 5
FIXED = option("fixed", 0)  # the last one takes the right fork first


@shared
class Table:
    """The forks; fork i lies to the left of philosopher i."""

    fork_0: Mutex
    fork_1: Mutex
    fork_2: Mutex
    fork_3: Mutex
    fork_4: Mutex


@kernel
def fork(table, place):
    """Return a fork."""
    if place == 0:
        return table.fork_0
    if place == 1:
        return table.fork_1
    if place == 2:
        return table.fork_2
    return table.fork_3 if place == 3 else table.fork_4


@thread
def main(cpu, table):
    """Call them to the table and wait until they have eaten."""
    for index in range(1, PHILOSOPHERS + 1):
        start(cpu, index)
    for index in range(1, PHILOSOPHERS + 1):
        join(cpu, index)


@thread(PHILOSOPHERS, started=False)
def dine(cpu, table):
    """Take two forks, put them back."""
    left, right = cpu.index - 1, cpu.index % PHILOSOPHERS
    if FIXED and right == 0:
        left, right = right, left
    mutex_lock(cpu, fork(table, left))
    mutex_lock(cpu, fork(table, right))
    mutex_unlock(cpu, fork(table, right))
    mutex_unlock(cpu, fork(table, left))
