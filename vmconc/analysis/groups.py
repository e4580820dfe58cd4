"""Running sums within groups of rows, as NumPy does them: what was so before each event."""

import numpy as np


def group_starts(*keys: np.ndarray) -> np.ndarray:
    """Return, for rows sorted by `keys`, where each group of equal rows begins."""
    change = np.zeros(len(keys[0]), bool)
    change[:1] = True
    for key in keys:
        change[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(change)


def sums_before(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return, for each row, the sum of the values of its group's rows before it."""
    total = np.cumsum(values, dtype=np.int64) - values
    lengths = np.diff(np.append(starts, len(values)))
    return total - np.repeat(total[starts], lengths)


def matched(gain: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where something opens (1), and where each closes (-1), -1 if it never does.

    The last one of a group that was opened is the first one closed.
    """
    level = sums_before(gain, starts) + (gain > 0)
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(gain))))
    order = np.lexsort((level, group))
    gain, level, group = gain[order], level[order], group[order]
    opens = np.flatnonzero(gain > 0)
    after = np.minimum(opens + 1, len(gain) - 1)
    closed = (gain[after] < 0) & (level[after] == level[opens]) & (group[after] == group[opens])
    return order[opens], np.where(closed, order[after], -1)


def last_before(marked: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return, for each row, the place of the last marked row of its group before it, -1 if there is none."""
    places = np.where(marked, np.arange(len(marked)), -1)
    latest = np.maximum.accumulate(places)
    before = np.concatenate([[-1], latest[:-1]]) if len(marked) else latest
    begin = np.repeat(starts, np.diff(np.append(starts, len(marked))))
    return np.where(before >= begin, before, -1)
