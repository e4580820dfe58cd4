"""What each CPU did when, in columns of time of equal width: what took most of each, and what was waited for."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from vmconc.analysis.events import Events, RunError, load
from vmconc.analysis.stretches import NO_OWNER
from vmconc.analysis.summary import extent
from vmconc.analysis.timeline_waits import LongWait, Waits, longest, waited_for, waits_inside
from vmconc.locks.classes import CLASS_NAMES
from vmconc.schedule.steps import STEP_BEGIN, STEP_END, STEP_READ, STEP_READ_DONE, STEP_WAIT, STEP_WAITED

WAITING, PAGE_IN, HOLDING, OPERATION, IDLE = STATES = ("waiting", "page-in", "holding", "operation", "idle")
MOSTLY_IDLE = "mostly idle"
MODES, PARTLY = ("exclusive", "shared", ""), "partly"


class HeldRow(msgspec.Struct):
    """The locks of one class that a CPU held."""

    cls: str
    modes: list[str]  # of each column, what took most of it; empty: it held none; PARTLY: not for most of it


class TimelineRow(msgspec.Struct):
    """One CPU.  It is in one state at a time, the first of STATES that it may be said to be in."""

    name: str
    states: list[str]  # of each column, what took most of it; MOSTLY_IDLE: it was idle for most, but not for all of it
    waits_for: list[str]  # of each column, the lock that was waited for longest; empty: nothing was waited for
    nanoseconds: dict[str, float]  # of each state in the time that is shown; the sum is that time
    held: list[HeldRow]


class Timeline(msgspec.Struct):
    """A part of a run; times are ns since it began, as everywhere."""

    run_dir: str
    begin_ns: float
    end_ns: float
    column_ns: float
    lost: int | None  # events of the run; None: not known
    rows: list[TimelineRow]
    longest: list[LongWait]  # in that time, on the CPUs that are shown
    waits: int  # so many there were


def timeline_run(
    path: Path, columns: int, part: tuple[int, int], cpus: Sequence[int], held: bool, top: int
) -> Timeline:
    """Return a part of a run directory; see `timeline`.  Raises RunError as `load` does."""
    return timeline(load(path), str(path), columns, part, cpus, held, top)


def timeline(
    events: Events, run_dir: str, columns: int, part: tuple[int, int] = (0, 0), cpus: Sequence[int] = (),
    held: bool = False, top: int = 0,
) -> Timeline:  # fmt: skip
    """Return so many columns of the part of a run between two times in ns since it began (0, 0: all of it).

    `cpus`: of these (none: of all); `held`: also what each of them held, by class; `top`: how many of the longest waits
    to list (0: all).
    Raises RunError if there is no such CPU, or nothing in that part.
    """
    edges = edges_of(events, columns, part)
    for cpu in cpus:
        if not 0 <= cpu < events.cpus:
            raise RunError(f"the run has no cpu {cpu}; choose 0 to {events.cpus - 1}")
    shown = list(cpus) or list(range(events.cpus))
    waited = waits_inside(events, edges, shown)
    rows = [row(events, cpu, edges, waited.of(cpu), held) for cpu in shown]
    begin, end = (float(events.nanoseconds(edge)) for edge in edges[[0, -1]])
    width = (end - begin) / (len(edges) - 1)
    lost = None if events.unended else events.lost
    return Timeline(run_dir, begin, end, width, lost, rows, longest(events, waited, top), len(waited.begin))


def edges_of(events: Events, columns: int, part: tuple[int, int]) -> np.ndarray:
    """Return where the columns begin and end, in ticks; none is empty.  Raises RunError if nothing is left."""
    first, last = shown(events)
    begin, end = (events.run["recording"]["ticks"][0] + round(time / events.tick) for time in part)
    low, high = max(first, begin), min(last, end) if part[1] else last
    if low >= high:
        there = " to ".join(f"{events.nanoseconds(tick) / 1e6:.6f} ms" for tick in (first, last))
        raise RunError(f"nothing happened in that part of the run: its events are from {there}")
    columns = min(columns, high - low)
    return low + (high - low) * np.arange(columns + 1) // columns


def shown(events: Events) -> tuple[int, int]:
    """Return the ticks between which there is something to see: what never ended lasts until the run's end."""
    first, last = extent(events)
    if any(state[-1:].any() for cpu in range(events.cpus) for state in conditions(events, cpu)):
        last = max(last, events.run["recording"]["ticks"][1])
    return first, last


