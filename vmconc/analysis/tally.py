"""Sums and percentiles of how long things lasted, by group; whole numbers of ticks, so that sums agree exactly."""

from dataclasses import dataclass

import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.groups import sorted_within


@dataclass(frozen=True)
class Times:
    """Columns with an entry for each group; all but `count` in ticks.  A group of nothing has zeros."""

    count: np.ndarray
    total: np.ndarray
    p50: np.ndarray
    p99: np.ndarray
    p999: np.ndarray  # per mille
    most: np.ndarray


def times(group: np.ndarray, ticks: np.ndarray, groups: int) -> Times:
    """Sum up by group, numbered from 0.  A percentile is a value that occurred: that of the nearest rank above."""
    ordered = sorted_within(group, ticks)
    count = np.bincount(group, minlength=groups)
    ends = np.cumsum(count)
    total = np.diff(np.concatenate([[0], np.cumsum(ordered)])[np.concatenate([[0], ends])])

    def rank(per_mille: int) -> np.ndarray:
        above = -(-count * per_mille // 1000)
        value = np.zeros(groups, np.int64)
        value[count > 0] = ordered[(ends - count + above - 1)[count > 0]]
        return value

    return Times(count, total, rank(500), rank(990), rank(999), rank(1000))


def bounced(events: Events) -> np.ndarray:
    """Tell, for each event, whether it takes a lock that another CPU took before: by number, not by time."""
    rows = np.flatnonzero(events.gain > 0)
    rows = rows[np.lexsort((events.raw["number"][rows], events.raw["lock"][rows]))]
    lock, cpu = events.raw["lock"][rows], events.cpu[rows]
    mark = np.zeros(len(events.raw), bool)
    mark[rows[1:]] = (lock[1:] == lock[:-1]) & (cpu[1:] != cpu[:-1])
    return mark
