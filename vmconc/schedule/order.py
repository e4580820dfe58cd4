"""Executions step by step: who made each step, and executions that follow such an order of steps as far as they can.

Decisions as they are recorded (`Turn`) exist only where several CPUs could go on.  Where two steps change places other
CPUs can go on than before, so an order names the CPU of every step.
"""

from vmconc.memory.jit import kernel
from vmconc.memory.refs import at
from vmconc.memory.table import table
from vmconc.schedule.records import DONE, fiber_of, is_ready
from vmconc.schedule.stay import choose_staying

USED = UNPLACED = -1
NOTED, FOLLOWED = 1, 2  # values of Scheduler.observed; FOLLOWED are noted too


@kernel
def entry_of(engine, place):
    """Return an entry of what is prescribed: of the order, or behind it of what comes of chance."""
    given = table(engine, "Given")
    return at(engine, "Given", given.first + place * given.stride)


@kernel
def next_in_order(engine, index):
    """Return the first CPU of what is left of the order that can go on, else who goes on without preemption.

    Those before it wait: their entries come first at the next decision.
    """
    place = engine.taken
    while place < engine.given:
        chosen = entry_of(engine, place).cpu
        if chosen != USED and is_ready(engine, chosen):
            entry_of(engine, place).cpu = USED
            engine.place = place
            return chosen
        if place == engine.taken and (chosen == USED or fiber_of(engine, chosen).state == DONE):
            engine.taken += 1
        place += 1
    engine.place = UNPLACED
    return choose_staying(engine, index)


@kernel
def next_luck(engine, n):
    """Return what comes of chance next in the order, of 0 .. n - 1; 0, nothing happens, after its end."""
    value = 0
    if engine.lucky < engine.lucks:
        value = min(n - 1, entry_of(engine, engine.given + engine.lucky).cpu)
    engine.lucky += 1
    return value


@kernel
def note_chosen(engine, chosen, what):
    """Note who makes the next step, of an execution that is observed."""
    if engine.observed == 0:
        return
    all_chosen = table(engine, "Chosen")
    if engine.noted < all_chosen.capacity:
        note = at(engine, "Chosen", all_chosen.first + engine.noted * all_chosen.stride)
        note.cpu, note.what = chosen, what
        note.preemptions = engine.preemptions
        note.place = engine.place
    engine.noted += 1
