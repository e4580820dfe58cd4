"""A driver is asked to stop between a request's look at the stopping flag and its being counted: it works when stopped.

Two threads, 12 steps.  One preemption at exactly one place, PCT depth 2: found by one execution of 24.
(Qadeer, Wu: KISS: keep it simple and sequential, PLDI 2004.)
"""

from vmconc.concurrent import (
    Semaphore,
    atomic,
    atomic_add,
    check,
    join,
    kernel,
    option,
    semaphore_down,
    semaphore_up,
    shared,
    start,
    thread,
)

FIXED = option("fixed", 0)  # a request is counted before it looks at the flag


@shared
class Driver:
    """What the driver has to know to stop only when nobody works."""

    idle: Semaphore  # up when the last who worked leaves
    working: int = 1  # requests under way, and one for the driver itself
    stopping: int = atomic()
    stopped: int
    left: int  # those that were not the last


@kernel
def leave(cpu, driver):
    """Work no longer; the last one says so, others count themselves."""
    if atomic_add(driver, "working", -1) == 1:
        semaphore_up(cpu, driver.idle)
    else:
        atomic_add(driver, "left", 1)


@kernel
def enter(driver):
    """Count a request in unless the driver is about to stop; return whether it is in."""
    if FIXED:
        atomic_add(driver, "working", 1)
        return driver.stopping == 0
    if driver.stopping != 0:
        return False
    atomic_add(driver, "working", 1)
    return True


@thread
def request(cpu, driver):
    """Do a request while the other thread stops the driver."""
    start(cpu, 1)
    entered = enter(driver)
    if entered:
        check(cpu, driver.stopped == 0)
    if entered or FIXED:
        leave(cpu, driver)
    join(cpu, 1)


@thread(started=False)
def stop(cpu, driver):
    """Stop the driver once nobody works."""
    driver.stopping = 1
    leave(cpu, driver)
    semaphore_down(cpu, driver.idle)
    driver.stopped = 1
