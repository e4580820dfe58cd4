"""Who was still asleep when a run ended, although nobody held what it slept on."""

import numpy as np

from vmconc.analysis.events import Events
from vmconc.locks.classes import CONDITION, SEMAPHORE
from vmconc.locks.lockmgr import WAIT_UPGRADE
from vmconc.schedule.steps import STEP_SLEEP, STEP_WAKE

LOST_WAKEUP = "lost-wakeup"
NOBODY_OWNS = (0, SEMAPHORE, CONDITION)  # the disk, and what is waited for without being held


def lost_wakeups(events: Events) -> np.ndarray:
    """Return sleeps that never ended although their lock was given up, by a CPU that has gone on since.

    Who gives a lock up wakes before it does anything else, and who is woken says so, also when a run is stopped.
    """
    rows = np.flatnonzero(np.isin(events.action, (STEP_SLEEP, STEP_WAKE)))
    last = rows[np.append(events.cpu[rows][1:] != events.cpu[rows][:-1], True)] if len(rows) else rows
    endless = last[(events.action[last] == STEP_SLEEP) & ~np.isin(events.cls[last], NOBODY_OWNS)]
    return np.array([sleep for sleep in endless if given_up(events, int(sleep))], np.int64)


def given_up(events: Events, sleep: int) -> bool:
    """Tell whether nobody holds what is slept on, and who gave it up last did something after that.

    Who waits for an upgrade has given its share up.
    """
    changes = (events.raw["lock"] == events.raw["lock"][sleep]) & (events.gain != 0)
    if events.site[sleep] == WAIT_UPGRADE:
        changes &= events.cpu != events.cpu[sleep]
    if events.gain[changes].sum() > 0:
        return False
    losses = np.flatnonzero(changes & (events.gain < 0))
    if not len(losses):
        return True
    latest = losses[np.argmax(events.turn[losses])]
    return bool(latest + 1 < events.first[1:][events.cpu[latest]])
