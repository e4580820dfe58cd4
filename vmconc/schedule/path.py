"""The path of a search that goes through all executions: every decision of one, and what it could have been.

What the engine does of `dfs` and `dpor`: it follows the path as far as it is prescribed, then goes on with the CPU
that runs, or with the one that has waited longest, and notes all that the search has to know.  Where the next execution
leaves the path is found out between two executions (dfs.py, dpor.py).

Executions are fair: a CPU that has looked in vain twice since another one that can go on last went on lets it go first.
So a loop that waits for others is run through as often as they make steps, and no more.
(Musuvathi, Qadeer: Fair stateless model checking, PLDI 2008.)
"""

from vmconc.memory.gated import controlled_only
from vmconc.memory.jit import kernel
from vmconc.memory.refs import at
from vmconc.memory.table import table
from vmconc.schedule.pos import choose_partial, conflict
from vmconc.schedule.records import CUT, GATE_BITS, READY, engine_of, exploring, fiber_of, is_ready

CPUS_MAX = 62  # one bit each in a word
NEVER = -1
BOTH = 0b11  # outcomes of chance


@kernel
def branch_of(engine, number):
    """Return a decision of the path, forced ones counted."""
    branches = table(engine, "Branch")
    return at(engine, "Branch", branches.first + number * branches.stride)


@kernel
def begin_path(engine):
    """Forget when each CPU went on and looked in vain."""
    engine.passed = 0
    engine.wrote = NEVER
    for index in range(engine.fibers):
        fiber = fiber_of(engine, index)
        fiber.ran = 0
        fiber.looked = fiber.looked_before = NEVER


@kernel
def restart_path(engine):
    """Begin the search anew."""
    engine.followed = engine.asleep = engine.exhausted = engine.unnoted = engine.cut = 0


@kernel
def choose_along(engine, index, reduced):
    """Choose what the path prescribes, else who has not been tried from here; nobody (the engine) if all have been."""
    number = engine.passed
    if reduced and number > 0:
        heed(engine, number - 1)
    stay = index if number > 0 and is_ready(engine, index) and fiber_of(engine, index).state == READY else NEVER
    ready = candidates(engine, stay, reduced)
    chosen = longest_waiting(engine, ready & ~engine.asleep, stay) if number >= engine.followed else NEVER
    if number >= engine.followed and chosen == NEVER:
        engine.ended = CUT
        return engine.fibers
    return note_branch(engine, number, chosen, ready, stay)


@kernel
def heed(engine, number):
    """Wake who sleeps before a step that conflicts with the last one made, and note whether that one wrote."""
    if number >= table(engine, "Branch").capacity:
        return
    last = branch_of(engine, number)
    if last.what & 1 != 0 or last.what == 0:
        engine.wrote = number
    if engine.asleep != 0 and number + 1 >= engine.followed:
        for index in range(engine.fibers):
            fiber = fiber_of(engine, index)
            if engine.asleep >> index & 1 != 0 and depend(fiber.slept_what, fiber.slept_also, last.what, last.also):
                engine.asleep &= ~(1 << index)


@kernel
def depend(what, also, other_what, other_also):
    """Tell whether two steps do not commute; each touches up to two words, 0 as the first: it is not known which."""
    if what == 0 or other_what == 0 or conflict(what, other_what):
        return True
    if other_also != 0 and (conflict(what, other_also) or (also != 0 and conflict(also, other_also))):
        return True
    return also != 0 and conflict(also, other_what)


@kernel
def candidates(engine, stay, reduced):
    """Return a bit for each CPU that may go on: those that are ready, if that is fair.  `stay` always may."""
    oldest = engine.passed
    for i in range(engine.ready_count):
        oldest = min(oldest, fiber_of(engine, engine.ready[i]).ran)
    fair = hopeful = 0
    for i in range(engine.ready_count):
        index = engine.ready[i]
        fiber = fiber_of(engine, index)
        if index == stay or fiber.looked_before < oldest:
            fair |= 1 << index
            if index == stay or fiber.looked <= engine.wrote:
                hopeful |= 1 << index
    return hopeful if reduced and hopeful != 0 else fair


