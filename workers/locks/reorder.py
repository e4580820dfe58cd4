"""Setters write two words without a lock; who looks at both must see none or both.

With n setters n + 2 threads and about 4 n + 6 steps.  One preemption between a setter's two writes is enough, but every
other setter has to be late too: it takes n delays.  (SCTBench, `reorder_bad`.)
"""

from vmconc.concurrent import Mutex, check, join, mutex_lock, mutex_unlock, option, shared, start, thread

SETTERS = option("setters", 2)
FIXED = option("fixed", 0)  # both words are written and read under a mutex


@shared
class Pair:
    """Two words that change together: 0 and 0, or 1 and -1."""

    mutex: Mutex
    a: int
    b: int


@thread
def main(cpu, pair):
    """Start all others and wait for them."""
    for index in range(1, SETTERS + 2):
        start(cpu, index)
    for index in range(1, SETTERS + 2):
        join(cpu, index)


@thread(SETTERS, started=False)
def put(cpu, pair):
    """Write both words."""
    if FIXED:
        mutex_lock(cpu, pair.mutex)
    pair.a = 1
    pair.b = -1
    if FIXED:
        mutex_unlock(cpu, pair.mutex)


@thread(started=False)
def look(cpu, pair):
    """Check both words, reading each as often as the condition asks for it."""
    if FIXED:
        mutex_lock(cpu, pair.mutex)
    check(cpu, (pair.a == 0 and pair.b == 0) or (pair.a == 1 and pair.b == -1))
    if FIXED:
        mutex_unlock(cpu, pair.mutex)
