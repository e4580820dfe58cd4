"""The records of the controlled engine.  They are kept when a machine is brought back to its beginning.

Only the CPU that runs reaches them, so they are `private`: the compiler may keep in registers what it has loaded.
"""

from functools import partial

from vmconc.memory.gated import controlled_only
from vmconc.memory.jit import kernel
from vmconc.memory.stacks import Stack  # noqa: F401  declares what Fiber embeds
from vmconc.memory.struct import Embed, Words, guard
from vmconc.memory.table import record, table
from vmconc.memory.twins import struct

FIBERS_MAX = 256
CHANGES_MAX = 16
READY, ASLEEP, TIMED, DONE, BARRED, LATER = range(6)  # BARRED: its gate is shut; LATER: not started yet
WORDS_MAX = 256
GATE_BITS = 7  # of Fiber.gate: which gate of what stands at the offset
KEPT = (
    "Scheduler", "Fiber", "Turn", "Given", "Seen", "Touched", "Chosen", "Branch", "TouchedWord", "Class", "Clock",
    "Access",
)  # fmt: skip
BRANCHES = 1 << 14  # decisions of an execution that a search through all of them can vary
ANY = -1  # a decision that a replay leaves to the strategy

# Why an execution ended.
GOING, FINISHED, DEADLOCK, LIVELOCK, TOO_LONG, VIOLATED, CUT = range(7)  # CUT: the rest is known (dpor.py)
ENDINGS = {
    GOING: "not ended", FINISHED: "finished", DEADLOCK: "deadlock", LIVELOCK: "livelock", TOO_LONG: "step limit",
    VIOLATED: "violation", CUT: "cut short",
}  # fmt: skip


@struct(private=True)
class Fiber:
    """One CPU as the engine sees it.  The last record of the table is the engine's own stack."""

    stack: Embed("Stack") = guard("cpu")
    state: int = guard("cpu")
    place: int = guard("cpu")  # in Scheduler.ready, while it is there
    daemon: int = guard("const")  # serves others: the execution ends without waiting for it
    what: int = guard("cpu")  # byte offset of what it is about to touch, 0: not known
    later: int = guard("const")  # another CPU starts it
    gate: int = guard("cpu")  # byte offset of what its next step may have to wait for, 0: nothing (gates.py)
    shut: int = guard("cpu")  # the gate is shut
    stuck: int = guard("cpu")  # it can never go on again (deadlock.py); what that says holds if Scheduler.cycle is set
    rank: int = guard("cpu")  # the strategy's: the highest goes first
    steps: int = guard("cpu")  # schedule points it has passed in this execution
    most: int = guard("cpu")  # steps it made in the longest of the executions before
    starter: int = guard("cpu")  # index + 1 of the CPU that has started it, 0: none
    own: int = guard("cpu")  # the strategy's: steps that count which it is expected to make in this execution
    left: int = guard("cpu")  # the strategy's: of these, and of those of CPUs that it will start, not made yet
    history: int = guard("cpu")  # hash of what it has touched in this execution, and in which version (classes.py)
    ran: int = guard("cpu")  # path: number of the decision, from 1, by which it went on last
    looked: int = guard("cpu")  # path: decisions before it looked in vain last, -1: never
    looked_before: int = guard("cpu")  # path: the same of the time before that
    slept_what: int = guard("cpu")  # path: if it is in the sleep set, what its next step touches
    slept_also: int = guard("cpu")
    home: Embed("Stack") = guard("cpu")  # in a process of its own: what it leaves when the body begins
    baton: Words(1) = guard("atomic")  # in a process of its own: 1 when it is its turn
    fresh: int = guard("cpu")  # in a process of its own: the body is to begin anew


