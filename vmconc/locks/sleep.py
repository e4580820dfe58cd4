"""The only place where a CPU stops running: sleep queues, as BSD's tsleep and wakeup.

A waiter puts itself on the queue of a channel (`prepare`), looks at its condition once more, and then
either changes its mind (`cancel`) or stops (`halt`).  A waker changes the condition first and calls `wakeup` then.
Either the waiter sees the changed condition or the waker sees the waiter.
"""

from vmconc.locks.classes import CONDITION
from vmconc.locks.cpu import STATE_BLOCKED, STATE_RUNNING, STATE_STOPPED
from vmconc.memory.atomics import atomic_add, atomic_cas, atomic_store, atomic_swap, fence
from vmconc.memory.jit import kernel
from vmconc.memory.queries import logged
from vmconc.memory.refs import at, null
from vmconc.memory.segment import HEADER
from vmconc.memory.struct import guard
from vmconc.memory.system import cpu_pause, futex_wait, futex_wake, leave_process, nanoseconds, processor_yield
from vmconc.memory.table import table
from vmconc.memory.twins import struct
from vmconc.schedule.classes import touched
from vmconc.schedule.engine import finish, pass_point, sleep_turn, wake_turn
from vmconc.schedule.looking import yield_turn
from vmconc.schedule.records import VIOLATED, exploring
from vmconc.schedule.steps import STEP_SLEEP, STEP_WAKE, log_step

QUEUES = 64
SPINS = 100  # looks at the wake word before the futex; about two microseconds
PATIENCE = 200  # looks of a spin loop before the processor is given to somebody else: the holder may not be running
NAP = 50_000_000  # ns: a sleeper looks at the stop word this often
FOREVER = 1 << 62
MOMENT = 20_000  # ns


@struct
class SleepQueue:
    """The CPUs that sleep on the channels of one hash value."""

    spin: int = guard("atomic")
    head: "Cpu" = guard("spin")


@kernel
def queue_of(cpu, channel):
    """Return the sleep queue of a channel."""
    queues = table(cpu, "SleepQueue")
    number = (channel >> 3) * 0x9E3779B1 >> 12 & QUEUES - 1
    return at(cpu, "SleepQueue", queues.first + number * queues.stride)


@kernel
def queue_lock(queue):
    """Take a sleep queue's own spinlock: not one of the emulated locks, held for a few instructions."""
    looks = 0
    while not atomic_cas(queue, "spin", 0, 1):
        looks += 1
        cpu_pause()
        if looks % SPINS == 0:
            processor_yield()


@kernel
def queue_unlock(queue):
    """Release the sleep queue's spinlock."""
    atomic_store(queue, "spin", 0)


@kernel
def stopping(cpu):
    """Tell whether everybody shall stop."""
    return at(cpu, "Machine", HEADER).stop != 0


@kernel
def leave_if_stopping(cpu):
    """End this process, with all it holds, if everybody shall stop: the run's state stays to be looked at."""
    if stopping(cpu):
        cpu.state = STATE_STOPPED
        if exploring(cpu):
            finish(cpu, VIOLATED)
        atomic_add(at(cpu, "Machine", HEADER), "halted", 1)
        leave_process(0)


@kernel
def look_later(cpu, looks):
    """Pass the time between two looks of a loop that waits for another CPU without sleeping."""
    if exploring(cpu):
        yield_turn(cpu)
        return
    cpu_pause()
    if looks % PATIENCE == 0:
        leave_if_stopping(cpu)
        processor_yield()


@kernel
def linger(cpu):
    """Let others run for a moment: only where a bug is switched on, so that its window is wide."""
    if exploring(cpu):
        pass_point(cpu, 0)
        return
    end = nanoseconds() + MOMENT
    while nanoseconds() < end:
        processor_yield()


@kernel
def prepare(cpu, channel, reason):
    """Put this CPU on the queue of a channel: from now on a wakeup is not lost.

    Where CPUs take turns a schedule point comes first.
    """
    if exploring(cpu):
        pass_point(cpu, channel | 1)
    queue_up(cpu, channel, reason)


