"""OpenMetrics text: acquisitions, waits and holds by lock class and mode, as counters and histograms."""

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.spans import Spans, holds, waits
from vmconc.locks.classes import CLASS_NAMES, MODE_NAMES

ABOUT = ("program", "protocol", "cpus", "threads", "seed")
BOUNDS = (1e-07, 1e-06, 1e-05, 0.0001, 0.001, 0.01, 0.1, 1.0)  # seconds


def write_openmetrics(events: Events, out: BinaryIO, say: Callable[[str], None]) -> list[str]:
    """Write the metrics of a run; times in seconds, as the format wants them."""
    say("adding up by class")
    lines = [*about(events), *acquisitions(events)]
    for name, spans in (("wait", waits(events)), ("hold", holds(events))):
        lines += histograms(f"vmconc_{name}_seconds", spans)
    out.write("\n".join([*lines, "# EOF", ""]).encode())
    return [f"{len(lines):,} lines"]


def about(events: Events) -> Iterator[str]:
    """Say what was run, and whether all of it was recorded."""
    yield "# TYPE vmconc_run info"
    yield f"vmconc_run_info{labels(**{key: events.run[key] for key in ABOUT if key in events.run})} 1"
    lost = [] if events.unended else [("events_lost", events.lost)]
    for name, count in [("events", len(events.raw)), *lost]:
        yield f"# TYPE vmconc_{name} counter"
        yield f"vmconc_{name}_total {count}"


def acquisitions(events: Events) -> Iterator[str]:
    """Count how often locks were acquired."""
    yield "# TYPE vmconc_acquisitions counter"
    for cls, mode, rows in groups(events.cls[events.acquired], events.mode[events.acquired]):
        yield f"vmconc_acquisitions_total{named(cls, mode)} {len(rows)}"


def histograms(name: str, spans: Spans) -> Iterator[str]:
    """Write how long spans lasted, by class and mode."""
    yield f"# TYPE {name} histogram"
    yield f"# UNIT {name} seconds"
    seconds = spans.nanoseconds / 1e9
    for cls, mode, rows in groups(spans.cls, spans.mode):
        own = np.sort(seconds[rows])
        for bound, count in zip(BOUNDS, np.searchsorted(own, BOUNDS, "right"), strict=True):
            yield f"{name}_bucket{named(cls, mode, le=bound)} {count}"
        yield f"{name}_bucket{named(cls, mode, le='+Inf')} {len(own)}"
        yield f"{name}_count{named(cls, mode)} {len(own)}"
        yield f"{name}_sum{named(cls, mode)} {float(own.sum())!r}"


def groups(cls: np.ndarray, mode: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield each class and mode there is, with its rows."""
    keys = cls.astype(np.int64) * 2 + mode
    for key in np.unique(keys).tolist():
        yield key // 2, key % 2, np.flatnonzero(keys == key)


def named(cls: int, mode: int, **more: Any) -> str:
    """Return the labels of a class and a mode."""
    return labels(**{"class": CLASS_NAMES[cls], "mode": MODE_NAMES[mode]}, **more)


def labels(**values: Any) -> str:
    """Write labels."""
    return "{" + ",".join(f'{key}="{escaped(str(value))}"' for key, value in values.items()) + "}"


def escaped(said: str) -> str:
    """Write what may stand between quotation marks."""
    return said.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
