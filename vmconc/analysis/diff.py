"""Runs before and after a change, compared figure by figure; runs of a pair belong together."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from vmconc.analysis.changes import PAIRS_LEAST, Change, change
from vmconc.analysis.conditions import Condition, check
from vmconc.analysis.events import RunError, read_run
from vmconc.analysis.figures import BLAME
from vmconc.analysis.hotspot import HotSpot, hot_spot
from vmconc.analysis.sides import Look, Measured, expanded, facts, measure, recorded, rounds
from vmconc.locks.classes import MODE_NAMES

FAULTS = ("fault.rate", "fault.per_cpu_second", "fault.p50", "fault.p99", "fault.p99.9")
LISTED = ("acquired", "contended", "wait.total", "wait.p99", "hold.total", "io.count")
MOVED_HERE = "moved here"


class EdgeCount(msgspec.Struct):
    """A lock-order edge of one side only, by classes and modes, and how often it was there."""

    edge: str
    count: int


class Side(msgspec.Struct):
    """What was run on one side, as its first run says; `runs` in the order of the pairs."""

    program: str
    protocol: str
    mode: str
    runs: list[str]


class Diff(msgspec.Struct):
    """What changed.  `rows`: figures that are not 0 on both sides, those of a class together, most waiting first."""

    before: Side
    after: Side
    warnings: list[str]  # in what the runs differ besides what is compared
    notes: list[str]
    rows: list[Change]
    hot_spot: HotSpot | None
    new_edges: list[EdgeCount]
    gone_edges: list[EdgeCount]
    failed: list[str] = []  # conditions that hold, each with its figure


def sides(
    before: list[Path], after: list[Path], look: Look | None = None
) -> tuple[list[Measured], list[Measured]]:
    """Return the runs of both sides; without `after`, those of a comparison.  Raises RunError.

    `look` is called for every run if all are recorded, one after the other; nothing keeps its events afterwards.
    """
    if not after:
        return of_comparison(before)
    first, second = expanded(before), expanded(after)
    counters = not (recorded(first) and recorded(second))
    for path in first + second:
        if "protocols" in read_run(path):
            raise RunError(f"{path} is a comparison: it has both sides; give it alone")
    if len(first) != len(second):
        raise RunError(f"{len(first)} before, {len(second)} after: runs are compared in pairs; give as many of each")
    return measure(first, counters, look), measure(second, counters, look)


def of_comparison(paths: list[Path]) -> tuple[list[Measured], list[Measured]]:
    """Return the runs of the two protocols of a comparison, each round a pair."""
    if len(paths) != 1 or "protocols" not in read_run(paths[0]):
        raise RunError(f"{paths[0]} is no comparison; give a second run to compare it with")
    before, after = rounds(paths[0]).values()
    return before, after


def diff(before: list[Measured], after: list[Measured]) -> Diff:
    """Compare as many runs before as after."""
    changes = {name: changed(name, before, after) for name in listed(before + after)}
    moved = hot_spot([run.figures for run in before], [run.figures for run in after])
    if moved and (total := changed(f"{moved.target}.wait.total", before, after)).after > total.before:
        for found in changes.values():
            if found.figure.startswith(f"{moved.target}.") and found.figure.endswith("wait.total"):
                found.verdict = MOVED_HERE
    rows = [found for found in changes.values() if found.before or found.after]
    new, gone = edges_apart(before, after)
    return Diff(side(before), side(after), warnings(before, after), notes(before, after), rows, moved, new, gone)


def failed(conditions: list[Condition], before: list[Measured], after: list[Measured]) -> list[str]:
    """Return the conditions that hold, each with its figure.  Raises ConditionError; RunError if events were lost."""
    for run in before + after:
        if conditions and run.lost:
            raise RunError(f"{run.path}: {run.lost:,} events were lost, so no condition on its figures can be judged")
    for condition in conditions:
        check(condition, known(before + after), relative=True)
    told = []
    for condition in conditions:
        found = changed(condition.figure, before, after)
        told.append(condition.told(percent(found) if condition.relative else found.after))
    return [each for each in told if each]


def percent(found: Change) -> float:
    """Return a change in percent; from nothing to something it is without bounds."""
    if found.change_percent is None:
        return math.inf if found.after > found.before else 0.0
    return found.change_percent


def changed(name: str, before: list[Measured], after: list[Measured]) -> Change:
    """Compare one figure; of a place in the source that a run does not know it is 0."""
    return change(name, *([run.figures.get(name, 0.0) for run in runs] for runs in (before, after)))


def known(runs: list[Measured]) -> dict[str, None]:
    """Return the figures that all runs have, and of places in the source, not all of which need be in each, any."""
    names = {name: None for run in runs for name in run.figures}
    lost = any(run.lost for run in runs)

    def in_all(name: str) -> bool:
        return all(name in run.figures for run in runs) or (name.startswith(BLAME) and not lost)

    return {name: None for name in names if in_all(name)}


def listed(runs: list[Measured]) -> list[str]:
    """Return the figures that are rows, in their order: by mode where they are known by mode."""
    names = known(runs)

    def most(name: str) -> float:
        return max(run.figures.get(name, 0.0) for run in runs)

    classes = dict.fromkeys(name.partition(".")[0] for name in names if name.endswith(".acquired"))
    found = [name for name in FAULTS if name in names] + ["all.wait.total"]
    for cls in sorted(classes, key=lambda cls: -most(f"{cls}.wait.total")):
        subjects = [f"{cls}.{mode}" for mode in MODE_NAMES.values()]
        for what in LISTED if cls != "all" else ():
            by_mode = [f"{subject}.{what}" for subject in subjects]
            found += by_mode if by_mode[0] in names else [f"{cls}.{what}"]
    blamed = [name for name in names if name.startswith(BLAME)]
    return [name for name in found + sorted(blamed, key=lambda name: -most(name)) if name in names]


def side(runs: list[Measured]) -> Side:
    """Say what a side is."""
    run = runs[0].run
    return Side(run["program"], run.get("protocol", ""), run.get("mode", ""), [each.path for each in runs])


def warnings(before: list[Measured], after: list[Measured]) -> list[str]:
    """Say in what runs of a pair differ besides the protocol, and which ended early; all should be of one program."""
    found: dict[str, tuple[Any, Any]] = {}
    for one, other in zip(before, after, strict=True):
        left, right = facts(one.run), facts(other.run)
        found = {key: (left[key], right[key]) for key in left if left[key] != right[key]} | found
    said = [f"{key} is not the same: {left} before, {right} after" for key, (left, right) in found.items()]
    for run in before + after:
        if (reason := (run.run.get("ending") or {}).get("reason", "done")) != "done":
            said.append(f"{run.path} did not end by itself: {reason}")
    programs = sorted({run.run["program"] for run in before + after})
    return said if len(programs) == 1 or "program" in found else [*said, f"several programs: {', '.join(programs)}"]


def notes(before: list[Measured], after: list[Measured]) -> list[str]:
    """Say what is not known, and why."""
    found = []
    if len(before) == 1:
        found.append("one run each: no interval; a change may be chance, and a run repeated as is would show how much")
    elif len(before) < PAIRS_LEAST:
        found.append(f"{len(before)} pairs of runs: no interval; one of 95 % takes {PAIRS_LEAST}")
    else:
        found.append("some 1 in 20 of the intervals misses by chance")
    for run in before + after:
        if run.lost:
            found.append(f"{run.path}: {run.lost:,} events lost, so its figures are wrong; no blame, no I/O, no order")
    if any(run.edges is None and not run.lost for run in before + after):
        found.append("not recorded, or not all: only what their counters say; no holds, percentiles, blame, order")
    return found


def edges_apart(before: list[Measured], after: list[Measured]) -> tuple[list[EdgeCount], list[EdgeCount]]:
    """Return the lock-order edges of the runs after only, and of those before only, the most frequent first."""
    if any(run.edges is None for run in before + after):
        return [], []
    old, new = (sum((Counter(run.edges) for run in runs), Counter[str]()) for runs in (before, after))
    return only(new, old), only(old, new)


def only(these: Counter[str], others: Counter[str]) -> list[EdgeCount]:
    """Return what is among these and not among others."""
    return [EdgeCount(edge, count) for edge, count in these.most_common() if edge not in others]
