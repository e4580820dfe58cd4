"""Which states executions have ended in: each is looked at once."""

from vmconc.memory.jit import kernel
from vmconc.memory.refs import at
from vmconc.memory.table import table
from vmconc.memory.written import written_hash

FULL = 2  # the table is full when one of so many places is taken


@kernel
def note_state(near, engine):
    """Note the state an execution ended in; `is_new` tells whether it is one to look at: new, or known to be bad.

    Nothing is noted without a table of states.  When it is full every other state is taken to be seen.
    """
    engine.is_new = 0
    seen = table(near, "Seen")
    if seen.capacity == 0:
        return
    state = written_hash(near, engine.state_first, engine.state_end)
    place = (state >> 8) % seen.capacity
    while True:
        entry = at(near, "Seen", seen.first + place * seen.stride)
        if entry.state == state:
            engine.is_new = entry.bad
            engine.state_at = place
            return
        if entry.state == 0 and engine.states * FULL >= seen.capacity:
            return
        if entry.state == 0:
            entry.state = state
            engine.states += 1
            engine.is_new = 1
            engine.state_at = place
            return
        place = (place + 1) % seen.capacity
