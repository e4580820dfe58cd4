"""The lock-order graph: what was held when something was asked for that may have to wait for ever."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.groups import different, group_starts
from vmconc.analysis.held import SPINLOCKS, TOKENS
from vmconc.analysis.lives import lives, lock_in
from vmconc.analysis.names import lock_name
from vmconc.analysis.requests import PAGE_IN, Requests, requests
from vmconc.analysis.spans import Spans
from vmconc.analysis.stretches import stretches
from vmconc.locks.classes import CLASS_NAMES, CLASSES, CONDITION, MUTEX, SEMAPHORE, UNORDERED

AT_ONCE = 1 << 21  # pairs of a hold and a request in it that are looked at together


@dataclass(frozen=True)
class Edges:
    """Columns of the same length: from, to, modes and CPU together occur in one row only.

    `source` and `target` are nodes: a lock class, or CLASSES + a place in `locks` where one lock of a class is told
    from another: between two of the same class, and in programs about locks.
    """

    source: np.ndarray
    target: np.ndarray
    held_mode: np.ndarray
    mode: np.ndarray
    cpu: np.ndarray
    count: np.ndarray
    hold: np.ndarray  # the first one: row of the hold
    request: np.ndarray  # and of the request


@dataclass(frozen=True)
class Order:
    """Holds and requests of a run, and the pairs they make."""

    events: Events
    holds: Spans
    requests: Requests

    @cached_property
    def held(self) -> np.ndarray:
        """Return which lock, in which life, each hold is of."""
        return lives(self.events, self.holds.lock, self.holds.begin)

    @cached_property
    def asked(self) -> np.ndarray:
        """Return which lock, in which life, each request is for."""
        return lives(self.events, self.requests.lock, self.requests.place)

    @cached_property
    def locks(self) -> np.ndarray:
        """Return all locks in all their lives, sorted."""
        return different(np.concatenate([self.held, self.asked]))

    @cached_property
    def edges(self) -> Edges:
        """Return the graph."""
        found: list[tuple[np.ndarray, ...]] = []
        for hold, request in self.pairs():
            key = self.keys(hold, request)
            keys, first, count = np.unique(key, return_index=True, return_counts=True)
            found.append((keys, count, hold[first], request[first]))
        return self.merged(*(np.concatenate(column) for column in zip(*found, strict=True)))

    def merged(self, key: np.ndarray, count: np.ndarray, hold: np.ndarray, request: np.ndarray) -> Edges:
        """Put rows with the same key together."""
        rank = np.argsort(key, kind="stable")
        key, count, hold, request = key[rank], count[rank], hold[rank], request[rank]
        starts = group_starts(key)
        total = np.add.reduceat(count, starts) if len(key) else count
        nodes, cpus = CLASSES + len(self.locks), len(self.events.first)
        rest, cpu = np.divmod(key[starts], cpus)
        rest, modes = np.divmod(rest, 4)
        source, target = np.divmod(rest, nodes)
        return Edges(source, target, modes >> 1, modes & 1, cpu, total, hold[starts], request[starts])

    def keys(self, hold: np.ndarray, request: np.ndarray) -> np.ndarray:
        """Return a number for each pair that says all that an edge is: nodes, modes and CPU."""
        holds, asked = self.holds, self.requests
        held, wanted = holds.cls[hold].astype(np.int64), asked.cls[request].astype(np.int64)
        fine = (held == wanted) | (held >= MUTEX)
        source = np.where(fine, CLASSES + self.lock_of_hold[hold], held)
        target = np.where(fine, CLASSES + self.lock_of_request[request], wanted)
        step = source, holds.mode[hold].astype(np.int64), target, asked.mode[request]
        return self.key_of(step) * len(self.events.first) + holds.cpu[hold]

    def key_of(self, step: tuple[Any, Any, Any, Any]) -> Any:
        """Return a number for the node and mode held and those asked for."""
        source, held_mode, target, mode = step
        return (source * (CLASSES + len(self.locks)) + target) * 4 + held_mode * 2 + mode

    @cached_property
    def lock_of_hold(self) -> np.ndarray:
        """Return the place in `locks` of each hold's lock."""
        return np.searchsorted(self.locks, self.held)

    @cached_property
    def lock_of_request(self) -> np.ndarray:
        """Return the place in `locks` of each request's lock."""
        return np.searchsorted(self.locks, self.asked)

    def pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield rows of holds and of requests made in them, some at once; what is given up in a wait is left out."""
        low = np.searchsorted(self.requests.place, self.holds.begin, "right")
        number = np.maximum(np.searchsorted(self.requests.place, self.holds.end, "left") - low, 0)
        number[np.isin(self.holds.cls, (SEMAPHORE, CONDITION))] = 0
        before = np.concatenate([[0], np.cumsum(number)])
        cuts = np.append(np.searchsorted(before, np.arange(0, max(1, before[-1]), AT_ONCE)), len(number))
        for first, last in pairwise(cuts):
            hold = np.repeat(np.arange(first, last), number[first:last])
            request = np.arange(before[first], before[last]) - before[hold] + low[hold]
            kept = self.kept(hold, request)
            yield hold[kept], request[kept]

    def kept(self, hold: np.ndarray, request: np.ndarray) -> np.ndarray:
        """Tell which holds last while the request waits: a token's does only where its holder spins."""
        token = np.isin(self.holds.cls, TOKENS)[hold]
        spins = np.isin(self.requests.cls, SPINLOCKS)[request]
        own = self.requests.upgrade[request] & (self.holds.lock[hold] == self.requests.lock[request])
        return (~token | spins) & ~own

    def class_of(self, node: int) -> int:
        """Return the class of a node's locks."""
        if node < CLASSES:
            return node
        lock = self.locks[node - CLASSES]
        found = np.flatnonzero(self.held == lock)
        if len(found):
            return int(self.holds.cls[found[0]])
        return int(self.requests.cls[np.flatnonzero(self.asked == lock)[0]])

    def lock_name(self, number: int) -> str:
        """Name a lock of `locks`; which life of its record it was in is said from the second on."""
        offset, life = lock_in(int(self.locks[number]))
        return lock_name(self.events, offset) + (f" in its life {life + 1}" if life else "")


def lock_order(events: Events) -> Order:
    """Return the order in which a run's CPUs asked for locks."""
    return Order(events, stretches(events), requests(events))


def violates(held: int, wanted: int) -> bool:
    """Tell whether an edge goes against the declared order of the classes."""
    return PAGE_IN < wanted < held < UNORDERED


def class_name(cls: int) -> str:
    """Name a class, or the disk."""
    return CLASS_NAMES.get(cls, "page-in")
