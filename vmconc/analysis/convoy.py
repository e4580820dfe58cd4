"""Convoys: a lock that goes from hand to hand without ever being free, because everybody queues for it again.

Blasgen, Gray, Mitoma and Price, "The convoy phenomenon" (Operating Systems Review 13(2), 1979): once a queue has formed
at a lock that is taken often and held shortly, each holder hands it to the next in the queue and soon comes back to the
end of it.  What is waited for then is the hand-over and the queue, hardly the hold.
"""

import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.groups import group_starts, sums_before
from vmconc.analysis.owners import COUNTS
from vmconc.analysis.spans import waits

CONVOY = "convoy"
WAIT_TO_HOLD = 2  # a queue of one waits as long as the hold in front of it


def convoys(events: Events, least: int) -> np.ndarray:
    """Return where the first hand-over of each convoy begins: the release.

    A convoy is a row of `least` hand-overs of one lock or more, and more than there are CPUs: a queue that has formed
    behind one long hold is gone by then.  At a hand-over the lock becomes free, and the next to get it is another CPU
    that had waited before.  The waits that began in the row lasted WAIT_TO_HOLD times as long as its holds or longer,
    on average.
    """
    given, got, held = set_free(events)
    time, lock, waited = events.raw["time"], events.raw["lock"][given], waited_since(events)[got]
    direct = (waited >= 0) & (events.cpu[given] != events.cpu[got]) & (time[waited] < time[given])
    starts = group_starts(lock, direct)
    ends = np.append(starts[1:], len(lock))
    long = direct[starts] & (ends - starts >= max(least, events.cpus + 1))
    found = [
        given[first]
        for first, end in zip(starts[long], ends[long], strict=True)
        if waits_outlast_holds(time, given[first], waited[first:end], got[first:end], held[first + 1 : end])
    ]
    return np.array(found, np.int64)


def set_free(events: Events) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, lock by lock, releases after which nobody holds it, who gets it next, and how many ticks it was held."""
    rows = np.flatnonzero((events.gain != 0) & ~np.isin(events.cls, COUNTS))
    rows = rows[np.lexsort((events.turn[rows], events.raw["lock"][rows]))]
    gain, lock = events.gain[rows], events.raw["lock"][rows]
    starts = group_starts(lock)
    holders = sums_before(gain, starts) + gain
    free = np.flatnonzero((holders[:-1] == 0) & (gain[:-1] < 0) & (lock[1:] == lock[:-1]))
    begun = np.repeat(starts, np.diff(np.append(starts, len(rows))))[free]
    begun = np.maximum(begun, np.append(-1, free[:-1] + 1)[: len(free)])
    time = events.raw["time"]
    return rows[free], rows[free + 1], time[rows[free]] - time[rows[begun]]


def waited_since(events: Events) -> np.ndarray:
    """Return, for each event, where the wait began after which it was the next one of its CPU; -1: there was none."""
    found, since = waits(events), np.full(len(events.raw), -1)
    after = np.minimum(found.end + 1, len(since) - 1)
    same = (events.cpu[after] == found.cpu) & (events.cls[after] == found.cls)
    since[after[same]] = found.begin[same]
    return since


def waits_outlast_holds(time: np.ndarray, first: int, waited: np.ndarray, got: np.ndarray, held: np.ndarray) -> bool:
    """Compare the waits that began after the first release with the holds after it, on average."""
    lasted = (time[got] - time[waited])[time[waited] >= time[first]]
    return len(lasted) > 0 and bool(lasted.mean() >= WAIT_TO_HOLD * held.mean())
