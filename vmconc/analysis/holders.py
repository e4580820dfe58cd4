"""Who held the locks that were waited for, and when, as far as that can be told from the order of their changes."""

from dataclasses import dataclass

import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.groups import group_starts
from vmconc.analysis.spans import Spans
from vmconc.analysis.stretches import stretches
from vmconc.locks.classes import EXCLUSIVE


@dataclass(frozen=True)
class Holders:
    """Columns of the same length, sorted by lock and beginning: holds of locks, and waits for them exclusively."""

    lock: np.ndarray
    begin: np.ndarray  # ticks
    end: np.ndarray
    mode: np.ndarray
    cpu: np.ndarray
    site: np.ndarray
    waits: np.ndarray  # does not hold the lock, but waits to have it exclusively


def who_holds(events: Events, waited: Spans) -> Holders:
    """Return all holds of locks that were waited for, and all waits for them exclusively."""
    locks = np.unique(waited.lock[waited.lock != 0])
    held, time = stretches(events, locks), times_in_order(events, locks)
    held_end = time[np.where(held.endless, len(events.raw), held.end)]
    columns = [held.lock, time[held.begin], held_end, held.mode, held.cpu, held.site, np.zeros(len(held.lock), bool)]
    writers = np.flatnonzero((waited.mode == EXCLUSIVE) & (waited.lock != 0))
    waiting = [waited.lock, time[waited.begin], time[waited.end], waited.mode, waited.cpu, waited.site]
    waiting.append(np.ones(len(waited.lock), bool))
    columns = [np.concatenate([one, other[writers]]) for one, other in zip(columns, waiting, strict=True)]
    order = np.lexsort((columns[1], columns[0]))
    return Holders(*(column[order] for column in columns))


def times_in_order(events: Events, locks: np.ndarray) -> np.ndarray:
    """Return the time of each event, changes of one of the locks never before the change before it; last, the end."""
    time = np.append(events.raw["time"], events.raw["time"].max(initial=0))
    changes = (events.gain != 0) | (events.gain_exclusive != 0)
    rows = np.flatnonzero(changes & np.isin(events.raw["lock"], locks))
    rows = rows[np.lexsort((events.turn[rows], events.raw["lock"][rows]))]
    starts = group_starts(events.raw["lock"][rows])
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(rows))))
    different, rank = np.unique(time[rows], return_inverse=True)
    latest = np.maximum.accumulate(group * len(different) + rank)
    time[rows] = different[latest - group * len(different)]
    return time


def overlapping(
    holders: Holders, waited: Spans, begin: np.ndarray, end: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of waits, those that are `known`, and of holders of the same lock, other CPUs, at the same time."""
    _, lock = np.unique(np.concatenate([holders.lock, waited.lock]), return_inverse=True)
    of_holder, of_wait = lock[: len(holders.lock)], lock[len(holders.lock) :]
    times = np.concatenate([holders.begin, holders.end, begin, end])
    origin = times.min(initial=times[0] if len(times) else 0)
    width = times.max(initial=origin) - origin + 2
    latest = np.maximum.accumulate(holders.end - origin + of_holder * width)
    first = np.searchsorted(latest, begin - origin + of_wait * width, "right")
    last = np.searchsorted(holders.begin - origin + of_holder * width, end - origin + of_wait * width, "left")
    wait, holder = expanded(first, np.where(known, last, first))
    kept = (of_holder[holder] == of_wait[wait]) & (holders.cpu[holder] != waited.cpu[wait])
    kept &= (holders.end[holder] > begin[wait]) & (holders.begin[holder] < end[wait])
    return wait[kept], holder[kept]


def expanded(first: np.ndarray, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for ranges of numbers, each number with the place of its range."""
    number = np.maximum(last - first, 0)
    place = np.repeat(np.arange(len(first)), number)
    return place, np.arange(number.sum()) - (np.cumsum(number) - number)[place] + first[place]
