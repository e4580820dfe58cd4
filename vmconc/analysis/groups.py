"""Running sums within groups of rows, as NumPy does them: what was so before each event."""

import numpy as np

FEW = 1 << 24  # numbers that are told apart by a table


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


def different(keys: np.ndarray) -> np.ndarray:
    """Return the different keys, sorted; of many, sorting is faster than the table of hashes of np.unique."""
    keys = np.sort(keys)
    return keys[group_starts(keys)]


def numbered(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different keys, sorted, and for each row the place of its key among them.

    Keys that are small are looked up in a table, which takes no sorting.
    """
    least = int(keys.min(initial=0))
    width = int(keys.max(initial=0)) - least + 1
    if width > FEW:
        found = different(keys)
        return found, np.searchsorted(found, keys)
    places = keys - least if keys.dtype == np.int64 else keys.astype(np.int64) - least
    there = np.zeros(width, bool)
    there[places] = True
    number = np.cumsum(there, dtype=np.int32) - 1
    return np.flatnonzero(there) + least, number[places]


def sorted_within(group: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the values sorted by group, numbered from 0, and within each group by size."""
    least = int(values.min(initial=0))
    width = int(values.max(initial=0)) - least + 1
    if (int(group.max(initial=0)) + 1) * width >= 1 << 62:
        return values[np.lexsort((values, group))]
    together = np.sort(group.astype(np.int64) * width + (values - least))
    return together % width + least
