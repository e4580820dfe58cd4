"""Rules about what one CPU holds, from its own events alone: order, balance, sleep, pager I/O, tokens."""

from collections.abc import Iterator

import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.groups import group_starts, sums_before
from vmconc.analysis.requests import never_met
from vmconc.analysis.spans import pairs
from vmconc.locks.classes import (
    EXCLUSIVE,
    MAP_TOKEN,
    PAGE_QUEUE,
    PAGE_SPIN,
    PMAP,
    RANGE_SPIN,
    UNORDERED,
    USER_SPIN,
    VM_MAP,
    VM_OBJECT,
)
from vmconc.locks.rules import (
    HELD_AT_RETURN,
    IO_MAP_HELD,
    IO_MAP_RELEASED,
    LOCK_ORDER,
    LOCK_RECURSION,
    NOT_HELD,
    TOKEN_UPGRADE,
)
from vmconc.schedule.steps import (
    STEP_ACQUIRE,
    STEP_DOWNGRADE,
    STEP_END,
    STEP_READ,
    STEP_READ_DONE,
    STEP_REFUSED,
    STEP_SLEEP,
    STEP_UPGRADE,
)

TOKENS = (VM_OBJECT, MAP_TOKEN)
SPINLOCKS = (PMAP, PAGE_SPIN, PAGE_QUEUE, RANGE_SPIN, USER_SPIN)
SLEEP_WITH_TOKEN, SLEEP_WITH_SPINLOCK = "token-over-sleep", "spinlock-over-sleep"

Found = tuple[int | str, np.ndarray]  # a rule, by number or name, and the places of the events that broke it


def held_rules(events: Events) -> Iterator[Found]:
    """Yield each rule with the events that broke it.  A request that was never met begins with a wait."""
    starts = events.first[:-1][np.diff(events.first) > 0]
    held = {cls: holds_before(events, cls, starts) for cls in np.unique(events.cls)}
    blocking = events.action == STEP_ACQUIRE
    blocking[never_met(events)] = True
    yield from balance(events, blocking)
    yield from ranks(events, held, blocking)
    yield from asleep(events, held)
    if events.protocol:
        yield HELD_AT_RETURN, left_over(events, starts)
        yield page_ins(events, held)


def holds_before(events: Events, cls: int, starts: np.ndarray) -> np.ndarray:
    """Return how many holds of a class its CPU had before each event; narrow, since every class has such a column."""
    return sums_before(np.where(events.cls == cls, events.gain, 0), starts).astype(np.int16)


def balance(events: Events, blocking: np.ndarray) -> Iterator[Found]:
    """Follow each lock of each CPU: only a holder gives up, a map lock is held once, a shared token stays shared."""
    of_holder = (events.gain < 0) | np.isin(events.action, (STEP_UPGRADE, STEP_DOWNGRADE))
    rows = np.lexsort((events.cls, events.raw["lock"], events.cpu))
    rows = rows[(events.gain != 0)[rows] | of_holder[rows] | blocking[rows]]
    cls = events.cls[rows]
    before = sums_before(events.gain[rows], group_starts(events.cpu[rows], events.raw["lock"][rows], cls))
    refused = np.flatnonzero(events.action == STEP_REFUSED)
    yield NOT_HELD, np.sort(np.append(rows[of_holder[rows] & (before <= 0)], refused))
    again = blocking[rows] & (before > 0)
    yield LOCK_RECURSION, np.sort(rows[again & (cls == VM_MAP)])
    wanted = again & np.isin(cls, TOKENS) & (events.mode[rows] == EXCLUSIVE)
    yield TOKEN_UPGRADE, np.sort(rows[wanted])


def ranks(events: Events, held: dict[int, np.ndarray], blocking: np.ndarray) -> Iterator[Found]:
    """Hold requests that may have to wait against the order of the classes."""
    late = np.zeros(len(events.raw), bool)
    for cls, count in held.items():
        if cls < UNORDERED:
            late |= (events.cls < cls) & (count > 0)
    yield LOCK_ORDER, np.flatnonzero(blocking & late & (events.cls > 0))


def left_over(events: Events, starts: np.ndarray) -> np.ndarray:
    """Return the ends of operations at which more or less is held than at the end before."""
    before = sums_before(events.gain, starts)
    ends = np.flatnonzero(events.action == STEP_END)
    first = np.diff(events.cpu[ends], prepend=-1) != 0
    earlier = np.where(first, 0, np.roll(before[ends], 1))
    return ends[before[ends] != earlier]


def asleep(events: Events, held: dict[int, np.ndarray]) -> Iterator[Found]:
    """Hold every sleep against what may not be held then."""
    sleeps = events.action == STEP_SLEEP
    for rule, classes in ((SLEEP_WITH_TOKEN, TOKENS), (SLEEP_WITH_SPINLOCK, SPINLOCKS)):
        kept = sum((held[cls] > 0 for cls in classes if cls in held), np.zeros(len(sleeps), bool))
        yield rule, np.flatnonzero(sleeps & (kept > 0))


def page_ins(events: Events, held: dict[int, np.ndarray]) -> Found:
    """Hold every page-in against what its protocol says of the map lock: released across it, or held shared."""
    begins, ends = page_in_pairs(events)
    maps = held.get(VM_MAP, np.zeros(len(events.raw), np.int64))
    changes = np.cumsum((events.cls == VM_MAP) & (events.gain != 0))
    if events.protocol == "chained":
        return IO_MAP_HELD, begins[(maps[begins] > 0) | (changes[ends] != changes[begins])]
    return IO_MAP_RELEASED, begins[(maps[begins] == 0) | (changes[ends] != changes[begins])]


def page_in_pairs(events: Events) -> tuple[np.ndarray, np.ndarray]:
    """Return the places of beginnings and ends of page-ins; one in which its CPU was stopped is left out."""
    rows = np.flatnonzero(np.isin(events.action, (STEP_READ, STEP_READ_DONE)))
    return pairs(events, rows, STEP_READ, STEP_READ_DONE)