@struct(private=True)
class Scheduler:
    """The state of an execution, and what is kept between executions."""

    strategy: int = guard("init")
    random: int = guard("cpu")
    limit: int = guard("init")  # steps after which an execution is given up
    io_errors: int = guard("init")  # of 1,000 disk requests fail
    depth: int = guard("init")  # PCT: the depth of the bugs looked for
    fibers: int = guard("const")  # CPUs, daemons included
    workers: int = guard("const")  # CPUs that are no daemons
    given: int = guard("init")  # decisions that a replay prescribes
    guarded: int = guard("const")  # byte offset of the record whose words the Guard table speaks of
    finale: int = guard("const")  # index + 1 of the CPU that runs when all workers have finished, 0: none
    processes: int = guard("init")  # the CPUs are processes, 0: stacks of one
    current: int = guard("cpu")  # index of the CPU that runs
    parking: int = guard("cpu")  # the CPUs are being brought to their first point
    working: int = guard("cpu")  # workers that have not finished
    steps: int = guard("cpu")  # of this execution: who is chosen passes a point, goes on after a sleep, or looks again
    turns: int = guard("cpu")  # decisions between several CPUs
    preemptions: int = guard("cpu")  # decisions against a CPU that could have gone on
    diverged: int = guard("cpu")  # decision + 1 at which the CPU prescribed could not go on, 0: none
    observed: int = guard("init")  # whether each step is noted, and follows an order (order.py)
    noted: int = guard("cpu")  # steps that were noted
    taken: int = guard("cpu")  # places of the order, from the first on, that nobody stands before any more
    place: int = guard("cpu")  # in the order of the step chosen last, -1: in none
    lucks: int = guard("init")  # what comes of chance in an order: so many values behind it
    lucky: int = guard("cpu")  # of these, how many were used
    vain: int = guard("cpu")  # times that the CPU that runs has looked in vain since it was another's turn
    ended: int = guard("cpu")
    cycle: int = guard("cpu")  # it ended because CPUs wait for one another, whatever the others do
    executions: int = guard("cpu")
    points: int = guard("cpu")  # steps of all executions
    longest: int = guard("cpu")  # steps of the longest execution so far
    grown: int = guard("cpu")  # number, from 1, of that one
    lowest: int = guard("cpu")  # the lowest rank given so far
    change: Words(CHANGES_MAX) = guard("cpu")  # PCT: steps before which who would go on falls back
    state_first: int = guard("init")  # byte offsets between which two final states differ, if they do
    state_end: int = guard("init")
    states: int = guard("cpu")  # different final states seen
    is_new: int = guard("cpu")  # the last execution ended in one that was not seen before, or in a bad one
    state_at: int = guard("cpu")  # place of that one among those seen
    classing: int = guard("init")  # executions are told apart by their happens-before classes
    racing: int = guard("init")  # data races are looked for
    era: int = guard("cpu")  # number of the execution
    word_places: int = guard("cpu")  # places taken in the table of words
    crowded: int = guard("cpu")  # there was no room for a word: nothing is known of classes
    classes: int = guard("cpu")  # different classes seen
    counted: int = guard("cpu")  # executions that were counted in their classes: all, until the table is full
    intended: int = guard("cpu")  # SURW: index + 1 of the CPU that is to make the next step that counts, 0: any
    watched: int = guard("cpu")  # SURW: place in `words` of the one whose accesses count, -1: none
    word_count: int = guard("cpu")
    words: Words(WORDS_MAX) = guard("cpu")  # SURW: byte offsets of what the CPUs have touched so far
    bound: int = guard("init")  # dfs: preemptions of an execution at most, -1: any number
    passed: int = guard("cpu")  # path: decisions of this execution, forced ones counted
    followed: int = guard("cpu")  # path: so many are prescribed
    asleep: int = guard("cpu")  # dpor: a bit for each CPU of the sleep set: what begins with its step is known
    wrote: int = guard("cpu")  # dpor: number of the last decision whose step wrote, -1: none
    unnoted: int = guard("cpu")  # an execution had more decisions than there is room for
    exhausted: int = guard("cpu")  # no execution is left
    cut: int = guard("cpu")  # dpor: executions that were cut short
    ready_count: int = guard("cpu")
    ready: Words(FIBERS_MAX) = guard("cpu")  # indices of the CPUs that can go on
    handed: int = guard("cpu")  # turns handed over between processes
    spent: int = guard("cpu")  # ns in which the processes of CPUs had the turn


