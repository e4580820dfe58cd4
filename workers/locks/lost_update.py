"""Two threads read a number, then write it back increased: one of the two increases may be lost.

Three threads, 9 steps.  One preemption, between the read and the write.
"""

from vmconc.concurrent import atomic_add, check, join, option, shared, start, thread

FIXED = option("fixed", 0)  # read and write are one step


@shared
class Counter:
    """A number."""

    value: int


@thread
def main(cpu, counter):
    """Start both, wait for both, and see what they have come to."""
    for index in range(1, 3):
        start(cpu, index)
    for index in range(1, 3):
        join(cpu, index)
    check(cpu, counter.value == 2)


@thread(2, started=False)
def increase(cpu, counter):
    """Add one."""
    if FIXED:
        atomic_add(counter, "value", 1)
    else:
        counter.value += 1
