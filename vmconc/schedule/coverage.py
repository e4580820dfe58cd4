"""Coverage-guided: executions that showed something new are kept, changed at one place, and gone on with at random.

New is a pair of conflicting steps of two CPUs, one right after the other at what they touch, told apart by where in
their threads they stand; a step that is the first at what it touches; the order in which a CPU takes two locks; or an
event that a CPU counts.  What is random goes by random ranks (pos.py).

The processes of one search share what was seen and what is kept, without a lock: what two see at the same moment both
keep, and an execution that is read while another one is written in its place is one more to try.
(Wolff, Shi, Duck, Mathur, Roychoudhury: Greybox fuzzing for concurrency testing, ASPLOS 2024.)
"""

from vmconc.memory.jit import kernel
from vmconc.memory.refs import at
from vmconc.memory.table import table
from vmconc.schedule.chance import draw
from vmconc.schedule.execution import run_one
from vmconc.schedule.path import NEVER, branch_of, length
from vmconc.schedule.pos import conflict
from vmconc.schedule.records import engine_of

FEATURES = 1 << 16  # places of the table of what was seen
WORDS = 1 << 12  # places of the table of who touched what last
KEPT_MAX = 256  # executions
LENGTH_MAX = 1 << 11  # decisions that are kept of one
FRESH, CUT_OFF = 4, 2  # one of so many executions is random from its beginning; of the others, one is after the change
MIX = 0x9E3779B1
BITS = 31
OFTEN = 3  # so often or more is the same
EXECUTION, CPU, WHAT, PLACE = range(4)  # columns of the table of who touched what last
COLUMNS = 4
STEPS, GATE = 0, 1  # columns of the table of what each CPU has done
PAIR, ORDER, EVENT = range(1, 4)  # kinds of features


@kernel
def explore_guided(near, count, events, features, kept, lengths, total, last, made):
    """Run up to `count` executions, as `explore` does; `events`: how many a CPU counts.

    Room for what is remembered: `features` seen, the decisions that are `kept`, their `lengths` and in `total` of how
    many executions they were so far; and of the last execution who touched what `last`, and what each CPU has `made`.
    """
    engine = engine_of(near)
    for number in range(count):
        plan(engine, kept, lengths, total)
        stop = run_one(near, engine)
        if learn(engine, features, last, made) + count_up(near, engine, events, features) > 0:
            keep(engine, kept, lengths, total)
        if stop:
            return number + 1
    return count


@kernel
def plan(engine, kept, lengths, total):
    """Prescribe how the next execution begins: as one that was kept, but for one decision, and perhaps all after it."""
    engine.followed = 0
    if total[0] == 0 or draw(engine, FRESH) == 0:
        return
    place = draw(engine, min(total[0], KEPT_MAX))
    change = draw(engine, max(1, lengths[place]))
    engine.followed = change if draw(engine, CUT_OFF) == 0 else lengths[place]
    for number in range(engine.followed):
        branch_of(engine, number).cpu = kept[place, number] if number != change else NEVER


@kernel
def keep(engine, kept, lengths, total):
    """Keep the decisions of the last execution; when there is no room left, in place of the oldest."""
    place = total[0] % KEPT_MAX
    total[0] += 1
    lengths[place] = min(length(engine), LENGTH_MAX)
    for number in range(lengths[place]):
        kept[place, number] = branch_of(engine, number).cpu


@kernel
def learn(engine, features, last, made):
    """Note which pairs of steps and which orders of locks the last execution showed; return how many are new."""
    new = 0
    made[:] = 0
    for number in range(length(engine)):
        branch = branch_of(engine, number)
        own, before = made[branch.cpu], last[branch.what // 2 % WORDS]
        here = mixed(branch.cpu, own[STEPS])
        if before[EXECUTION] != engine.executions:
            new += note_feature(features, PAIR, branch.what, 0, here)
        elif before[CPU] != branch.cpu and conflict(before[WHAT], branch.what):
            new += note_feature(features, PAIR, branch.what, before[WHAT], mixed(before[PLACE], here))
        if branch.gate != 0:
            new += note_feature(features, ORDER, own[GATE], branch.gate, 0)
            own[GATE] = branch.gate
        before[EXECUTION] = engine.executions
        before[CPU] = branch.cpu
        before[WHAT] = branch.what
        before[PLACE] = here
        own[STEPS] += 1
    return new


@kernel
def count_up(near, engine, events, features):
    """Note which events the CPUs have counted, once, twice or more often; return how many of that are new."""
    new = 0
    cpus = table(near, "Cpu")
    for index in range(engine.fibers):
        cpu = at(near, "Cpu", cpus.first + index * cpus.stride)
        for number in range(events):
            if cpu.events[number] != 0:
                new += note_feature(features, EVENT, number, min(cpu.events[number], OFTEN), 0)
    return new


@kernel
def note_feature(features, kind, a, b, c):
    """Note a feature; return 1 if it is new."""
    place = mixed(mixed(mixed(kind, a), b), c) % FEATURES
    new = 1 - features[place]
    features[place] = 1
    return new


@kernel
def mixed(a, b):
    """Mix one more number into a hash of 31 bits."""
    product = ((a ^ b) & (1 << BITS) - 1) * MIX ^ b >> BITS
    return (product ^ product >> 15) & (1 << BITS) - 1
