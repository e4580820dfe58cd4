"""Two words that belong together, each under a mutex of its own: who looks in between sees half a change.

With n setters n + 2 threads and 8 (n + 1) steps.  One preemption, between a setter's critical sections: PCT depth 2.
(SCTBench, `twostage_bad`.)
"""

from vmconc.concurrent import Mutex, check, join, mutex_lock, mutex_unlock, option, shared, start, thread

SETTERS = option("setters", 1)
FIXED = option("fixed", 0)  # the first mutex is kept while the second word is set


@shared
class Pair:
    """The second word is one more than the first, once it is set."""

    first_mutex: Mutex
    second_mutex: Mutex
    first: int
    second: int


@thread
def main(cpu, pair):
    """Start all others and wait for them."""
    for index in range(1, SETTERS + 2):
        start(cpu, index)
    for index in range(1, SETTERS + 2):
        join(cpu, index)


@thread(SETTERS, started=False)
def put(cpu, pair):
    """Set both words."""
    mutex_lock(cpu, pair.first_mutex)
    pair.first = 1
    if not FIXED:
        mutex_unlock(cpu, pair.first_mutex)
    mutex_lock(cpu, pair.second_mutex)
    pair.second = 2
    mutex_unlock(cpu, pair.second_mutex)
    if FIXED:
        mutex_unlock(cpu, pair.first_mutex)


@thread(started=False)
def look(cpu, pair):
    """Check that the words belong together if the first one is set."""
    mutex_lock(cpu, pair.first_mutex)
    first = pair.first
    mutex_unlock(cpu, pair.first_mutex)
    mutex_lock(cpu, pair.second_mutex)
    check(cpu, first == 0 or pair.second == first + 1)
    mutex_unlock(cpu, pair.second_mutex)
