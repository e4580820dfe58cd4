"""Stacks, for what draws flame graphs: the operation, the place in the source, the lock's class and mode.

A stack's weights are how often a lock was acquired there, how long was waited for it, and how long it was held.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from vmconc.analysis.doing import kinds
from vmconc.analysis.events import Events
from vmconc.analysis.grouping import OPERATIONS
from vmconc.analysis.named import class_name
from vmconc.analysis.names import site_name
from vmconc.analysis.usage import Usage, usage

WEIGHTS = ("count", "wait", "hold")
UNITS = {"count": "count", "wait": "nanoseconds", "hold": "nanoseconds"}
CPU, KIND, SITE, CLASS, MODE = 37, 29, 9, 1, 0  # where the parts of a key begin


@dataclass(frozen=True)
class Stack:
    """One stack of one CPU; weights in the order of WEIGHTS, times in whole ns."""

    cpu: int
    frames: tuple[str, ...]  # outermost first
    weights: tuple[int, ...]


def stacks(events: Events) -> list[Stack]:
    """Return the stacks of every CPU."""
    return stacked(usage(events))


def stacked(used: Usage) -> list[Stack]:
    """Return the same of what was found before."""
    events, (got, *lasting) = used.held.events, used
    found = [
        summed(keys(events, got.begin, got.cls, got.mode, got.site), np.ones(len(got.begin))),
        *(summed(keys(events, s.begin, s.cls, s.mode, s.site), s.nanoseconds) for s in lasting),
    ]
    every = np.unique(np.concatenate([key for key, _ in found]))
    weights = np.zeros((len(every), len(WEIGHTS)))
    for column, (key, sums) in enumerate(found):
        weights[np.searchsorted(every, key), column] = sums
    return [stack(events, *row) for row in zip(every.tolist(), np.rint(weights).astype(int).tolist(), strict=True)]


def keys(events: Events, places: np.ndarray, cls: np.ndarray, mode: np.ndarray, site: np.ndarray) -> np.ndarray:
    """Return one number for all that a stack says."""
    parts = {CPU: events.cpu[places], KIND: kinds(events, places), SITE: site, CLASS: cls, MODE: mode}
    return sum((what.astype(np.int64) << begin for begin, what in parts.items()), np.zeros(len(places), np.int64))


def summed(key: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each key once, with the sum of its values."""
    found, inverse = np.unique(key, return_inverse=True)
    return found, np.bincount(inverse, values, len(found))


def stack(events: Events, key: int, weights: list[int]) -> Stack:
    """Put a stack into words."""
    ends = [64, CPU, KIND, SITE, CLASS, MODE]
    cpu, kind, site, cls, mode = (key >> low & (1 << high - low) - 1 for high, low in pairwise(ends))
    frames = (OPERATIONS[kind], site_name(events, site), class_name(cls, mode))
    return Stack(cpu, frames, tuple(weights))


def root(run: dict[str, Any]) -> str:
    """Return the outermost frame of all stacks: program and protocol; programs about locks have none."""
    return f"{run['program']} {run.get('protocol', '')}".strip()
