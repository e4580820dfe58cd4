"""What every CPU did, as spans in lanes: operations, page-ins, waits, locks held of each class."""

from dataclasses import dataclass

import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.grouping import OPERATIONS, cpu_name
from vmconc.analysis.names import lock_name, site_name
from vmconc.analysis.spans import Spans
from vmconc.analysis.timeline_waits import every_wait
from vmconc.analysis.tracks import operations, page_ins
from vmconc.locks.classes import CLASS_NAMES, CLASSES, MODE_NAMES
from vmconc.page.recorded import Recorded
from vmconc.schedule.steps import STEP_WAITED

OPERATION, PAGE_IN, WAIT, SHARED, EXCLUSIVE = range(5)  # kinds, also how they are drawn; of holds: + mode
SHOWS = ("operation", "page-in", "waiting")  # in the lanes in front of those of classes
LANES = len(SHOWS) + CLASSES  # of a CPU


@dataclass(frozen=True)
class Activity:
    """Columns of the same length, sorted by lane, kind and beginning."""

    events: Events
    lane: np.ndarray  # CPU * LANES + which of its lanes
    kind: np.ndarray
    begin: np.ndarray  # places of events
    endless: np.ndarray  # a wait that never ended: it is shown until the run's end
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
        kind, begin = int(self.kind[row]), int(self.begin[row])
        cls, there = int(self.events.cls[begin]), int(self.events.site[begin])
        if kind == OPERATION:
            return f"{OPERATIONS[cls]} for lwp {there}"
        if kind == PAGE_IN:
            return f"page-in at {site_name(self.events, there)}"
        lock = lock_name(self.events, int(self.lock[row])) if self.lock[row] else CLASS_NAMES[cls]
        does = "waits for" if kind == WAIT else f"holds {MODE_NAMES[kind - SHARED]}"
        until = ", until the run's end" if self.endless[row] else ""
        return f"{does} {lock}, {site_name(self.events, int(self.site[row]))}{until}"


def activity(run: Recorded) -> Activity:
    """Return all that lasted, of the CPUs only: the disk holds nothing."""
    events, used = run.events, run.used
    parts = [
        placed(operations(events), OPERATION, OPERATION),
        placed(page_ins(events), PAGE_IN, PAGE_IN),
        placed(every_wait(used.waited), WAIT, WAIT),
        placed(used.held, used.held.mode + SHARED, used.held.cls + len(SHOWS)),
    ]
    lane, kind, begin, end, site, lock = (np.concatenate(column) for column in zip(*parts, strict=True))
    cpu, time = events.cpu[begin].astype(np.int32), events.raw["time"]
    lane = cpu * LANES + lane
    order = np.lexsort((begin, kind, lane))
    order = order[cpu[order] < events.cpus]
    lane, kind, begin, end, site, lock = (column[order] for column in (lane, kind, begin, end, site, lock))
    endless = (kind == WAIT) & (events.action[end] != STEP_WAITED)
    to_tick = np.where(endless, run.shown[1], time[end])
    return Activity(events, lane, kind, begin, endless, time[begin], to_tick, site, lock)


def placed(spans: Spans, kind: np.ndarray | int, lane: np.ndarray | int) -> tuple[np.ndarray, ...]:
    """Return lane, kind, beginning, end, site and lock of spans."""
    kinds, lanes = (np.zeros(len(spans.begin), np.uint8) + np.uint8(0) + what for what in (kind, lane))
    return lanes.astype(np.uint8), kinds.astype(np.uint8), spans.begin, spans.end, spans.site, spans.lock
