"""What a CPU was doing when: which operation it was in, for which LWP, and whether it read a page from its pager."""

import numpy as np

from vmconc.analysis.events import Events
from vmconc.schedule.steps import STEP_BEGIN, STEP_END, STEP_READ, STEP_READ_DONE


def inside(events: Events, places: np.ndarray, opens: int, closes: int) -> np.ndarray:
    """Return, for events at some places, where the thing began that their CPU was in; -1: in none."""
    marks = np.flatnonzero(np.isin(events.action, (opens, closes)))
    if not len(marks):
        return np.full(len(places), -1)
    last = marks[np.searchsorted(marks, places, "right") - 1]
    within = (last <= places) & (events.cpu[last] == events.cpu[places]) & (events.action[last] == opens)
    return np.where(within, last, -1)


def kinds(events: Events, places: np.ndarray) -> np.ndarray:
    """Return the kind of operation that events belong to, 0: none.  Of a touch only its faults are operations."""
    begun = inside(events, places, STEP_BEGIN, STEP_END)
    return np.where(begun >= 0, events.cls[begun], 0)


def lwps(events: Events, places: np.ndarray) -> np.ndarray:
    """Return the LWP for which events were done, -1: outside of operations."""
    begun = inside(events, places, STEP_BEGIN, STEP_END)
    return np.where(begun >= 0, events.site[begun].astype(np.int64), -1)


def paging_in(events: Events, places: np.ndarray) -> np.ndarray:
    """Tell which events happened while their CPU had a page read."""
    return inside(events, places, STEP_READ, STEP_READ_DONE) >= 0
