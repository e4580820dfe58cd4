"""Appending a buffer asks for its length and then copies: in between it was erased, and is not filled again yet.

Two threads, 13 steps.  Two preemptions, PCT depth 3: away between the two looks, and back between erasing and filling.
(java.lang.StringBuffer.append of JDK 1.4; SCTBench, `stringbuffer-jdk1.4`.)
"""

from vmconc.concurrent import Mutex, check, mutex_lock, mutex_unlock, option, shared, start, thread

FIXED = option("fixed", 0)  # the lock is kept between the two looks
LENGTH = 3


@shared
class Buffer:
    """A string of which only the length matters."""

    mutex: Mutex
    length: int = LENGTH


@thread
def append(cpu, buffer):
    """Append the buffer to another one."""
    start(cpu, 1)
    mutex_lock(cpu, buffer.mutex)
    expected = buffer.length
    if not FIXED:
        mutex_unlock(cpu, buffer.mutex)
        mutex_lock(cpu, buffer.mutex)
    check(cpu, buffer.length >= expected)
    mutex_unlock(cpu, buffer.mutex)


@thread(started=False)
def erase_and_fill(cpu, buffer):
    """Make the buffer empty, then write as much to it as there was."""
    mutex_lock(cpu, buffer.mutex)
    buffer.length = 0
    mutex_unlock(cpu, buffer.mutex)
    mutex_lock(cpu, buffer.mutex)
    buffer.length = LENGTH
    mutex_unlock(cpu, buffer.mutex)
