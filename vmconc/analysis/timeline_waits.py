"""Waits in a part of a run, also those that never ended: which were longest, and which fill which column of time."""

from dataclasses import dataclass

import msgspec
import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.grouping import instance_name, instances
from vmconc.analysis.groups import last_before
from vmconc.analysis.holders import expanded
from vmconc.analysis.names import site_name
from vmconc.analysis.spans import Spans, unclosed, waits
from vmconc.schedule.steps import STEP_SLEEP, STEP_WAIT, STEP_WAITED


class LongWait(msgspec.Struct):
    """A wait, as far as it lay in the time that is shown."""

    cpu: int
    begin_ns: float
    nanoseconds: float
    lock: str
    site: str


@dataclass(frozen=True)
class Waits:
    """Waits in the time that is shown, as columns; times in ticks, within it."""

    spans: Spans
    begin: np.ndarray
    end: np.ndarray

    def of(self, cpu: int) -> "Waits":
        """Return those of one CPU."""
        own = self.spans.cpu == cpu
        return Waits(self.spans.only(own), self.begin[own], self.end[own])


def waits_inside(events: Events, edges: np.ndarray, cpus: list[int]) -> Waits:
    """Return what of the waits of some CPUs lies between the edges; one that never ended lasts until the last edge."""
    waited = every_wait(waits(events))
    begin = np.maximum(events.raw["time"][waited.begin], edges[0])
    end = np.minimum(waited.until(edges[-1]), edges[-1])
    kept = (begin < end) & np.isin(waited.cpu, cpus)
    return Waits(waited.only(kept), begin[kept], end[kept])


def every_wait(ended: Spans) -> Spans:
    """Return all waits: those that ended, and those that never did."""
    events = ended.events
    begin, end = unclosed(events, STEP_WAIT, STEP_WAITED)
    slept = last_before(np.append(events.action == STEP_SLEEP, False), np.zeros(1, np.int64))[end]
    told = np.where(slept > begin, slept, begin)
    columns = [
        (ended.begin, begin), (ended.end, end), (ended.lock, events.raw["lock"][told]),
        (ended.cls, events.cls[begin]), (ended.mode, events.mode[begin]), (ended.site, events.site[told]),
    ]  # fmt: skip
    return Spans(events, *(np.concatenate(column) for column in columns))


def longest(events: Events, waited: Waits, top: int) -> list[LongWait]:
    """Return the longest waits, as many as are asked for (0: all)."""
    lasted, spans = waited.end - waited.begin, waited.spans
    cpus, keys = spans.cpu, instances(spans)
    return [
        LongWait(
            int(cpus[i]), float(events.nanoseconds(waited.begin[i])), float(lasted[i] * events.tick),
            instance_name(events, int(keys[i])), site_name(events, int(spans.site[i])),
        )
        for i in np.argsort(-lasted, kind="stable")[: top or None].tolist()
    ]  # fmt: skip


def waited_for(events: Events, waited: Waits, edges: np.ndarray) -> list[str]:
    """Return the lock that was waited for longest in each column; empty: none was."""
    first, behind = np.searchsorted(edges, waited.begin, "right") - 1, np.searchsorted(edges, waited.end)
    wait, column = expanded(first, behind)
    ticks = np.minimum(waited.end[wait], edges[column + 1]) - np.maximum(waited.begin[wait], edges[column])
    locks, lock = np.unique(instances(waited.spans), return_inverse=True)
    keys, inverse = np.unique(column * len(locks) + lock[wait], return_inverse=True)
    names = [instance_name(events, key) for key in locks.tolist()]
    found = [""] * (len(edges) - 1)
    for key in keys[np.argsort(np.bincount(inverse, ticks))].tolist():
        found[key // len(locks)] = names[key % len(locks)]
    return found
