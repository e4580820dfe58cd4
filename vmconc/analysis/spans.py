"""What lasted: waits for locks, and holds of locks, found in a run's events."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from vmconc.analysis.doing import inside
from vmconc.analysis.events import Events
from vmconc.analysis.groups import group_starts, last_before, matched
from vmconc.schedule.steps import STEP_SLEEP, STEP_WAIT, STEP_WAITED


@dataclass(frozen=True)
class Spans:
    """Columns of the same length, a row for each span; `begin` and `end` are places of events.

    What never ended has an `end` behind the last event of its CPU.
    """

    events: Events
    begin: np.ndarray
    end: np.ndarray
    lock: np.ndarray  # byte offset, 0: not known
    cls: np.ndarray
    mode: np.ndarray  # 0: shared, 1: exclusive
    site: np.ndarray  # where the lock was acquired, or where was waited for what then was not acquired

    @property
    def cpu(self) -> np.ndarray:
        """Return the CPU of each span."""
        return self.events.cpu[self.begin]

    @property
    def endless(self) -> np.ndarray:
        """Tell which never ended."""
        return self.end == self.events.first[1:][self.cpu]

    def until(self, last: int) -> np.ndarray:
        """Return the ticks at which each ended; what never did lasts until `last`."""
        there = np.minimum(self.end, len(self.events.raw) - 1)
        return np.where(self.endless, last, self.events.raw["time"][there])

    @cached_property
    def ticks(self) -> np.ndarray:
        """Return how long each lasted, in ticks: whole numbers, so sums are exact."""
        time = self.events.raw["time"]
        return time[self.end] - time[self.begin]

    @property
    def nanoseconds(self) -> np.ndarray:
        """Return how long each lasted."""
        return self.ticks * self.events.tick

    def only(self, rows: np.ndarray) -> "Spans":
        """Return some of the spans: a mask, or places in the columns."""
        columns = ("begin", "end", "lock", "cls", "mode", "site")
        return replace(self, **{name: getattr(self, name)[rows] for name in columns})


def acquisitions(events: Events) -> Spans:
    """Return every acquisition, as a span that ends when it begins; to own a token again after a sleep is none."""
    rows = np.flatnonzero(events.acquired)
    return Spans(events, rows, rows, events.raw["lock"][rows], events.cls[rows], events.mode[rows], events.site[rows])


def waits(events: Events) -> Spans:
    """Return every contended request: from when it was clear that it has to wait until it waits no longer.

    Its lock is the one that was acquired then; of a wait that acquires nothing, what was slept on or else asked for.
    """
    rows = np.flatnonzero(np.isin(events.action, (STEP_WAIT, STEP_WAITED)))
    begin, end = pairs(events, rows, STEP_WAIT, STEP_WAITED)
    after = np.minimum(end + 1, len(events.raw) - 1)
    got = events.acquired[after] & (events.cpu[after] == events.cpu[end])
    got &= events.cls[after] == events.cls[begin]
    slept = last_before(events.action == STEP_SLEEP, np.zeros(1, np.int64))[end] if len(end) else end
    told = np.where(got, after, np.where(slept > begin, slept, begin))
    return Spans(events, begin, end, events.raw["lock"][told], events.cls[begin], events.mode[begin], events.site[told])


def holds(events: Events) -> Spans:
    """Return every hold of a lock, from its acquisition to its release; a hold that was not released is left out.

    A token that is given up during a sleep is held twice, at the site where it was acquired.  Of several holds of one
    lock by one CPU the last one taken is the first one given up.
    """
    rows = np.flatnonzero(events.gain)
    rows = rows[np.lexsort((events.cls[rows], events.raw["lock"][rows], events.cpu[rows]))]
    starts = group_starts(events.cpu[rows], events.raw["lock"][rows], events.cls[rows])
    site = acquired_at(events, rows, starts)
    opens, closes = matched(events.gain[rows], starts)
    ended = closes >= 0
    begin, end = rows[opens[ended]], rows[closes[ended]]
    by_begin = np.argsort(begin)
    begin, end = begin[by_begin], end[by_begin]
    return Spans(events, begin, end, events.raw["lock"][begin], events.cls[begin], events.mode[begin], site[begin])


def acquired_at(events: Events, rows: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the sites of all events, those of changes of what is held already being where it was acquired.

    `rows` are the changes, by CPU and lock; `starts` where each CPU's changes of a lock begin.
    """
    before = last_before(events.acquired[rows], starts)
    again = ~events.acquired[rows] & (before >= 0)
    site = events.site.copy()
    site[rows[again]] = site[rows[before[again]]]
    return site


def pairs(events: Events, rows: np.ndarray, opens: int, closes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places where something opens and the next place, on the same CPU, where it closes; others are left."""
    begin, end = rows[:-1], rows[1:]
    whole = (events.action[begin] == opens) & (events.action[end] == closes) & (events.cpu[begin] == events.cpu[end])
    return begin[whole], end[whole]


def unclosed(events: Events, opens: int, closes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places where something opens that its CPU never closes, and those behind the CPU's last event."""
    end = events.first[1:][np.diff(events.first) > 0]
    begin = inside(events, end - 1, opens, closes)
    return begin[begin >= 0], end[begin >= 0]


def every_pair(events: Events, opens: int, closes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places where something opens and closes on the same CPU, those of what is never closed last."""
    rows = np.flatnonzero(np.isin(events.action, (opens, closes)))
    both = zip(pairs(events, rows, opens, closes), unclosed(events, opens, closes), strict=True)
    begin, end = (np.concatenate(column) for column in both)
    return begin, end
