"""Runs before and after a change side by side: a row for each class, place in the source, lock or CPU."""

from collections.abc import Sequence
from statistics import median

import msgspec

from vmconc.analysis.changes import Change
from vmconc.analysis.conditions import EACH, named_each
from vmconc.analysis.diff import changed
from vmconc.analysis.diff_rows import BY_CLASS, classes, known
from vmconc.analysis.figures import WAYS
from vmconc.analysis.sides import Measured

MEASURES = (
    "acquired", "contended", "wait.total", "wait.avg", "wait.p99", "hold.total", "hold.avg", "hold.p99",
)  # fmt: skip


class Subject(msgspec.Struct):
    """What is summed up, with its figures by measure."""

    name: str
    changes: dict[str, Change]


class Beside(msgspec.Struct):
    """A table: its rows, those with most waiting first, and the figures of all locks."""

    by: str
    measures: list[str]  # of all rows
    rows: list[Subject]
    total: Subject
    left_out: int  # rows


def beside(before: list[Measured], after: list[Measured], top: int) -> list[Beside]:
    """Return the tables there are: of runs that were only counted that by class, of those in mode off none."""
    runs = before + after
    names = known(runs)
    subjects = {BY_CLASS: [name for name in classes(names) if name != "all"]}
    subjects |= {way: [name.removesuffix(EACH) for name in named_each(way, names)] for way in WAYS}
    begins = {BY_CLASS: "", **{way: f"{way}." for way in WAYS}}
    return [table(by, some, begins[by], before, after, top) for by, some in subjects.items() if some]


def table(
    by: str, subjects: list[str], begin: str, before: list[Measured], after: list[Measured], top: int
) -> Beside:
    """Return one; what is 0 on both sides in every measure is left out."""
    names = known(before + after)
    measures = [what for what in MEASURES if all(f"{subject}.{what}" in names for subject in subjects)]

    def most(name: str) -> float:
        return max(median([run.figures.get(name, 0.0) for run in side]) for side in (before, after))

    there = [one for one in subjects if any(most(f"{one}.{what}") for what in measures)]
    there.sort(key=lambda one: [-most(f"{one}.{what}") for what in ("wait.total", "hold.total")])

    def subject(name: str, shown: str, of: Sequence[str]) -> Subject:
        return Subject(shown, {what: changed(f"{name}.{what}", before, after) for what in of})

    rows = [subject(one, one.removeprefix(begin), measures) for one in there[:top]]
    return Beside(by, measures, rows, subject("all", "total", measures), len(there) - len(rows))