@kernel
def longest_waiting(engine, among, stay):
    """Return `stay` if it is among these, else who has waited longest, one that needs a time-out last; -1: nobody."""
    if stay != NEVER and among >> stay & 1 != 0:
        return stay
    best = NEVER
    for i in range(engine.ready_count):
        index = engine.ready[i]
        if among >> index & 1 != 0 and (best == NEVER or before(engine, index, best)):
            best = index
    return best


@kernel
def before(engine, index, other):
    """Tell whether a CPU is to go on before another: by what they need, how long they have waited, their numbers."""
    a, b = fiber_of(engine, index), fiber_of(engine, other)
    if (a.state == READY) != (b.state == READY):
        return a.state == READY
    return a.ran < b.ran or (a.ran == b.ran and index < other)


@kernel
def note_branch(engine, number, chosen, ready, stay):
    """Note a decision, and all that it could have been; return who goes on."""
    engine.passed = number + 1
    if number >= table(engine, "Branch").capacity:
        engine.unnoted = 1
    else:
        branch = branch_of(engine, number)
        if number >= engine.followed:
            begin_branch(engine, branch, chosen, ready, stay)
        chosen = branch.cpu
        fiber = fiber_of(engine, chosen)
        branch.what = fiber.what
        branch.gate = fiber.gate
        branch.also = branch.opens = 0
    fiber_of(engine, chosen).ran = number + 1
    return chosen


@kernel
def choose_guided(engine):
    """Follow the path where that is possible, else go by random ranks, and note what is done."""
    number = engine.passed
    engine.passed = number + 1
    noted = number < table(engine, "Branch").capacity
    chosen = branch_of(engine, number).cpu if noted and number < engine.followed else NEVER
    if chosen == NEVER or not is_ready(engine, chosen):
        chosen = choose_partial(engine)
    if noted:
        branch, fiber = branch_of(engine, number), fiber_of(engine, chosen)
        branch.cpu = chosen
        branch.what = fiber.what
        branch.gate = fiber.gate
    return chosen


@controlled_only
def opened(cpu, place, gates):
    """Note that the step that is being made has opened gates of what stands at an offset, a bit for each.

    Of several things it is the first; the end of its thread is known without.
    """
    if exploring(cpu):
        engine = engine_of(cpu)
        if 0 < engine.passed <= table(engine, "Branch").capacity:
            branch = branch_of(engine, engine.passed - 1)
            if branch.opens == 0 or branch.opens & ~GATE_BITS == place:
                branch.opens |= place | gates


@kernel
def opens_for(branch, gate):
    """Tell whether a step has opened a gate."""
    return branch.opens & ~GATE_BITS == gate & ~GATE_BITS and branch.opens >> (gate & GATE_BITS) & 1 != 0


@kernel
def also_touches(engine, what):
    """Note that the step that is being made touches a word that it did not name."""
    if 0 < engine.passed <= table(engine, "Branch").capacity:
        branch = branch_of(engine, engine.passed - 1)
        if branch.what == 0:
            branch.what = what
        else:
            branch.also = what


@kernel
def choose_outcome(engine):
    """Return the outcome of chance that the path prescribes: each is tried, first that nothing happens."""
    number = engine.passed
    engine.passed = number + 1
    if number >= table(engine, "Branch").capacity:
        engine.unnoted = 1
        return 0
    branch = branch_of(engine, number)
    if number >= engine.followed:
        begin_branch(engine, branch, 0, BOTH, NEVER)
    return branch.cpu


@kernel
def begin_branch(engine, branch, chosen, ready, stay):
    """Note a decision that the path did not prescribe."""
    branch.cpu = chosen
    branch.ready = ready
    branch.stay = stay
    branch.asleep = engine.asleep
    branch.preemptions = engine.preemptions
    branch.done = branch.todo = 0



@kernel
def length(engine):
    """Return how many decisions of the last execution are noted."""
    return min(engine.passed, table(engine, "Branch").capacity)