@kernel
def queue_up(cpu, channel, reason):
    """Put this CPU on the queue of a channel."""
    queue = queue_of(cpu, channel)
    cpu.reason = reason
    cpu.wake[0] = 0
    queue_lock(queue)
    cpu.channel = channel
    cpu.sleep_next = queue.head
    queue.head = cpu
    queue_unlock(queue)
    fence()


@kernel
def cancel(cpu):
    """Leave the queue.  Return False if a wakeup came first: then it is over, and cannot end a later sleep.

    Only after `prepare`.
    """
    channel = cpu.channel
    found = False
    if channel != 0:
        queue = queue_of(cpu, channel)
        queue_lock(queue)
        found = cpu.channel != 0
        if found:
            unlink(queue, cpu)
        queue_unlock(queue)
    while not found and cpu.wake[0] == 0:  # the waker has taken this CPU off the queue and is about to say so
        cpu_pause()
    return found


@kernel
def unlink(queue, cpu):
    """Take a CPU off a locked queue."""
    if queue.head == cpu:
        queue.head = cpu.sleep_next
    else:
        other = queue.head
        while other.sleep_next != cpu:
            other = other.sleep_next
        other.sleep_next = cpu.sleep_next
    cpu.sleep_next = null(cpu)
    cpu.channel = 0


@kernel
def halt(cpu, timeout):
    """Stop until woken or for `timeout` ns.  Return False on time-out, and then the CPU is off the queue.

    Locks: entry  no token owned (`block` sees to it)
           exit   same
    """
    cpu.state = STATE_BLOCKED
    if logged(cpu):
        log_step(cpu, STEP_SLEEP, cpu.channel, cpu.wait_class, cpu.wait_mode, cpu.reason)
    woken = take_turns(cpu, timeout) if exploring(cpu) else doze(cpu, timeout)
    cpu.state = STATE_RUNNING
    cpu.progress += 1
    if logged(cpu):
        log_step(cpu, STEP_WAKE, 0, cpu.wait_class, cpu.wait_mode, cpu.reason)
    return woken


@kernel
def take_turns(cpu, timeout):
    """Leave the turn to other CPUs until woken, or until the engine lets the time be over.

    What it slept on is looked at again without a step between; who waited for a condition needs its mutex first.
    """
    channel = cpu.channel
    woken = sleep_turn(cpu, timeout < FOREVER) or not cancel(cpu)
    if cpu.wait_class != CONDITION:
        touched(cpu, channel | 1 if channel != 0 else 0)
    return woken


@kernel
def doze(cpu, timeout):
    """Spin, then sleep in the kernel, until woken or for `timeout` ns."""
    cpu.wait_since = nanoseconds()
    deadline = cpu.wait_since + timeout if timeout < FOREVER else FOREVER
    spins = 0
    while cpu.wake[0] == 0:
        if spins < SPINS:
            spins += 1
            cpu_pause()
            continue
        leave_if_stopping(cpu)
        left = deadline - nanoseconds()
        if left <= 0:
            return not cancel(cpu)
        futex_wait(cpu.wake, 0, min(left, NAP))
    return True


@kernel
def wakeup(cpu, channel):
    """Wake every CPU that sleeps on a channel.  Where CPUs take turns a schedule point comes first.

    The caller has changed the condition before.
    """
    if exploring(cpu):
        pass_point(cpu, channel | 1)
    wake_all(cpu, channel)


@kernel
def wake_all(cpu, channel):
    """Wake every CPU that sleeps on a channel."""
    fence()
    queue = queue_of(cpu, channel)
    if not queue.head:
        return
    queue_lock(queue)
    woken = null(cpu)
    other = queue.head
    while other:
        following = other.sleep_next
        if other.channel == channel:
            unlink(queue, other)
            other.sleep_next = woken
            woken = other
        other = following
    queue_unlock(queue)
    while woken:  # a CPU off the queue uses its link again only once it is told
        following = woken.sleep_next
        atomic_swap(woken.wake, 0, 1)
        if exploring(cpu):
            wake_turn(cpu, woken.index)
        else:
            futex_wake(woken.wake)
        woken = following
