"""Depth-first search: every execution with a bounded number of preemptions, each once.

The next execution leaves the path of the last one at its last decision that could have been another one.
(Musuvathi, Qadeer: Iterative context bounding for systematic testing of multithreaded programs, PLDI 2007.)
"""

from vmconc.memory.jit import kernel
from vmconc.schedule.execution import run_one
from vmconc.schedule.path import NEVER, branch_of, length
from vmconc.schedule.records import engine_of


@kernel
def explore_all(near, count):
    """Run up to `count` of the executions that are left, as `explore` does, until none is left (`exhausted`)."""
    engine = engine_of(near)
    for number in range(count):
        stop = run_one(near, engine)
        step_back(engine)
        if stop or engine.exhausted != 0:
            return number + 1
    return count


@kernel
def step_back(engine):
    """Prescribe the path of the next execution: as the last one up to where there was another choice, and that one."""
    number = length(engine) - 1
    while number >= 0:
        branch = branch_of(engine, number)
        branch.done |= 1 << branch.cpu
        left = branch.ready & ~branch.done
        if left != 0 and affordable(engine, branch):
            branch.cpu = lowest(left)
            engine.followed = number + 1
            return
        number -= 1
    engine.exhausted = 1


@kernel
def affordable(engine, branch):
    """Tell whether a decision may be another one: if who ran before could have gone on, that is one more preemption."""
    return branch.stay == NEVER or engine.bound < 0 or branch.preemptions < engine.bound


@kernel
def lowest(bits):
    """Return the place of the lowest bit that is set; there is one."""
    place = 0
    while bits >> place & 1 == 0:
        place += 1
    return place
