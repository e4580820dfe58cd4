"""Dynamic partial-order reduction: of executions that differ only in the order of steps that commute, one.

Between two executions the last one is looked through for races: two steps that do not commute, and are neither ordered
by what lies between them nor the second made possible by the first.  Later executions leave the path before the first
one, with a step of a source set, so that the second comes first.  A step with which all executions were run sleeps
until something conflicts with it; an execution in which all who can go on sleep is cut short: it would repeat one.
(Abdulla, Aronis, Jonsson, Sagonas: Optimal dynamic partial order reduction, POPL 2014, algorithm 1; Flanagan,
Godefroid: Dynamic partial-order reduction for model checking software, POPL 2005.)

A clock is a row of words: for each CPU the number, from 1, of its last decision that came before.
"""

from vmconc.memory.jit import kernel
from vmconc.memory.refs import offset
from vmconc.schedule.dfs import lowest
from vmconc.schedule.execution import run_one
from vmconc.schedule.path import NEVER, branch_of, depend, length, opens_for
from vmconc.schedule.records import engine_of, fiber_of

WHAT, ALSO = 0, 1
FOOTPRINT = 2  # words that say what a step touches


@kernel
def explore_reduced(near, count, clocks, slept, reach):
    """Run up to `count` of the executions that are left, as `explore` does, until none is left (`exhausted`).

    Room for the search: `clocks` for the clock after each decision, `slept` for what the steps touch with which all
    executions were run, by decision and CPU, `reach` for one clock.
    """
    engine = engine_of(near)
    for number in range(count):
        stop = run_one(near, engine)
        find_races(engine, clocks, reach)
        step_aside(engine, slept)
        if stop or engine.exhausted != 0:
            return number + 1
    return count


@kernel
def find_races(engine, clocks, reach):
    """Look at each decision that was not in the execution before: what its step races with is to be tried later."""
    for number in range(max(0, engine.followed - 1), length(engine)):
        if branch_of(engine, number).cpu != engine.finale - 1:  # what comes last cannot come earlier
            begin_clock(engine, number, clocks, reach)
            look_back(engine, number, clocks, reach)


@kernel
def begin_clock(engine, number, clocks, reach):
    """Begin the clocks of a step with that of its CPU's step before, or of the start of its thread."""
    cpu = branch_of(engine, number).cpu
    before = number - 1
    while before >= 0 and branch_of(engine, before).cpu != cpu:
        before -= 1
    if before < 0:
        before = start_of(engine, cpu, number)
    for other in range(engine.fibers):
        clocks[number, other] = clocks[before, other] if before >= 0 else 0
        reach[other] = clocks[number, other]
    clocks[number, cpu] = reach[cpu] = number + 1


@kernel
def start_of(engine, cpu, number):
    """Return the decision before `number` by which a thread was started, -1 if it ran from the beginning."""
    started = offset(fiber_of(engine, cpu)) | 1
    before = 0
    while before < number and branch_of(engine, before).what != started:
        before += 1
    return before if before < number else NEVER


@kernel
def look_back(engine, number, clocks, reach):
    """Find what a step comes after, the latest first, and which of it it races with.

    What has made the step possible cannot come after it; so what lies before that may race with the step too, and
    `reach` knows only what comes before it in every order.
    """
    step = branch_of(engine, number)
    since = number  # its CPU stands before the step from then on
    while since > 0 and branch_of(engine, since - 1).cpu != step.cpu:
        since -= 1
    for earlier in range(number - 1, -1, -1):
        other = branch_of(engine, earlier)
        if reach[other.cpu] > earlier or not comes_before(engine, other, step):
            continue
        join_clock(engine, earlier, clocks, clocks[number])
        if not made_possible(engine, other, step, earlier >= since):
            reverse(engine, earlier, number, clocks, reach)
            join_clock(engine, earlier, clocks, reach)


@kernel
def comes_before(engine, other, step):
    """Tell whether the order of two steps matters: they do not commute, or one ends the thread the other waits for."""
    joined = step.gate != 0 and step.gate == offset(fiber_of(engine, other.cpu))
    return joined or depend(other.what, other.also, step.what, step.also)


@kernel
def made_possible(engine, other, step, stood):
    """Tell whether a step was not possible before `other`; `stood`: its CPU stood before it all the while."""
    if stood and other.ready >> step.cpu & 1 == 0:
        return True
    return step.gate != 0 and (opens_for(other, step.gate) or step.gate == offset(fiber_of(engine, other.cpu)))


@kernel
def join_clock(engine, number, clocks, clock):
    """Add what came before a step, and the step, to a clock."""
    for cpu in range(engine.fibers):
        clock[cpu] = max(clock[cpu], clocks[number, cpu])


@kernel
def reverse(engine, earlier, number, clocks, reach):
    """Have the later step of a race come first in an execution, unless one that is planned has an order alike."""
    branch = branch_of(engine, earlier)
    first = initials(engine, earlier, number, clocks, reach)
    if first & (branch.todo | branch.done | branch.asleep | 1 << branch.cpu) != 0:
        return
    possible = first & branch.ready
    cpu = branch_of(engine, number).cpu
    if possible == 0:
        branch.todo |= branch.ready
    elif possible >> cpu & 1 != 0:
        branch.todo |= 1 << cpu
    else:
        branch.todo |= 1 << lowest(possible)


@kernel
def initials(engine, earlier, number, clocks, reach):
    """Return a bit for each CPU whose step can come first of those between two that race and do not need the earlier.

    The later one counts among them; `reach` is its clock.
    """
    against = branch_of(engine, earlier).cpu
    seen = first = 0
    for i in range(earlier + 1, number + 1):
        cpu = branch_of(engine, i).cpu
        if seen >> cpu & 1 != 0 or (i < number and clocks[i, against] > earlier):
            continue
        clock = reach if i == number else clocks[i]
        if needs_nobody(engine, clock, cpu, earlier, seen):
            first |= 1 << cpu
        seen |= 1 << cpu
    return first


@kernel
def needs_nobody(engine, clock, cpu, earlier, seen):
    """Tell whether none of the CPUs `seen` has made a step after `earlier` that comes before this clock."""
    for other in range(engine.fibers):
        if other != cpu and seen >> other & 1 != 0 and clock[other] > earlier + 1:
            return False
    return True


@kernel
def step_aside(engine, slept):
    """Prescribe the next execution: the last decision at which somebody is left to be tried, and who."""
    number = length(engine) - 1
    while number >= 0:
        branch = branch_of(engine, number)
        branch.done |= 1 << branch.cpu
        slept[number, branch.cpu, WHAT] = branch.what
        slept[number, branch.cpu, ALSO] = branch.also
        left = branch.todo & ~branch.done & ~branch.asleep
        if left != 0:
            branch.cpu = lowest(left)
            engine.followed = number + 1
            put_to_sleep(engine, number, slept)
            return
        number -= 1
    engine.exhausted = 1


@kernel
def put_to_sleep(engine, number, slept):
    """Begin with the sleep set of a decision, and those with which all executions were run from there."""
    branch = branch_of(engine, number)
    engine.asleep = branch.asleep | branch.done
    for cpu in range(engine.fibers):
        if engine.asleep >> cpu & 1 != 0:
            since = number
            while branch_of(engine, since).done >> cpu & 1 == 0:
                since -= 1
            fiber_of(engine, cpu).slept_what = slept[since, cpu, WHAT]
            fiber_of(engine, cpu).slept_also = slept[since, cpu, ALSO]
