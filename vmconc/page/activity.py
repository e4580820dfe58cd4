"""What every CPU did, as spans in lanes: operations, page-ins, waits, locks held of each class."""

from dataclasses import dataclass

import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.grouping import OPERATIONS, cpu_name
from vmconc.analysis.names import lock_name, site_name
from vmconc.analysis.spans import Spans
from vmconc.analysis.stretches import every_hold
from vmconc.analysis.timeline_waits import every_wait
from vmconc.analysis.tracks import operations, page_ins
from vmconc.locks.classes import CLASS_NAMES, CLASSES, MODE_NAMES
from vmconc.page.recorded import Recorded

OPERATION, PAGE_IN, WAIT, SHARED, EXCLUSIVE = range(5)  # kinds, also how they are drawn; of holds: + mode
SHOWS = ("operation", "page-in", "waiting")  # in the lanes in front of those of classes
LANES = len(SHOWS) + CLASSES  # of a CPU

ENDLESS = "not ended when recording did"


@dataclass(frozen=True)
class Activity:
    """Columns of the same length, sorted by lane and kind, in which what never ended comes first, and beginning."""

    events: Events
    lane: np.ndarray  # CPU * LANES + which of its lanes
    kind: np.ndarray
    endless: np.ndarray  # never ended: it is shown until the run's end
    begin: np.ndarray  # places of events
    from_tick: np.ndarray
    to_tick: np.ndarray
    site: np.ndarray
    lock: np.ndarray

    def lane_name(self, lane: int) -> list[str]:
        """Return the CPU and what its lane shows."""
        cpu, which = divmod(lane, LANES)
        shows = SHOWS[which] if which < len(SHOWS) else CLASS_NAMES[which - len(SHOWS)]
        return [cpu_name(self.events, cpu), shows]

    def text(self, row: int) -> str:
        """Say what one span is."""
        until = f"; {ENDLESS}" if self.endless[row] else ""
        kind, begin = int(self.kind[row]), int(self.begin[row])
        cls, there = int(self.events.cls[begin]), int(self.events.site[begin])
        if kind == OPERATION:
            return f"{OPERATIONS[cls]} for lwp {there}{until}"
        if kind == PAGE_IN:
            return f"page-in at {site_name(self.events, there)}{until}"
        lock = lock_name(self.events, int(self.lock[row])) if self.lock[row] else CLASS_NAMES[cls]
        does = "waits for" if kind == WAIT else f"holds {MODE_NAMES[kind - SHARED]}"
        return f"{does} {lock}, {site_name(self.events, int(self.site[row]))}{until}"


def activity(run: Recorded) -> Activity:
    """Return all that lasted, of the CPUs only: the disk holds nothing."""
    events, last = run.events, run.shown[1]
    held = every_hold(events)
    parts = [
        placed(operations(events), OPERATION, OPERATION, last),
        placed(page_ins(events), PAGE_IN, PAGE_IN, last),
        placed(every_wait(run.used.waited), WAIT, WAIT, last),
        placed(held, held.mode + SHARED, held.cls + len(SHOWS), last),
    ]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    lane, kind, endless, begin, *_ = columns
    order = np.lexsort((begin, ~endless, kind, lane))
    order = order[lane[order] < events.cpus * LANES]
    lane, kind, endless, begin, end, site, lock = (column[order] for column in columns)
    return Activity(events, lane, kind, endless, begin, events.raw["time"][begin], end, site, lock)


def placed(spans: Spans, kind: np.ndarray | int, lane: np.ndarray | int, last: int) -> tuple[np.ndarray, ...]:
    """Return lane, kind, whether it never ended, beginning, end in ticks, site and lock of spans."""
    lanes = spans.cpu.astype(np.int32) * LANES + lane
    kinds = np.full(len(lanes), kind, np.uint8)
    return lanes, kinds, spans.endless, spans.begin, spans.until(last), spans.site, spans.lock
