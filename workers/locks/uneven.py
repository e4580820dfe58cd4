"""One step of a thread must come after all of another's 25: orders that flip a coin at each step never get there.

Three threads, 31 steps.  No preemption, one delay, PCT depth 1: the order of whole threads is all that matters.
(After the example of Zhao et al., Selectively uniform concurrency testing, ASPLOS 2025.)
"""

from vmconc.concurrent import atomic_add, check, join, option, shared, start, thread

STEPS = option("steps", 25)
FIXED = option("fixed", 0)  # who looks has ended before the other begins


@shared
class Counter:
    """A number that one thread counts up."""

    value: int


@thread
def main(cpu, counter):
    """Start both, wait for both."""
    start(cpu, 1)
    if FIXED:
        join(cpu, 1)
    start(cpu, 2)
    if not FIXED:
        join(cpu, 1)
    join(cpu, 2)
    check(cpu, counter.value == STEPS)


@thread(started=False)
def look(cpu, counter):
    """Check that the other has not come to its end."""
    check(cpu, counter.value != STEPS)


@thread(started=False)
def count(cpu, counter):
    """Count."""
    for _ in range(STEPS):
        atomic_add(counter, "value", 1)
