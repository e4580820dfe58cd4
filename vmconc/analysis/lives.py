"""Which life of its record a lock was in: a record is freed and allocated again, and then its locks are other ones."""

import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.groups import different
from vmconc.memory.ring import NEAR_SHIFT
from vmconc.memory.struct import LINE_BYTES
from vmconc.schedule.steps import STEP_FREE

LIFE_BITS = 24  # of what tells a lock in one life from all others; the rest is its byte offset
ORDER_BITS = 40  # of what tells when something was, beside the part of a record in which it was


def lives(events: Events, lock: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return, for the locks of some events, a number that says which lock it was, in which life of its record.

    By number, where an event has one; a wait without one is put in its order by time.
    """
    freed = np.flatnonzero(events.action == STEP_FREE)
    ended = parts(events, events.raw["lock"][freed])
    known = different(ended)
    part = parts(events, lock)
    rows = np.flatnonzero(np.isin(part, known))
    numbered = events.raw["number"][place[rows]] > 0
    life = np.zeros(len(lock), np.int64)
    for column, own in (("number", rows[numbered]), ("time", rows[~numbered])):
        when = order_of(events.raw[column])
        ends = np.sort((np.searchsorted(known, ended) << ORDER_BITS) + when[freed])
        mine = np.searchsorted(known, part[own]) << ORDER_BITS
        life[own] = np.searchsorted(ends, mine + when[place[own]]) - np.searchsorted(ends, mine)
    return (lock << LIFE_BITS) + life


def order_of(values: np.ndarray) -> np.ndarray:
    """Return numbers of at most ORDER_BITS in the same order; of times of hours some become equal."""
    least = int(values.min(initial=0))
    more = max(0, (int(values.max(initial=0)) - least).bit_length() - ORDER_BITS)
    return (values - least) >> more


def lock_in(identity: int) -> tuple[int, int]:
    """Return the byte offset of a lock, and the life, from 0, that a number of `lives` says."""
    return identity >> LIFE_BITS, identity & (1 << LIFE_BITS) - 1


def parts(events: Events, offset: np.ndarray) -> np.ndarray:
    """Return a number for the part of a record in which an offset is: the bytes whose locks share a count.

    Two records may meet in the middle of them: records are cache lines long.
    """
    near = offset >> NEAR_SHIFT
    second = np.zeros(len(offset), bool)
    for table in events.run["recording"]["tables"].values():
        first, stride = table["first"], table["stride"]
        if stride % (1 << NEAR_SHIFT):
            rows = np.flatnonzero((offset >= first) & (offset < first + table["capacity"] * stride))
            record = first + (offset[rows] - first) // stride * stride
            second[rows] = record >= (near[rows] << NEAR_SHIFT) + LINE_BYTES
    return near * 2 + second