def row(events: Events, cpu: int, edges: np.ndarray, waited: Waits, held: bool) -> TimelineRow:
    """Return one CPU's row."""
    own = slice(*events.first[cpu : cpu + 2])
    time = np.maximum.accumulate(events.raw["time"][own])
    spent = spent_in(time, np.select(conditions(events, cpu), range(4), 4), len(STATES), edges)
    sums = (spent.sum(axis=1) * events.tick).tolist()
    return TimelineRow(
        f"cpu {cpu}", named(spent, STATES, MOSTLY_IDLE), waited_for(events, waited, edges),
        dict(zip(STATES, sums, strict=True)), held_rows(events, own, time, edges) if held else [],
    )  # fmt: skip


def conditions(events: Events, cpu: int) -> tuple[np.ndarray, ...]:
    """Tell, for the time after each event of a CPU, whether it waits, has a page read, holds, is in an operation."""
    own = slice(*events.first[cpu : cpu + 2])
    action, owned = events.action[own], ~np.isin(events.cls[own], NO_OWNER)
    return (
        lasts(action, STEP_WAIT, STEP_WAITED), lasts(action, STEP_READ, STEP_READ_DONE),
        np.cumsum(events.gain[own] * owned) > 0, lasts(action, STEP_BEGIN, STEP_END),
    )  # fmt: skip


def lasts(action: np.ndarray, opens: int, closes: int) -> np.ndarray:
    """Tell, for the time after each event, whether something lasts that one action begins and another one ends."""
    marks = np.isin(action, (opens, closes))
    latest = np.maximum.accumulate(np.where(marks, np.arange(len(action)), -1))
    result: np.ndarray = (latest >= 0) & (action[latest] == opens)
    return result


def spent_in(time: np.ndarray, state: np.ndarray, states: int, edges: np.ndarray) -> np.ndarray:
    """Return the ticks spent in each state, in each column; before its first event a CPU is in the last state."""
    time = np.append(time[:1].min(initial=edges[0]), time)
    state = np.append(states - 1, state)
    lasted = np.append(np.diff(time), 0)
    last = np.searchsorted(time, edges, "right") - 1
    until = [
        np.append(0, np.cumsum(lasted * (state == one)))[last] + (edges - time[last]) * (state[last] == one)
        for one in range(states)
    ]
    return np.diff(until)


def named(spent: np.ndarray, names: tuple[str, ...], partly: str) -> list[str]:
    """Return what took most of each column, of two that took as much the first; `partly`: the last, but not all."""
    last, some = len(names) - 1, np.any(spent[:-1], axis=0)
    most = zip(spent.argmax(axis=0).tolist(), some, strict=True)
    return [partly if index == last and more else names[index] for index, more in most]


def held_rows(events: Events, own: slice, time: np.ndarray, edges: np.ndarray) -> list[HeldRow]:
    """Return a row for each class of which a CPU held locks in that time."""
    found = []
    for cls in np.unique(events.cls[own][events.gain[own] > 0]).tolist():
        of_class = (events.cls[own] == cls) & (cls not in NO_OWNER)
        alone, any_mode = (np.cumsum(gain[own] * of_class) > 0 for gain in (events.gain_exclusive, events.gain))
        spent = spent_in(time, np.select([alone, any_mode], [0, 1], 2), len(MODES), edges)
        if spent[:2].any():
            found.append(HeldRow(CLASS_NAMES[cls], named(spent, MODES, PARTLY)))
    return found