@struct(private=True)
class Touched:
    """How often each CPU touches one word."""

    by: int = guard("cpu")  # index + 1 of the CPU that touched it first
    several: int = guard("cpu")  # another one has touched it too
    written: int = guard("cpu")
    lock: int = guard("cpu")  # byte offset of one that all held who touched it, -1: there is none, 0: nobody has yet
    now: Words(FIBERS_MAX) = guard("cpu")  # by each CPU, in this execution
    most: Words(FIBERS_MAX) = guard("cpu")  # by each CPU, in the execution before that had the most


@struct(align=8, private=True)
class Turn:
    """One decision: which CPU went on, or what came of chance."""

    cpu: int = guard("cpu")
    apart: int = guard("cpu")  # stay: it was prescribed, and would have been another one


@struct(align=32, private=True)
class Chosen:
    """Who made one step, also where nobody else could: of an execution that is observed."""

    cpu: int = guard("cpu")  # or -1 - what came of chance
    what: int = guard("cpu")  # byte offset of what the step touches, plus 1 if it writes; 0: not known
    preemptions: int = guard("cpu")  # before this step was chosen
    place: int = guard("cpu")  # in the order that is followed, -1: in none


@struct(align=8, private=True)
class Given:
    """One decision to be replayed."""

    cpu: int = guard("init")


@struct(align=8, private=True)
class Branch:
    """One decision of the path of a search through all executions, forced ones too."""

    cpu: int = guard("cpu")  # who went on, or what came of chance
    ready: int = guard("cpu")  # a bit for each that it could have been
    stay: int = guard("cpu")  # who ran before, if it could have gone on, else -1
    preemptions: int = guard("cpu")  # before it
    what: int = guard("cpu")  # what the step touched, as Fiber.what
    also: int = guard("cpu")  # what it touched besides
    gate: int = guard("cpu")  # what it may have had to wait for
    opens: int = guard("cpu")  # the gate that it opened
    asleep: int = guard("cpu")  # the sleep set when it was first come to
    done: int = guard("cpu")  # a bit for each with which all executions were run
    todo: int = guard("cpu")  # dpor: a bit for each that has to be run


@struct(align=8, private=True)
class Seen:
    """One final state."""

    state: int = guard("cpu")  # its hash, 0: none yet
    bad: int = guard("init")  # it was looked at and something is wrong with it


@struct(align=8, private=True)
class Class:
    """One happens-before class of executions."""

    fingerprint: int = guard("cpu")  # 0: the place is free
    executions: int = guard("cpu")  # that were of it
    first: int = guard("cpu")  # number of the first of them, from 1


@kernel
def engine_of(near):
    """Return the engine."""
    return record(near, "Scheduler", 0)


@kernel
def fiber_of(near, index):
    """Return the fiber of a CPU."""
    return record(near, "Fiber", index)


@partial(controlled_only, apart=False)
def exploring(near):
    """Tell whether an engine decides whose turn it is."""
    return table(near, "Scheduler").capacity != 0


@kernel
def is_ready(engine, index):
    """Tell whether a CPU takes part in decisions."""
    place = fiber_of(engine, index).place
    return place < engine.ready_count and engine.ready[place] == index


@kernel
def make_ready(engine, fiber, index):
    """Let a CPU take part in decisions."""
    fiber.place = engine.ready_count
    engine.ready[engine.ready_count] = index
    engine.ready_count += 1


@kernel
def unready(engine, fiber):
    """Take a CPU out of the decisions; the last of the list takes its place."""
    last = engine.ready_count - 1
    moved = engine.ready[last]
    engine.ready[fiber.place] = moved
    fiber_of(engine, moved).place = fiber.place
    engine.ready_count = last
