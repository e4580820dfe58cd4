"""Who held what, and in which mode: holds cut where an upgrade or downgrade changes them, also those never given up."""

import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.groups import group_starts, matched
from vmconc.analysis.spans import Spans, acquired_at
from vmconc.locks.classes import CONDITION, SEMAPHORE
from vmconc.schedule.steps import STEP_DOWNGRADE, STEP_UPGRADE

NO_OWNER = (SEMAPHORE, CONDITION)  # to take one is not to hold it


def every_hold(events: Events) -> Spans:
    """Return all stretches; of what nobody owns only those that the same CPU ended, for anybody may."""
    found = stretches(events)
    return found.only(~(found.endless & np.isin(found.cls, NO_OWNER)))


def stretches(events: Events, locks: np.ndarray | None = None) -> Spans:
    """Return every stretch of a hold in one mode, by where it begins, also those that never ended.

    `locks`: only of these.  Its site is where the lock was acquired, also after a sleep or a change of mode.
    """
    rows, gain = opened_and_closed(events, locks)
    columns = events.cpu[rows], events.raw["lock"][rows], events.cls[rows]
    rank = np.lexsort(columns[::-1])
    rows, gain, (cpu, lock, cls) = rows[rank], gain[rank], (column[rank] for column in columns)
    starts = group_starts(cpu, lock, cls)
    opens, closes = matched(gain, starts)
    begin = rows[opens]
    end = np.where(closes >= 0, rows[closes], events.first[1:][events.cpu[begin]])
    site = acquired_at(events, rows, starts)
    by_begin = np.argsort(begin, kind="stable")
    begin, end = begin[by_begin], end[by_begin]
    return Spans(events, begin, end, events.raw["lock"][begin], events.cls[begin], events.mode[begin], site[begin])


def opened_and_closed(events: Events, locks: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return places of events, and 1 where a stretch opens there, -1 where one closes; a change of mode does both."""
    changes = np.isin(events.action, (STEP_UPGRADE, STEP_DOWNGRADE))
    rows = np.flatnonzero((events.gain != 0) | changes)
    if locks is not None:
        rows = rows[np.isin(events.raw["lock"][rows], locks)]
    twice = changes[rows]
    gain = np.repeat(events.gain[rows].astype(np.int64), twice + 1)
    rows = np.repeat(rows, twice + 1)
    gain[gain == 0] = -1
    gain[np.diff(rows, prepend=-1) == 0] = 1
    return rows, gain
