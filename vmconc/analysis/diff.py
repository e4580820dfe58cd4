"""Runs before and after a change, compared figure by figure; runs of a pair belong together."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from vmconc.analysis.changes import Change, change
from vmconc.analysis.conditions import Condition, check
from vmconc.analysis.diff_notes import notes, warnings
from vmconc.analysis.diff_rows import BY_CLASS, known, listed, ways_of_all
from vmconc.analysis.events import RunError, read_run
from vmconc.analysis.hotspot import HotSpot, hot_spot
from vmconc.analysis.judged import refuse_unknown
from vmconc.analysis.sides import COUNTED, Look, Measured, expanded, measure, rounds, source

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
    by: str = BY_CLASS  # whose figures the rows are


def sides(
    before: list[Path], after: list[Path], look: Look | None = None, ways: Sequence[str] = ()
) -> tuple[list[Measured], list[Measured]]:
    """Return the runs of both sides; without `after`, those of a comparison.  Raises RunError.

    `look` is called for every run, one after the other, if each is recorded or timed; nothing keeps its events
    afterwards.  `ways`: by what of `figures.WAYS` figures are wanted, too.
    """
    if not after:
        return of_comparison(before)
    first, second = expanded(before), expanded(after)
    sources = {source(path) for path in first + second}
    for path in first + second:
        if "protocols" in read_run(path):
            raise RunError(f"{path} is a comparison: it has both sides; give it alone")
    if len(first) != len(second):
        raise RunError(f"{len(first)} before, {len(second)} after: runs are compared in pairs; give as many of each")
    return measure(first, sources, ways, look), measure(second, sources, ways, look)


def of_comparison(paths: list[Path]) -> tuple[list[Measured], list[Measured]]:
    """Return the runs of the two protocols of a comparison, each round a pair."""
    if len(paths) != 1 or "protocols" not in read_run(paths[0]):
        raise RunError(f"{paths[0]} is no comparison; give a second run to compare it with")
    before, after = rounds(paths[0]).values()
    return before, after


def diff(before: list[Measured], after: list[Measured], by: str = BY_CLASS, every: bool = False) -> Diff:
    """Compare as many runs before as after, by class or one of `figures.WAYS`; `every`: by all figures.

    Raises RunError if a run was only counted and that does not tell.
    """
    refuse_counted(before + after, by)
    changes = {name: changed(name, before, after) for name in listed(before + after, by, every)}
    moved = where_waited(before, after)
    if moved and (total := changed(f"{moved.target}.wait.total", before, after)).after > total.before:
        for found in changes.values():
            if found.figure.startswith(f"{moved.target}.") and found.figure.endswith("wait.total"):
                found.verdict = MOVED_HERE
    rows = [found for found in changes.values() if found.before or found.after]
    new, gone = edges_apart(before, after)
    told = notes(before, after, by)
    return Diff(side(before), side(after), warnings(before, after), told, rows, moved, new, gone, by=by)


def where_waited(before: list[Measured], after: list[Measured]) -> HotSpot | None:
    """Return whether the hot spot moved, if it is known of all runs how long was waited."""
    if "all.wait.total" not in known(before + after):
        return None
    return hot_spot([run.figures for run in before], [run.figures for run in after])


def refuse_counted(runs: list[Measured], by: str) -> None:
    """Raise RunError if something was only counted, and that does not tell of a way to sum up."""
    for run in runs:
        if by != BY_CLASS and run.source == COUNTED:
            raise RunError(f"not every run is timed or recorded, and what was only counted tells nothing by {by}")


def failed(conditions: list[Condition], before: list[Measured], after: list[Measured]) -> list[str]:
    """Return the conditions that hold, each with its figure.  Raises ConditionError; RunError if not all is known."""
    names, ways = known(before + after), ways_of_all(before + after)
    for condition in conditions:
        refuse_unknown(condition, before + after)
        check(condition, names, relative=True, ways=ways)
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


def side(runs: list[Measured]) -> Side:
    """Say what a side is."""
    run = runs[0].run
    return Side(run["program"], run.get("protocol", ""), run.get("mode", ""), [each.path for each in runs])


def edges_apart(before: list[Measured], after: list[Measured]) -> tuple[list[EdgeCount], list[EdgeCount]]:
    """Return the lock-order edges of the runs after only, and of those before only, the most frequent first."""
    if any(run.edges is None for run in before + after):
        return [], []
    old, new = (sum((Counter(run.edges) for run in runs), Counter[str]()) for runs in (before, after))
    return only(new, old), only(old, new)


def only(these: Counter[str], others: Counter[str]) -> list[EdgeCount]:
    """Return what is among these and not among others."""
    return [EdgeCount(edge, count) for edge, count in these.most_common() if edge not in others]
