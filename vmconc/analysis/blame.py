"""Blame: each tick of a wait for a lock is charged to who held the lock at that time, so that the sums are the same."""

from dataclasses import dataclass

import numpy as np

from vmconc.analysis.chain import followed
from vmconc.analysis.events import Events
from vmconc.analysis.holders import Holders, expanded, overlapping, who_holds
from vmconc.analysis.shares import Pieces, cut, dealt
from vmconc.analysis.spans import Spans, waits
from vmconc.locks.classes import CONDITION, EXCLUSIVE, SEMAPHORE
from vmconc.schedule.steps import STEP_FAIL

HOLDER, WRITER, NOBODY, UNKNOWN, READER, NOT_IN_THE_WAY = range(6)  # READER: only a writer that waits for it is
NO_OWNER = (SEMAPHORE, CONDITION)


@dataclass(frozen=True)
class Blame:
    """Columns of the same length: how many ticks of which wait are charged to whom."""

    waits: Spans
    wait: np.ndarray  # row of `waits`
    ticks: np.ndarray
    kind: np.ndarray  # HOLDER, WRITER, NOBODY, or UNKNOWN: which lock it was is not known, or nobody owns it
    cpu: np.ndarray  # of a holder or writer, else 0
    site: np.ndarray  # where that one got the lock, or asks for it


def blame(events: Events, chain: bool = False) -> Blame:
    """Charge every wait of a run, as `charge` does."""
    waited = waits(events)
    return charge(waited, who_holds(events, waited), chain)


def charge(waited: Spans, holders: Holders, chain: bool = False) -> Blame:
    """Charge waits to those who held what was waited for.  Several who hold the lock at a time share the time equally.

    A reader kept out by no holder, but by a writer that waits for other readers, is charged to that writer.  Time in
    which nobody was in the way (the lock was handed over, its waiter woken) is charged to nobody.  `chain`: not to
    holders while they wait for a lock themselves, but to those who are in their way then.
    """
    events = waited.events
    known = (waited.lock != 0) & ~np.isin(waited.cls, NO_OWNER)
    begin = events.raw["time"][waited.begin]
    end = np.maximum(begin, events.raw["time"][waited.end])
    wait, holder = overlapping(holders, waited, begin, end, known)
    pieces = Pieces(wait, np.maximum(holders.begin[holder], begin[wait]), np.minimum(holders.end[holder], end[wait]))
    kind = in_the_way(holders, until_free(events, waited)[wait], holder)
    pieces, kind, holder = charged(begin, end, pieces, kind, holder)
    if chain:
        pieces, holder = followed((pieces, holder), begin, end, waited.cpu, holders.cpu)
        kind = np.where(holders.waits[holder], WRITER, HOLDER)
    parts, first, behind = cut(begin, end, pieces)
    piece, part = expanded(first, behind)
    lengths = parts.end - parts.begin
    alone = np.flatnonzero(np.bincount(part, minlength=len(lengths)) == 0)
    none = np.zeros(len(alone), np.int64)
    columns = (
        (pieces.span[piece], parts.span[alone]),
        (dealt(lengths, part), lengths[alone]),
        (kind[piece], np.where(known[parts.span[alone]], NOBODY, UNKNOWN)),
        (holders.cpu[holder[piece]], none),
        (holders.site[holder[piece]], none),
    )
    return Blame(waited, *(np.concatenate(column) for column in columns))


def not_charged(found: Blame) -> np.ndarray:
    """Return where waits begin of which more or less is charged than they lasted."""
    sums = np.zeros(len(found.waits.begin), np.int64)
    np.add.at(sums, found.wait, found.ticks)
    return found.waits.begin[sums != found.waits.ticks]


def until_free(events: Events, waited: Spans) -> np.ndarray:
    """Tell which waits are over only when nobody holds the lock: to have it exclusively, or to take nothing at all."""
    after = np.minimum(waited.end + 1, len(events.raw) - 1)
    same = (events.cls[after] == waited.cls) & (events.cpu[after] == waited.cpu)
    share = same & (events.acquired[after] | (events.action[after] == STEP_FAIL))
    return (waited.mode == EXCLUSIVE) | ~share


def in_the_way(holders: Holders, alone: np.ndarray, holder: np.ndarray) -> np.ndarray:
    """Return what each holder is to a wait, which wants the lock `alone` or not."""
    excludes = alone | (holders.mode[holder] == EXCLUSIVE)
    holds = np.where(excludes, HOLDER, READER)
    return np.where(holders.waits[holder], np.where(alone, NOT_IN_THE_WAY, WRITER), holds)


def charged(
    begin: np.ndarray, end: np.ndarray, pieces: Pieces, kind: np.ndarray, holder: np.ndarray
) -> tuple[Pieces, np.ndarray, np.ndarray]:
    """Return what of the pieces is charged, with kind and holder: holders, or if there is none who bars readers."""
    parts, first, behind = cut(begin, end, pieces)
    piece, part = expanded(first, behind)
    number = len(parts.span)
    is_there = [np.bincount(part[kind[piece] == which], minlength=number) > 0 for which in (HOLDER, WRITER, READER)]
    barred = ~is_there[0] & is_there[1] & is_there[2]
    kept = (kind[piece] == HOLDER) | (kind[piece] == WRITER) & barred[part]
    piece, part = piece[kept], part[kept]
    return Pieces(parts.span[part], parts.begin[part], parts.end[part]), kind[piece], holder[piece]
