"""The head of every report: what ran, how fast, how much of it was waiting, and what was not seen."""

from typing import Any

import msgspec
import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.held import page_in_pairs
from vmconc.analysis.spans import pairs
from vmconc.analysis.tally import times
from vmconc.analysis.usage import Usage
from vmconc.schedule.steps import STEP_BEGIN, STEP_END, STEP_READ, STEP_WAIT
from vmconc.vm.opcodes import TOUCH


class Lasted(msgspec.Struct):
    """How often something was, and how long it lasted, in ns."""

    count: int
    total_ns: float
    p50_ns: float
    p99_ns: float
    max_ns: float


class Summary(msgspec.Struct):
    """One run."""

    run_dir: str
    program: str
    protocol: str
    cpus: int
    mode: str  # recorded, or timed: then `faults` and `page_ins` are only counted, and there are no events
    seed: int
    seconds: float  # from the first event of a CPU to the last one
    faults: Lasted
    page_ins: Lasted
    acquired: int
    contended: int
    wait_ns: float
    wait_percent: float  # of `seconds` times the number of CPUs
    events: int
    lost: int | None  # None: not known, as with `ring_waits`
    ring_waits: int | None  # times that a CPU waited until events were written
    unfinished_waits: int  # in no figure
    unfinished_holds: int
    unfinished_operations: int = 0  # not known of timed runs, as with page-ins
    unfinished_page_ins: int = 0
    switched_on: list[str] = []  # bugs and delays
    ending: list[str] = []  # why the run did not end by itself
    found: list[str] = []  # the violations that its CPUs, and the check at rest, have found
    unended: str = ""  # what is missing because the run did not end
    gaps: list[str] = []  # what is not known of a timed run, and why

    @property
    def under(self) -> str:
        """Return the protocol, and what is switched on in it, as part of a sentence; empty: there is neither."""
        protocol = f" under {self.protocol}" if self.protocol else ""
        return protocol + (f" with {', '.join(self.switched_on)}" if self.switched_on else "")

    @property
    def unfinished(self) -> list[tuple[str, int]]:
        """Return what had not ended, and how many there were."""
        found = [
            ("operations", self.unfinished_operations), ("page-ins", self.unfinished_page_ins),
            ("waits", self.unfinished_waits), ("holds", self.unfinished_holds),
        ]  # fmt: skip
        return [(what, count) for what, count in found if count]

    @property
    def faults_per_second(self) -> float:
        """Return faults per second of the time between the first event and the last."""
        return self.faults.count / self.seconds if self.seconds else 0.0


def summarise(events: Events, run_dir: str, used: Usage) -> Summary:
    """Sum up a run; `used` is all there is."""
    run, (first, last), (acquired, waited, held) = events.run, extent(events), used
    read, begun = page_in_pairs(events), np.bincount(events.action, minlength=256)
    wait_ns, seconds = float(waited.ticks.sum()) * events.tick, (last - first) * events.tick / 1e9
    lost, ring_waits = (None, None) if events.unended else (events.lost, sum(run["recording"]["waits"]))
    return Summary(
        run_dir, run["program"], events.protocol, events.cpus, "recorded", run.get("seed", 0), seconds,
        lasted(events, *faults(events)), lasted(events, *read),
        len(acquired.begin), len(waited.begin), wait_ns, 100 * wait_ns / max(1.0, seconds * 1e9 * events.cpus),
        len(events.raw), lost, ring_waits,
        int(begun[STEP_WAIT]) - len(waited.begin), int((events.gain > 0).sum()) - len(held.begin),
        int(begun[STEP_BEGIN]) - len(operations(events)[0]), int(begun[STEP_READ]) - len(read[0]), **told_by_run(run),
    )  # fmt: skip


def told_by_run(run: dict[str, Any]) -> dict[str, Any]:
    """Return what run.json says besides the events: what was switched on, how the run ended, what was found in it."""
    options, ending = run.get("options") or {}, run.get("ending") or {}
    violations = [found["text"] if isinstance(found, dict) else found for found in run.get("violations") or []]
    return {
        "switched_on": [*options.get("bugs", []), *(f"--delay {word}" for word in options.get("delays", []))],
        "ending": [ending["message"], *ending.get("report", [])] if ending.get("message") else [],
        "found": violations, "unended": run.get("unended", ""),
    }  # fmt: skip


def extent(events: Events) -> tuple[int, int]:
    """Return the ticks of the first and the last event of a CPU; the disk's events, in the last ring, do not count."""
    time = events.raw["time"][: events.first[events.cpus]]
    return (int(time.min()), int(time.max())) if len(time) else (0, 0)


def operations(events: Events) -> tuple[np.ndarray, np.ndarray]:
    """Return the places where operations begin and end."""
    return pairs(events, np.flatnonzero(np.isin(events.action, (STEP_BEGIN, STEP_END))), STEP_BEGIN, STEP_END)


def faults(events: Events) -> tuple[np.ndarray, np.ndarray]:
    """Return the places where faults begin and end."""
    begin, end = operations(events)
    touch = events.cls[begin] == TOUCH
    return begin[touch], end[touch]


def lasted(events: Events, begin: np.ndarray, end: np.ndarray) -> Lasted:
    """Sum up what lasted from each beginning to its end."""
    found = times(np.zeros(len(begin), np.int64), events.raw["time"][end] - events.raw["time"][begin], 1)
    total, p50, p99, most = (float(each[0]) * events.tick for each in (found.total, found.p50, found.p99, found.most))
    return Lasted(int(found.count[0]), total, p50, p99, most)
