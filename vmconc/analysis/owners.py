"""Rules about who holds one lock together with whom, from the order of its changes."""

from collections.abc import Iterator

import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.groups import group_starts, last_before, sums_before
from vmconc.locks.classes import CONDITION, PIP, SEMAPHORE

TWO_WRITERS, READER_AND_WRITER = "two-writers", "reader-and-writer"
COUNTS = (PIP, SEMAPHORE, CONDITION)  # classes that nobody owns


def owner_rules(events: Events) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each rule with the events that broke it.

    In a run that did not end nobody is known to hold what he does not give up in the events: that may be missing.
    """
    rows = np.flatnonzero(((events.gain != 0) | (events.gain_exclusive != 0)) & ~np.isin(events.cls, COUNTS))
    rows = rows[np.lexsort((events.turn[rows], events.raw["lock"][rows]))]
    starts = group_starts(events.raw["lock"][rows])
    exclusive, gain = events.gain_exclusive[rows], events.gain[rows]
    shared = gain - exclusive
    known = given_up(events, rows) if events.unended else np.ones(len(rows), bool)
    writers, readers = sums_before(exclusive * known, starts), sums_before(shared * known, starts)
    writer = last_before((exclusive > 0) & known, starts)
    other = (writers > 0) & (events.cpu[rows][writer] != events.cpu[rows])
    yield TWO_WRITERS, np.sort(rows[(exclusive > 0) & other])
    own = sums_within_cpu(events, rows, shared * known)
    yield READER_AND_WRITER, np.sort(rows[(shared > 0) & other | (exclusive > 0) & (readers > own)])


def given_up(events: Events, rows: np.ndarray) -> np.ndarray:
    """Tell, of changes of locks, which are no later than when their CPU held nothing of the lock for the last time."""
    order = np.lexsort((rows, events.cls[rows], events.raw["lock"][rows], events.cpu[rows]))
    changes = rows[order]
    starts = group_starts(events.cpu[changes], events.raw["lock"][changes], events.cls[changes])
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(changes))))
    free = np.flatnonzero(sums_before(events.gain[changes], starts) + events.gain[changes] <= 0)
    last = np.full(len(starts), -1)
    np.maximum.at(last, group[free], free)
    found = np.empty(len(rows), bool)
    found[order] = np.arange(len(rows)) <= last[group]
    return found


def sums_within_cpu(events: Events, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return, for each row, the sum of the values of the rows before it that are of its lock and its CPU."""
    order = np.lexsort((events.cpu[rows], events.raw["lock"][rows]))
    sums = np.empty(len(rows), np.int64)
    starts = group_starts(events.raw["lock"][rows][order], events.cpu[rows][order])
    sums[order] = sums_before(values[order], starts)
    return sums
