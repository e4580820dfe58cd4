"""Spans that overlap, laid out in lanes in which none do: viewers take what overlaps in one lane for nested."""

import numpy as np


def lanes(begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the lane of each span, the first one that is free; spans are sorted by `begin`, and none is empty."""
    lane = np.empty(len(begin), np.int64)
    left = np.arange(len(begin))
    number = 0
    while len(left):
        fits = one_lane(begin[left], end[left])
        lane[left[fits]] = number
        left = left[~fits]
        number += 1
    return lane


def one_lane(begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Tell which spans a lane takes: the first one, then each time the first one that begins after its end.

    `reached` is how far a number of steps leads, which doubles in each round.
    """
    count = len(begin)
    reached = np.append(np.searchsorted(begin, end), count)
    taken = np.zeros(count + 1, bool)
    taken[0] = True
    while reached[0] < count:
        taken[reached[taken]] = True
        reached = reached[reached]
    taken[reached[taken]] = True
    return taken[:-1]
