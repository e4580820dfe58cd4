"""Two threads take turns at a queue by two flags; the taker counts its looks, also those that find it is not its turn.

Three threads, up to 116 steps.  One preemption: the taker looks in vain, then the other thread puts an item.
(SCTBench, `queue_bad`.)
"""

from vmconc.concurrent import Mutex, Words, check, join, mutex_lock, mutex_unlock, option, shared, start, thread

SIZE = 8
FIXED = option("fixed", 0)  # only what is taken counts


@shared
class Queue:
    """Items 1, 2, ... in a row."""

    mutex: Mutex
    put: int  # items in all
    taken: int
    items: Words(SIZE)
    full: int  # it is the taker's turn


@thread
def main(cpu, queue):
    """Start both, wait for both."""
    for index in range(1, 3):
        start(cpu, index)
    for index in range(1, 3):
        join(cpu, index)


@thread(started=False)
def put(cpu, queue):
    """Put an item if it is the turn to."""
    for _ in range(SIZE):
        mutex_lock(cpu, queue.mutex)
        if queue.full == 0:
            number = queue.put
            queue.items[number] = number + 1
            queue.put = number + 1
            queue.full = 1
        mutex_unlock(cpu, queue.mutex)


@thread(started=False)
def take(cpu, queue):
    """Take an item if there is one, and check that it is the next."""
    for look in range(SIZE):
        mutex_lock(cpu, queue.mutex)
        if queue.full != 0:
            number = queue.taken
            queue.taken = number + 1
            queue.full = 0
            check(cpu, queue.items[number] == (number + 1 if FIXED else look + 1))
        mutex_unlock(cpu, queue.mutex)
