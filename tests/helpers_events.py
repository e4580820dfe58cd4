"""Recorded events that were never recorded: stories of who did what, for what is found in events afterwards."""

import msgspec
import numpy as np

from vmconc.analysis.events import EVENT, Events
from vmconc.locks.classes import CHAIN, EXCLUSIVE, MUTEX, PAGE_SPIN, PIP, RWLOCK, SHARED, VM_MAP, VM_OBJECT, VM_PAGE
from vmconc.memory.ring import FOLDER, packed
from vmconc.schedule.steps import (
    STEP_ACQUIRE,
    STEP_BEGIN,
    STEP_DOWNGRADE,
    STEP_END,
    STEP_FREE,
    STEP_LOSE,
    STEP_RELEASE,
    STEP_REOWN,
    STEP_TRIED,
    STEP_UPGRADE,
    STEP_WAIT,
    STEP_WAITED,
)

MAP, MAP_2, OBJECT, CHAIN_LOCK, BUSY, SPIN, COUNT = range(0x1000, 0x8000, 0x1000)
CHAIN_2, CHAIN_3, MUTEX_1, MUTEX_2, RW = range(0x8000, 0xD000, 0x1000)
CLASS = {
    MAP: VM_MAP, MAP_2: VM_MAP, OBJECT: VM_OBJECT, CHAIN_LOCK: CHAIN, BUSY: VM_PAGE, SPIN: PAGE_SPIN, COUNT: PIP,
    CHAIN_2: CHAIN, CHAIN_3: CHAIN, MUTEX_1: MUTEX, MUTEX_2: MUTEX, RW: RWLOCK,
}  # fmt: skip
COUNTED = (STEP_ACQUIRE, STEP_TRIED, STEP_UPGRADE, STEP_REOWN, STEP_FREE)  # up
LOSSES = (STEP_RELEASE, STEP_DOWNGRADE, STEP_LOSE)
S, X = SHARED, EXCLUSIVE


def story(*steps, protocol="backing", cpus=2, tick=1):
    """Return the events of (cpu, action, lock, mode, site, class, time) in the order in which they happened.

    Each step takes a tick, which is so many nanoseconds; a number among the steps is so many ticks in which nothing
    happens.  A step with a time is stamped with it, whatever the order.
    """
    numbers, rows, time = dict.fromkeys(CLASS, 0), [[] for _ in range(cpus)], 0
    for step in steps:
        if isinstance(step, int):
            time += step
            continue
        cpu, action, *more = step
        lock, mode, site = (*more, 0, 0, 0)[:3]
        cls = more[3] if len(more) > 3 else CLASS.get(lock, 0)
        numbers[lock] = numbers.get(lock, 0) + (action in COUNTED)
        number = numbers[lock] if action in COUNTED + LOSSES else 0
        stamp = more[4] if len(more) > 4 else time
        rows[cpu].append((stamp, lock, number, int(packed(action, cls, mode, site))))
        time += 1
    recording = {"dropped": [0], "unwritten": [0] * cpus, "ticks": (0, 2), "sites": {}}
    recording["nanoseconds"] = (0, int(2 * tick))
    recording |= {"tables": {}, "waits": [0], "events": [len(rows_of_one) for rows_of_one in rows]}
    raw = np.array([row for rows_of_one in rows for row in rows_of_one], EVENT)
    first = np.concatenate([[0], np.cumsum(recording["events"])])
    run = {"program": "story", "protocol": protocol, "cpus": cpus, "seed": 0, "recording": recording}
    return Events(run, raw, first)


def took(cpu, lock, mode=X, site=0):
    return cpu, STEP_ACQUIRE, lock, mode, site


def gave(cpu, lock, mode=X):
    return cpu, STEP_RELEASE, lock, mode


def waits(cpu, cls, mode=X):
    return cpu, STEP_WAIT, 0, mode, 0, cls


def waited(cpu, cls):
    return cpu, STEP_WAITED, 0, 0, 0, cls


def begins(cpu, kind, lwp):
    return cpu, STEP_BEGIN, 0, 0, lwp, kind


def ends(cpu, kind):
    return cpu, STEP_END, 0, 0, 0, kind


def write_run(path, events):
    """Write events as a run directory; return it."""
    (path / FOLDER).mkdir(parents=True)
    (path / "run.json").write_bytes(msgspec.json.encode(events.run))
    for cpu in range(len(events.first) - 1):
        events.raw[events.first[cpu] : events.first[cpu + 1]].tofile(path / FOLDER / f"cpu{cpu}")
    return path
