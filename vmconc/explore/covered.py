"""What a search that is guided by coverage remembers, in memory that all processes of the search share."""

import mmap
from typing import NamedTuple

import numpy as np

from vmconc.schedule.coverage import FEATURES, KEPT_MAX, LENGTH_MAX


class Covered(NamedTuple):
    """What was seen, and the executions that showed something new (schedule/coverage.py)."""

    features: np.ndarray  # 1: it was seen
    kept: np.ndarray  # the decisions of the executions kept
    lengths: np.ndarray  # how many those are
    total: np.ndarray  # one word: executions kept so far, more than there is room for


def remember_nothing() -> Covered:
    """Return empty tables; processes that are forked from now on share them."""
    return Covered(shared(FEATURES), shared(KEPT_MAX, LENGTH_MAX), shared(KEPT_MAX), shared(1))


def shared(*shape: int) -> np.ndarray:
    """Return an array of zeros that forked processes share."""
    size = int(np.prod(shape)) * np.dtype(np.int64).itemsize
    return np.frombuffer(mmap.mmap(-1, size), np.int64).reshape(shape)
