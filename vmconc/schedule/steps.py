"""What a CPU does, told as it does it: every lock operation, sleep and page-in.

Mode `controlled` appends it to the step log, if the segment has one; mode `recorded` writes it to the CPU's ring of
events (`ring.py`).  In the other modes all of this compiles to nothing.
"""

from functools import partial

from vmconc.memory.atomics import atomic_add
from vmconc.memory.jit import kernel
from vmconc.memory.queries import controlled, recorded
from vmconc.memory.refs import at
from vmconc.memory.ring import NEAR_SHIFT, last_number, next_number, packed, record_event
from vmconc.memory.struct import guard
from vmconc.memory.table import table
from vmconc.memory.twins import struct
from vmconc.schedule.records import engine_of, exploring

(
    STEP_ACQUIRE, STEP_RELEASE, STEP_FAIL, STEP_RECURSE, STEP_UPGRADE, STEP_DOWNGRADE, STEP_REOWN, STEP_SLEEP,
    STEP_WAKE, STEP_READ, STEP_READ_DONE, STEP_LOAD, STEP_STORE, STEP_START, STEP_JOIN, STEP_DOWN, STEP_UP, STEP_SIGNAL,
    STEP_FREE, STEP_LOOK, STEP_TRIED, STEP_LOSE, STEP_BEGIN, STEP_END, STEP_WAIT, STEP_WAITED, STEP_REFUSED, STEP_MAKE,
) = range(1, 29)  # fmt: skip

STEP_NAMES = {
    STEP_ACQUIRE: "acquire", STEP_RELEASE: "release", STEP_FAIL: "try failed", STEP_RECURSE: "acquire again",
    STEP_UPGRADE: "upgrade", STEP_DOWNGRADE: "downgrade", STEP_REOWN: "re-own", STEP_SLEEP: "sleep", STEP_WAKE: "wake",
    STEP_READ: "page-in begins", STEP_READ_DONE: "page-in ends", STEP_LOAD: "read", STEP_STORE: "write",
    STEP_START: "start", STEP_JOIN: "join", STEP_DOWN: "down", STEP_UP: "up", STEP_SIGNAL: "signal",
    STEP_FREE: "free", STEP_LOOK: "looks again", STEP_TRIED: "acquire by a try", STEP_LOSE: "lose",
    STEP_BEGIN: "begin", STEP_END: "end", STEP_WAIT: "wait", STEP_WAITED: "waited",
    STEP_REFUSED: "release refused", STEP_MAKE: "make",
}  # fmt: skip


@struct
class Step:
    """One thing that a CPU did."""

    cpu: int = guard("cpu")
    action: int = guard("cpu")
    lock: int = guard("cpu")  # byte offset of the lock, page or channel; 0: not known
    cls: int = guard("cpu")  # class of the lock, 0: none
    mode: int = guard("cpu")  # not of a release
    site: int = guard("cpu")  # 0: not known; of a read: what is there
    number: int = guard("cpu")  # of the execution's step that it belongs to, from 1; 0: of none
    turn: int = guard("cpu")  # number of the step in an execution that is observed (order.py), from 1


@kernel
def log_step(cpu, action, lock, cls, mode, site):
    """Tell of a step that changes no lock."""
    tell(cpu, action, lock, 0, cls, mode, site)


@kernel
def log_gain(cpu, action, lock, cls, mode, site):
    """Tell that this CPU has got a lock, or more of it."""
    tell(cpu, action, lock, next_number(cpu, lock) if recorded(cpu) else 0, cls, mode, site)


@kernel
def log_loss(cpu, action, lock, cls, mode, site):
    """Tell that this CPU is about to give up a lock, or some of it."""
    tell(cpu, action, lock, last_number(cpu, lock) if recorded(cpu) else 0, cls, mode, site)


@kernel
def log_free(cpu, off, bytes):
    """Tell that this CPU is about to free a record: in mode recorded of each part of it in which locks share a count.

    The count goes up, so what happens to a lock there afterwards is known to happen in another life of the record.
    """
    if recorded(cpu):
        part = off
        while part < off + bytes:
            log_gain(cpu, STEP_FREE, part, 0, 0, 0)
            part = (part >> NEAR_SHIFT) + 1 << NEAR_SHIFT
    else:
        log_step(cpu, STEP_FREE, off, 0, 0, 0)


@kernel
def tell(cpu, action, lock, number, cls, mode, site):
    """Tell of a step; `number` as in Event."""
    if recorded(cpu):
        record_event(cpu, lock, number, packed(action, cls, mode, site))
    if controlled(cpu) and table(cpu, "Step").capacity != 0:
        append_step(cpu, action, lock, cls, mode, site)


@partial(kernel, apart=True)
def append_step(cpu, action, lock, cls, mode, site):
    """Append a step; a full table drops it, and its `fresh` says how many there would have been."""
    steps = table(cpu, "Step")
    number = atomic_add(steps, "fresh", 1)
    if number < steps.capacity:
        step = at(cpu, "Step", steps.first + number * steps.stride)
        step.cpu = cpu.index
        step.action = action
        step.lock = lock
        step.cls = cls
        step.mode = mode
        step.site = site
        step.number = engine_of(cpu).steps if exploring(cpu) else 0
        step.turn = engine_of(cpu).noted if exploring(cpu) else 0
