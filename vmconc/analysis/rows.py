"""The rows of a report: what is summed up for each group of acquisitions, waits and holds."""

from typing import Any

import msgspec
import numpy as np

from vmconc.analysis.tally import Times, times
from vmconc.analysis.usage import Usage
from vmconc.locks.classes import EXCLUSIVE, SHARED

Columns = dict[str, Any]  # of Row, an array each


class Row(msgspec.Struct):
    """The sums of one group; times in ns, NaN where nothing is to be divided by."""

    name: str
    acquired: int  # in both modes
    shared: int
    exclusive: int
    contended: int
    contended_percent: float  # of `acquired`
    wait_ns: float
    wait_avg_ns: float
    wait_p50_ns: float
    wait_p99_ns: float
    wait_max_ns: float
    wait_percent: float  # of all waiting in the table
    cumulative_percent: float  # the same of this row and those before it
    holds: int
    hold_ns: float
    hold_avg_ns: float
    hold_p50_ns: float
    hold_p99_ns: float
    hold_max_ns: float
    bounces: int  # acquisitions of a lock that another CPU took before
    bounces_percent: float  # of `acquired`


def columns(used: Usage, bounced: np.ndarray, numbers: list[np.ndarray], groups: int) -> Columns:
    """Sum up by group; `bounced` tells which acquisitions did.

    `numbers`: of acquisitions, waits and holds, the number of the group each belongs to, from 0.
    """

    def count(rows: np.ndarray) -> np.ndarray:
        return np.bincount(numbers[0][rows], minlength=groups)

    shared, exclusive = (count(used.acquired.mode == mode) for mode in (SHARED, EXCLUSIVE))
    acquired, bounces = shared + exclusive, count(bounced)
    waited, held = times(numbers[1], used.waited.ticks, groups), times(numbers[2], used.held.ticks, groups)
    return {
        "acquired": acquired, "shared": shared, "exclusive": exclusive, "contended": waited.count, "holds": held.count,
        "contended_percent": percent(waited.count, acquired), "wait_percent": percent(waited.total, waited.total.sum()),
        "bounces": bounces, "bounces_percent": percent(bounces, acquired),
        **nanoseconds("wait", waited, used.held.events.tick), **nanoseconds("hold", held, used.held.events.tick),
    }  # fmt: skip


def nanoseconds(kind: str, lasted: Times, tick: float) -> Columns:
    """Return the columns of what lasted."""
    of_each = {"avg": ratio(lasted.total, lasted.count), "p50": lasted.p50, "p99": lasted.p99, "max": lasted.most}
    found = {f"{kind}_{name}_ns": np.where(lasted.count, of_each[name], np.nan) * tick for name in of_each}
    return {f"{kind}_ns": lasted.total * tick, **found}


def ratio(part: np.ndarray, whole: Any) -> np.ndarray:
    """Divide; what is divided by nothing is NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole == 0, np.nan, part / whole)


def percent(part: np.ndarray, whole: Any) -> np.ndarray:
    """Return 100 times the ratio."""
    return 100 * ratio(part, whole)


def ordered(found: Columns, by: str) -> tuple[np.ndarray, Columns]:
    """Return the order of the groups, the largest first, and the columns in that order with their cumulative share."""
    order = np.argsort(-np.nan_to_num(found[by]), kind="stable")
    found = {column: values[order] for column, values in found.items()}
    return order, found | {"cumulative_percent": np.cumsum(found["wait_percent"])}


def rows_of(found: Columns, names: list[str]) -> list[Row]:
    """Return the first rows, as many as there are names."""
    return [Row(name, **{column: values[i].item() for column, values in found.items()}) for i, name in enumerate(names)]
