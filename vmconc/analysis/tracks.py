"""What each CPU did, as tracks of slices that do not overlap: operations, page-ins, waiting, and each lock held."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.grouping import OPERATIONS
from vmconc.analysis.lanes import lanes
from vmconc.analysis.named import span_name
from vmconc.analysis.spans import Spans, every_pair
from vmconc.locks.classes import CLASS_NAMES
from vmconc.schedule.steps import STEP_BEGIN, STEP_END, STEP_READ, STEP_READ_DONE, STEP_WAIT

OPERATION, PAGE_IN, WAITING, HELD = "operations", "page-ins", "waiting", "held"


@dataclass(frozen=True)
class Track:
    """Slices of one CPU, in the order of time.  Holds of one class that overlap are on several tracks of one name."""

    cpu: int
    name: str  # OPERATION, PAGE_IN, WAITING, or `vm_object held`
    spans: Spans  # the class of an operation is its kind; operations and page-ins have no site
    title: np.ndarray  # of each slice: which of the titles it has


def tracks(events: Events, held: Spans, waited: Spans) -> tuple[list[str], list[Track]]:
    """Return the titles of slices and the tracks of every CPU; what did not end is on none.  See `left_out`."""
    titles: list[str] = []
    found: list[Track] = []
    kinds = [(OPERATION, operations(events)), (PAGE_IN, page_ins(events)), (WAITING, waited), (HELD, held)]
    for name, every in kinds:
        spans = every.only(~every.endless)
        some, title = titled(events, spans, name)
        found += kind_of_tracks(name, spans, title + len(titles))
        titles += some
    return titles, sorted(found, key=lambda track: track.cpu)


def kind_of_tracks(name: str, spans: Spans, title: np.ndarray) -> Iterator[Track]:
    """Yield the tracks of one kind."""
    cpus = spans.cpu
    for cpu in np.unique(cpus).tolist():
        own = np.flatnonzero(cpus == cpu)
        if name != HELD:
            yield Track(cpu, name, spans.only(own), title[own])
            continue
        for cls in np.unique(spans.cls[own]).tolist():
            some = own[spans.cls[own] == cls]
            lane = lanes(spans.begin[some], spans.end[some])
            for rows in (some[lane == number] for number in range(lane.max() + 1)):
                yield Track(cpu, f"{CLASS_NAMES[cls]} held", spans.only(rows), title[rows])


def titled(events: Events, spans: Spans, name: str) -> tuple[list[str], np.ndarray]:
    """Return the titles of spans of one kind, each once, and for each span which it has."""
    keys, title = np.unique(spans.lock << 9 | spans.cls.astype(np.int64) << 1 | spans.mode, return_inverse=True)
    parts = ((key >> 9, key >> 1 & 0xFF, key & 1) for key in keys.tolist())
    if name == OPERATION:
        return [OPERATIONS[cls] for _, cls, _ in parts], title
    return [span_name(events, *part) for part in parts], title


def operations(events: Events) -> Spans:
    """Return operations, as spans, also those that never ended."""
    begin, end = every_pair(events, STEP_BEGIN, STEP_END)
    none = np.zeros(len(begin), np.int64)
    return Spans(events, begin, end, none, events.cls[begin], none, none)


def page_ins(events: Events) -> Spans:
    """Return page-ins, as spans, also those that never ended; their lock is the page."""
    begin, end = every_pair(events, STEP_READ, STEP_READ_DONE)
    none = np.zeros(len(begin), np.int64)
    return Spans(events, begin, end, events.raw["lock"][begin], events.cls[begin], events.mode[begin], none)


def left_out(events: Events, found: list[Track]) -> int:
    """Return how many operations, page-ins, waits and holds are on no track, because they did not end."""
    begun = (events.gain > 0) | np.isin(events.action, (STEP_BEGIN, STEP_READ, STEP_WAIT))
    return int(begun.sum()) - sum(len(track.title) for track in found)
