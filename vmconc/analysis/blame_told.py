"""Blame as a matrix: who waited, who was in the way, and how long."""

from pathlib import Path

import msgspec
import numpy as np

from vmconc.analysis.blame import HOLDER, NOBODY, UNKNOWN, WRITER, Blame, blame
from vmconc.analysis.events import Events, load_all
from vmconc.analysis.groups import group_starts
from vmconc.analysis.names import site_name
from vmconc.locks.classes import CLASS_NAMES
from vmconc.schedule.steps import STEP_WAIT

KINDS = {HOLDER: "holders", WRITER: "waiting writers", NOBODY: "nobody: wake-up", UNKNOWN: "not known"}
WAYS = ("site", "class", "cpu")


class BlameRow(msgspec.Struct):
    """Time that `waiter` waited because of `holder`."""

    waiter: str
    holder: str
    ticks: int
    nanoseconds: float
    waits: int  # that are charged to this holder, if only in part


class Blamed(msgspec.Struct):
    """The waits of a run, and whom they are charged to; the rows add up to the totals exactly, in ticks."""

    run_dir: str
    by: str
    classes: list[str]  # only waits for locks of these classes; empty: of all
    waits: int
    ticks: int
    nanoseconds: float
    rows: list[BlameRow]  # longest first
    never_ended: int  # waits that are not charged, because they never ended


def blame_of_run(path: Path, by: str, classes: list[int], chain: bool = False) -> Blamed:
    """Return the blame of a run directory.  Raises RunError if it has no events, or not all of them."""
    events = load_all(path)
    return blamed(events, str(path), by, classes, chain)


def blamed(events: Events, run_dir: str, by: str, classes: list[int], chain: bool = False) -> Blamed:
    """Return the blame of events, by site, class or CPU; `chain`: followed to those who keep the holders waiting."""
    return told(blame(events, chain), run_dir, by, classes)


def told(found: Blame, run_dir: str, by: str, classes: list[int]) -> Blamed:
    """Return the same of what was found before."""
    events = found.waits.events
    wanted = np.isin(found.waits.cls, classes or list(CLASS_NAMES))
    begun = (events.action == STEP_WAIT) & np.isin(events.cls, classes or list(CLASS_NAMES))
    rows = np.flatnonzero(wanted[found.wait] & (found.ticks > 0))
    ticks = int(found.ticks[rows].sum())
    return Blamed(
        run_dir, by, [CLASS_NAMES[cls] for cls in classes], int(wanted.sum()), ticks, nanoseconds(events, ticks),
        matrix(events, found, rows, by), int(begun.sum() - wanted.sum()),
    )  # fmt: skip


def matrix(events: Events, found: Blame, rows: np.ndarray, by: str) -> list[BlameRow]:
    """Put what is charged together by waiter and holder."""
    kind, wait = found.kind[rows], found.wait[rows]
    waiter = {"site": found.waits.site, "class": found.waits.cls, "cpu": found.waits.cpu}[by][wait].astype(np.int64)
    holder = {"site": found.site, "class": found.kind, "cpu": found.cpu}[by][rows].astype(np.int64)
    order = np.lexsort((wait, kind, holder, waiter))
    starts = group_starts(waiter[order], holder[order], kind[order])
    table = []
    for part in np.split(order, starts[1:]) if len(order) else []:
        ticks = int(found.ticks[rows[part]].sum())
        first = part[0]
        name = waiter_name(events, by, int(waiter[first]))
        other = holder_name(events, by, int(holder[first]), int(kind[first]))
        table.append(BlameRow(name, other, ticks, nanoseconds(events, ticks), len(np.unique(wait[part]))))
    return sorted(table, key=lambda row: (-row.ticks, row.waiter, row.holder))


def waiter_name(events: Events, by: str, number: int) -> str:
    """Name who waited."""
    if by == "site":
        return site_name(events, number)
    return CLASS_NAMES[number] if by == "class" else f"cpu {number}"


def holder_name(events: Events, by: str, number: int, kind: int) -> str:
    """Name who was in the way."""
    if by == "class" or kind in (NOBODY, UNKNOWN):
        return KINDS[kind]
    name = site_name(events, number) if by == "site" else f"cpu {number}"
    return f"{name} (waits to write)" if kind == WRITER else name


def nanoseconds(events: Events, ticks: int) -> float:
    """Return how long some ticks last."""
    return ticks * events.tick
