"""Who waited and who held, summed up by class, lock, place in the source, CPU, LWP or phase."""

from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np

from vmconc.analysis.findings import Findings
from vmconc.analysis.grouping import GROUPINGS, grouped
from vmconc.analysis.rows import Row, columns, ordered, rows_of
from vmconc.analysis.summary import Summary
from vmconc.analysis.usage import Usage
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


@dataclass(frozen=True)
class Found:
    """What there is to sum up."""

    used: Usage
    moved: np.ndarray  # which of its acquisitions are of a lock that another CPU took before
    summary: Summary  # of the whole run

    @cached_property
    def total(self) -> Row:
        """Return the sums of all."""
        alone = [np.zeros(len(spans.begin), np.int64) for spans in self.used]
        return rows_of(ordered(columns(self.used, self.moved, alone, 1), "wait_ns")[1], ["total"])[0]


def report(run: Findings, by: str, sort: str, top: int, classes: list[int]) -> Report:
    """Return the `top` largest rows (0: all) of what is of some classes (none: of all)."""
    return tabulated(find(run, classes), by, sort, top, classes)


def find(run: Findings, classes: list[int]) -> Found:
    """Find what there is to sum up of some classes (none: of all)."""
    used = run.used.only(classes)
    return Found(used, run.bounced[used.acquired.begin], run.summary)


def tabulated(found: Found, by: str, sort: str, top: int, classes: list[int]) -> Report:
    """Return the `top` largest rows (0: all) of what was found of some classes."""
    keys, parts = grouped(found.used, by)
    order, sums = ordered(columns(found.used, found.moved, parts, len(keys)), SORTS[sort])
    names = [GROUPINGS[by][1](found.used.held.events, int(key)) for key in keys[order][: top or None]]
    return Report(
        found.summary, by, sort, [CLASS_NAMES[cls] for cls in classes], rows_of(sums, names), len(keys) - len(names),
        found.total,
    )  # fmt: skip
