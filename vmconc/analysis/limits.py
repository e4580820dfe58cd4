"""Rules that hold only if asked for: how long a lock may be held, how often a waiter may be passed by, convoys."""

from collections.abc import Iterator

import msgspec
import numpy as np

from vmconc.analysis.convoy import CONVOY, convoys
from vmconc.analysis.events import Events
from vmconc.analysis.spans import holds, waits

HOLD_BUDGET, STARVATION = "hold-budget", "starvation"


class Limits(msgspec.Struct, frozen=True):
    """What is asked for; nothing by default."""

    hold: dict[int, int] = {}  # ns that a lock of a class may be held at a time
    passed: int = 0  # times that others may get a lock while a CPU waits for it; 0: any number
    handed: int = 0  # hand-overs of a lock in a row that make a convoy; 0: no number does


def limit_rules(events: Events, limits: Limits) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each rule that is asked for, with the places where what broke it began."""
    if limits.hold:
        yield HOLD_BUDGET, held_too_long(events, limits.hold)
    if limits.passed:
        yield STARVATION, passed_too_often(events, limits.passed)
    if limits.handed:
        yield CONVOY, convoys(events, limits.handed)


def held_too_long(events: Events, budget: dict[int, int]) -> np.ndarray:
    """Return where holds begin that lasted longer than their class may be held."""
    found = holds(events)
    most = np.full(256, np.inf)
    most[list(budget)] = list(budget.values())
    return found.begin[found.nanoseconds > most[found.cls]]


def passed_too_often(events: Events, most: int) -> np.ndarray:
    """Return where waits begin during which others got the lock more often than that."""
    waited, time = waits(events), events.raw["time"]
    got = np.flatnonzero((events.gain > 0) & np.isin(events.raw["lock"], waited.lock))
    got = got[np.lexsort((time[got], events.raw["lock"][got]))]
    locks, times = events.raw["lock"][got], time[got]
    starving = []
    for row in np.flatnonzero(waited.lock):
        first, last = (np.searchsorted(locks, waited.lock[row], side) for side in ("left", "right"))
        begin, end = time[waited.begin[row]], time[waited.end[row]]
        low, high = first + np.searchsorted(times[first:last], (begin, end))
        if (events.cpu[got[low:high]] != waited.cpu[row]).sum() > most:
            starving.append(waited.begin[row])
    return np.array(starving, np.int64)
