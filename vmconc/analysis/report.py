"""Who waited and who held, summed up by class, lock, place in the source, CPU, LWP or phase."""

import msgspec
import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.grouping import GROUPINGS
from vmconc.analysis.groups import numbered
from vmconc.analysis.rows import Row, columns, ordered, rows_of
from vmconc.analysis.summary import Summary, summarise
from vmconc.analysis.tally import bounced
from vmconc.analysis.usage import Usage, usage
from vmconc.locks.classes import CLASS_NAMES

SORTS = {
    "wait": "wait_ns", "hold": "hold_ns", "count": "acquired", "contended": "contended", "avg": "wait_avg_ns",
    "p50": "wait_p50_ns", "p99": "wait_p99_ns", "max": "wait_max_ns", "bounces": "bounces",
}  # fmt: skip


class Report(msgspec.Struct):
    """A table: its largest rows, and the sums of all."""

    summary: Summary
    by: str
    sort: str
    classes: list[str]  # it is of these only; none: of all
    rows: list[Row]
    left_out: int  # rows
    total: Row


def report(events: Events, run_dir: str, by: str, sort: str, top: int, classes: list[int]) -> Report:
    """Return the `top` largest rows (0: all) of what is of some classes (none: of all)."""
    every = usage(events)
    return tabulated(every, bounced(events), summarise(events, run_dir, every), by, sort, top, classes)


def tabulated(
    every: Usage, moved: np.ndarray, summary: Summary, by: str, sort: str, top: int, classes: list[int]
) -> Report:
    """Return the same of what was found before: all there is, which events bounced, and its summary."""
    used, events = every.only(classes), every.held.events
    group, name = GROUPINGS[by]
    keys, numbers = numbered(np.concatenate([group(spans) for spans in used]))
    parts = np.split(numbers, np.cumsum([len(spans.begin) for spans in used])[:-1])
    moved = moved[used.acquired.begin]
    order, found = ordered(columns(used, moved, parts, len(keys)), SORTS[sort])
    names = [name(events, int(key)) for key in keys[order][: top or None]]
    _, total = ordered(columns(used, moved, [np.zeros_like(part) for part in parts], 1), SORTS[sort])
    return Report(
        summary, by, sort, [CLASS_NAMES[cls] for cls in classes], rows_of(found, names), len(keys) - len(names),
        rows_of(total, ["total"])[0],
    )  # fmt: skip
