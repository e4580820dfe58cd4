"""What was asked for in a way that may have to wait for ever, found in a run's events."""

from dataclasses import dataclass

import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.groups import last_before
from vmconc.locks.classes import CONDITION, EXCLUSIVE, PIP, SEMAPHORE
from vmconc.locks.lockmgr import WAIT_TIMED, WAIT_UPGRADE
from vmconc.schedule.steps import (
    STEP_ACQUIRE,
    STEP_FAIL,
    STEP_READ,
    STEP_SLEEP,
    STEP_TRIED,
    STEP_UPGRADE,
    STEP_WAIT,
    STEP_WAITED,
)

PAGE_IN = 0  # stands for a lock class: the disk
NEVER_ASKED = (PIP, SEMAPHORE, CONDITION)  # counts: to take one is no request, to wait until it is zero is


@dataclass(frozen=True)
class Requests:
    """Columns of the same length, sorted by `place`: what the CPU holds there it holds while it asks."""

    place: np.ndarray
    lock: np.ndarray
    cls: np.ndarray
    mode: np.ndarray
    site: np.ndarray
    upgrade: np.ndarray  # an upgrade that was never made: the share that is still noted has been given up


def requests(events: Events) -> Requests:
    """Return acquisitions that could have waited, upgrades that did, sleeps until something is free, and page-ins.

    A try or a timed request cannot wait for ever, and is none.
    """
    parts = [
        asked(events, np.flatnonzero((events.action == STEP_ACQUIRE) & ~np.isin(events.cls, NEVER_ASKED))),
        asked(events, np.flatnonzero(events.action == STEP_READ), cls=PAGE_IN),
        *waits_of_their_own(events),
    ]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return Requests(*(column[order] for column in columns))


def asked(
    events: Events, told: np.ndarray, place: np.ndarray | None = None, cls: int | None = None, mode: int | None = None
) -> tuple[np.ndarray, ...]:
    """Return the columns of requests of which the events `told` say what is asked for."""
    return (
        told if place is None else place,
        events.raw["lock"][told],
        events.cls[told] if cls is None else np.full(len(told), cls, np.uint8),
        events.mode[told] if mode is None else np.full(len(told), mode, np.uint8),
        events.site[told],
        np.full(len(told), place is not None) & (events.site[told] == WAIT_UPGRADE),
    )


def waits_of_their_own(events: Events) -> list[tuple[np.ndarray, ...]]:
    """Return upgrades that waited, sleeps after which nothing is acquired, and waits that never ended."""
    begin, end = waits_begun(events)
    last = events.first[1:][events.cpu[begin]]
    ended = end < last
    after = np.minimum(end + 1, last - 1)
    action = np.where(ended & (events.cls[after] == events.cls[begin]), events.action[after], 0)
    upgrades = after[action == STEP_UPGRADE]
    until_free = ended & ~np.isin(action, (STEP_ACQUIRE, STEP_TRIED, STEP_UPGRADE, STEP_FAIL))
    slept = sleeps_within(events, begin, end)
    free = until_free & (slept >= 0)
    never, sleep = endless_waits(events)
    return [
        asked(events, upgrades),
        asked(events, slept[free], begin[free], mode=EXCLUSIVE),
        asked(events, sleep[sleep >= 0], never[sleep >= 0]),
    ]


def waits_begun(events: Events) -> tuple[np.ndarray, np.ndarray]:
    """Return where waits begin and end; one that never ends, behind the last event of its CPU."""
    rows = np.flatnonzero(np.isin(events.action, (STEP_WAIT, STEP_WAITED)))
    begin = rows[events.action[rows] == STEP_WAIT]
    following = np.append(rows, len(events.raw))[np.searchsorted(rows, begin, "right")]
    return begin, np.minimum(following, events.first[1:][events.cpu[begin]])


def endless_waits(events: Events) -> tuple[np.ndarray, np.ndarray]:
    """Return where waits begin that never ended, and the last sleep in each, -1: none; timed ones would have ended."""
    begin, end = waits_begun(events)
    slept = sleeps_within(events, begin, end)
    never = (end == events.first[1:][events.cpu[begin]]) & ~is_of(events, slept, WAIT_TIMED)
    return begin[never], slept[never]


def never_met(events: Events) -> np.ndarray:
    """Return where waits begin that never ended and asked for a lock; an upgrade asks for more of one.

    Of a run that did not end none is known: how a wait ended may be missing.
    """
    if events.unended:
        return np.zeros(0, np.int64)
    begin, slept = endless_waits(events)
    return begin[~is_of(events, slept, WAIT_UPGRADE)]


def is_of(events: Events, slept: np.ndarray, site: int) -> np.ndarray:
    """Tell which of some sleeps, -1: none, are those of a site."""
    return (slept >= 0) & (events.site[slept] == site)


def sleeps_within(events: Events, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the last sleep between two events of a CPU, -1 if there is none."""
    sleeps = last_before(np.append(events.action == STEP_SLEEP, False), np.zeros(1, np.int64))[end]
    return np.where(sleeps > begin, sleeps, -1)
