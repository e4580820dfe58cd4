"""Kernels over sleep and wakeup only: ping-pong, storms of cancels and time-outs, and broken twins."""

from vmconc.locks.block import block
from vmconc.locks.cpu import STATE_BLOCKED
from vmconc.locks.sites import site
from vmconc.locks.sleep import (
    FOREVER,
    PATIENCE,
    cancel,
    halt,
    look_later,
    prepare,
    queue_lock,
    queue_of,
    queue_unlock,
    unlink,
    wakeup,
)
from vmconc.memory.atomics import atomic_add, atomic_swap
from vmconc.memory.jit import kernel
from vmconc.memory.refs import offset
from vmconc.memory.system import cpu_pause, futex_wake, nanoseconds

HERE = site("test.sleep")


@kernel
def ping_pong(cpu, p, me, rounds):
    """Pass the turn `rounds` times; every turn is a sleep and a wake-up.  Return how often this CPU had to sleep."""
    slept = 0
    for _ in range(rounds):
        while p.box[0] != me:
            prepare(cpu, offset(p), HERE)
            if p.box[0] != me:
                halt(cpu, FOREVER)
                slept += 1
            else:
                cancel(cpu)
        p.box[0] = 1 - me
        wakeup(cpu, offset(p))
    return slept


@kernel
def storm_sleeper(cpu, p, rounds, timeout):
    """Prepare and cancel or halt, again and again, on three channels.  Return how often it was still queued after."""
    stale = 0
    for i in range(rounds):
        prepare(cpu, offset(p) + 8 * (i % 3), HERE)
        if i % 2 == 0:
            cancel(cpu)
        else:
            halt(cpu, timeout)
        if cpu.channel != 0:
            stale += 1
            cancel(cpu)
    atomic_add(p, "gate", 1)
    return stale


@kernel
def storm_waker(cpu, p, sleepers):
    """Wake the storm's channels until all its sleepers are through.  Return how often."""
    n = 0
    while p.gate < sleepers:
        wakeup(cpu, offset(p) + 8 * (n % 3))
        n += 1
        look_later(cpu, PATIENCE)
    return n


@kernel
def wait_box(cpu, p, place, value):
    """Wait until a word of the box has a value."""
    while p.box[place] != value:
        look_later(cpu, PATIENCE)


@kernel
def changing_mind(cpu, p):
    """Cancel a sleep while a waker is half through with it, sleep elsewhere; return whether that was cut short."""
    prepare(cpu, offset(p), HERE)
    p.box[0] = 1
    wait_box(cpu, p, 0, 2)
    cancel(cpu)
    prepare(cpu, offset(p) + 64, HERE)  # nobody wakes this channel
    p.box[0] = 3
    wait_box(cpu, p, 1, 1)
    woken = halt(cpu, 1_000_000)
    left_queued = cpu.channel != 0
    if left_queued:
        cancel(cpu)
    return int(woken) + 2 * int(left_queued)


@kernel
def stalled_waker(cpu, p, sleeper):
    """Do what `wakeup` does, but be preempted (20 ms at most) between taking a sleeper off the queue and waking it."""
    wait_box(cpu, p, 0, 1)
    queue = queue_of(cpu, offset(p))
    queue_lock(queue)
    unlink(queue, sleeper)
    p.box[0] = 2
    until = nanoseconds() + 20_000_000
    while p.box[0] != 3 and nanoseconds() < until:
        cpu_pause()
    atomic_swap(sleeper.wake, 0, 1)
    futex_wake(sleeper.wake)
    queue_unlock(queue)
    p.box[1] = 1
    return 0


@kernel
def consumer(cpu, p, broken, timeout):
    """Wait for `box[0]` to become 1 while a producer is in between.  Return whether the wake-up came in time.

    `broken` looks at the condition before it is on the queue and not again: the classic lost wake-up.
    """
    if broken != 0:
        ready = p.box[0] != 0
        p.box[1] = 1
        wait_box(cpu, p, 2, 1)
        prepare(cpu, offset(p), HERE)
    else:
        p.box[1] = 1
        wait_box(cpu, p, 2, 1)
        prepare(cpu, offset(p), HERE)
        ready = p.box[0] != 0
    if ready:
        cancel(cpu)
        return 1
    return int(halt(cpu, timeout))


@kernel
def producer(cpu, p, broken):
    """Make the condition true and wake; `broken` wakes first."""
    wait_box(cpu, p, 1, 1)
    if broken == 0:
        p.box[0] = 1
        wakeup(cpu, offset(p))
    p.box[2] = 1
    return 0


@kernel
def early_waker(cpu, p, sleeper, broken):
    """Wake a sleeper that checks its condition again; `broken` changes the condition only after the wake-up.

    Return whether the sleeper was there: its time may be up before this CPU gets to run.
    """
    p.box[2] = 1
    while p.box[1] == 0 and (sleeper.channel == 0 or sleeper.state != STATE_BLOCKED):
        look_later(cpu, PATIENCE)
    if broken == 0:
        p.box[0] = 1
        wakeup(cpu, offset(p))
    else:
        wakeup(cpu, offset(p))
        while p.box[1] == 0 and sleeper.channel == 0:  # it has looked, seen nothing, and sleeps again
            look_later(cpu, PATIENCE)
        p.box[0] = 1
    return int(p.box[1] == 0)


@kernel
def careful_sleeper(cpu, p, timeout):
    """Sleep until the condition holds, once the waker is there; return False if it did not wake within `timeout`."""
    wait_box(cpu, p, 2, 1)
    while True:
        prepare(cpu, offset(p), HERE)
        if p.box[0] != 0:
            cancel(cpu)
            return True
        if not halt(cpu, timeout):
            p.box[1] = 1
            return False


@kernel
def sleep_once(cpu, channel, timeout):
    """Sleep on a channel; return whether woken."""
    prepare(cpu, channel, HERE)
    return int(block(cpu, timeout))


@kernel
def cancel_once(cpu, channel):
    """Get on a queue and off it."""
    prepare(cpu, channel, HERE)
    return int(cancel(cpu))


@kernel
def enqueue(cpu, channel):
    """Get on the queue of a channel."""
    prepare(cpu, channel, HERE)


@kernel
def wake(cpu, channel):
    """Wake a channel."""
    wakeup(cpu, channel)
