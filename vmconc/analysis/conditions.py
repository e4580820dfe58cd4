"""Conditions on figures, as `vm_object.wait.p99>2ms`: what a run may not be, so that a script can stop on it.

    condition = figure relation bound
    relation  = ">" | ">=" | "<" | "<="
    bound     = number unit             of the run, or of the runs after a change
              | ("+" | "-") number "%"  of the change, from before to after
    unit      = "ns" | "us" | "µs" | "ms" | "s"   of a time
              | "" | "k" | "M" | "G"              of a count, or of what comes in a second

A figure is one of `figures.py`.  Blanks around relation and unit do not matter.
"""

import operator
import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from vmconc.analysis.figures import MEASURES, OF_ONE_LOCK, WAYS, Figures, meaning, way_of, well_named
from vmconc.locks.classes import MODE_NAMES

TIMES = {"ns": 1.0, "us": 1e3, "µs": 1e3, "ms": 1e6, "s": 1e9}
INSTANCE = "instance"
COUNTS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}
CHANGE = "%"
EACH = ".wait.total"  # a figure that all have
RELATIONS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
FORM = re.compile(
    r"\s*(?P<figure>\S.*?)\s*(?P<relation>>=|<=|>|<)"
    r"\s*(?P<sign>[-+]?)(?P<number>\d+(?:\.\d*)?|\.\d+)\s*(?P<unit>[%\w]*)\s*"
)


class ConditionError(Exception):
    """A condition that cannot be evaluated; the message names it and says what there is."""


class Condition(NamedTuple):
    """A condition holds if its figure, or the change of it in percent, is beyond a bound."""

    figure: str
    relation: str
    bound: float  # as it is written, in `unit`
    unit: str

    def __str__(self) -> str:
        bound = np.format_float_positional(self.bound, trim="-", sign=self.relative)
        return f"{self.figure}{self.relation}{bound}{self.unit}"

    @property
    def relative(self) -> bool:
        """Tell whether it is about a change."""
        return self.unit == CHANGE

    def told(self, value: float) -> str:
        """Return the condition with a value it holds of, which is in ns, a count, a rate, or percent; else nothing."""
        value /= (TIMES | COUNTS).get(self.unit, 1.0)
        return f"{self}: it is {value:.4g} {self.unit}".rstrip() if RELATIONS[self.relation](value, self.bound) else ""


def parse(text: str) -> Condition:
    """Read a condition.  Raises ConditionError."""
    found = FORM.fullmatch(text)
    if found is None:
        raise ConditionError(f"{text!r} is no condition; write for example vm_object.wait.p99>2ms")
    condition = Condition(found["figure"], found["relation"], float(found["sign"] + found["number"]), found["unit"])
    units = [*TIMES, *COUNTS, CHANGE]
    if condition.unit not in units:
        there_are = ", ".join(filter(None, units))
        raise ConditionError(f"{text!r}: unit {condition.unit!r} is unknown; there are {there_are}")
    if bool(found["sign"]) != condition.relative:
        raise ConditionError(f"{text!r}: a sign and % go together, as in +10%: they are about a change")
    return condition


def check(condition: Condition, figures: Collection[str], relative: bool, ways: Sequence[str] = WAYS) -> None:
    """Refuse a condition that figures cannot answer.  Raises ConditionError.

    `relative`: changes are known; `ways`: by what of `figures.WAYS` a figure can be had if it is asked for.
    """
    if condition.figure not in figures and not nobody_waited(condition.figure, ways):
        raise ConditionError(f"'{condition}': {unknown(condition.figure, figures, ways)}")
    if condition.relative and not relative:
        raise ConditionError(f"'{condition}' is about a change, for which two runs are needed: vmconc diff")
    units = TIMES if meaning(condition.figure).unit == "ns" else COUNTS
    if not condition.relative and condition.unit not in units:
        what = "a time; give ns, us, ms or s" if units is TIMES else "a count; give none of them, or k, M, G"
        raise ConditionError(f"'{condition}': {condition.figure} is {what}")


def ways_of(conditions: list[Condition]) -> list[str]:
    """Return by what of `figures.WAYS` figures are needed."""
    return [way for way in WAYS if any(each.figure.startswith(f"{way}.") for each in conditions)]


def failed(conditions: list[Condition], figures: Figures, ways: Sequence[str] = WAYS) -> list[str]:
    """Return the conditions that hold of one run, each with its figure.  Raises ConditionError."""
    for condition in conditions:
        check(condition, figures, relative=False, ways=ways)
    return [told for each in conditions if (told := each.told(figures.get(each.figure, 0.0)))]


def nobody_waited(figure: str, ways: Sequence[str]) -> bool:
    """Tell whether a figure that is not there is 0: a single lock has figures only if anybody waited for it."""
    return INSTANCE in ways and way_of(figure) == INSTANCE and well_named(figure)


def named_each(subject: str, figures: Collection[str]) -> list[str]:
    """Return one figure each of what is told apart by place, lock or CPU."""
    return [name for name in figures if subject in WAYS and name.startswith(f"{subject}.") and name.endswith(EACH)]


def unknown(figure: str, figures: Collection[str], ways: Sequence[str] = WAYS) -> str:
    """Say what there is instead of a figure."""
    subject = figure.partition(".")[0]
    if subject in ways:
        return unknown_by(subject, figure, figures)
    subjects = dict.fromkeys([*(name.partition(".")[0] for name in figures), *ways])
    if subject not in subjects:
        return f"{subject} is not known of this run; there are {', '.join(subjects)}"
    mode = next((mode for mode in MODE_NAMES.values() if figure.startswith(f"{subject}.{mode}.")), "")
    begin = f"{subject}.{mode}." if mode else f"{subject}."
    rest = [name.removeprefix(begin) for name in figures if name.startswith(begin)]
    return instead(figure, begin, [name for name in rest if name.partition(".")[0] not in MODE_NAMES.values()])


def unknown_by(way: str, figure: str, figures: Collection[str]) -> str:
    """Say what there is of a place, lock or CPU that there is, or which there are; any lock can be asked for."""
    if way == INSTANCE:
        return f"{figure} is not known; of instance.LOCK there are {', '.join(OF_ONE_LOCK)}"
    there = [name.removesuffix(EACH) for name in named_each(way, figures)]
    if found := [name for name in there if figure.startswith(f"{name}.")]:
        begin = f"{max(found, key=len)}."
        return instead(figure, begin, [measure for measure in MEASURES if begin + measure in figures])
    return f"{figure} is not known; by {way} there are {', '.join(name.removeprefix(f'{way}.') for name in there)}"


def instead(figure: str, begin: str, there: list[str]) -> str:
    """Say what there is of a subject, by which a figure and other ones begin."""
    return f"{figure.removeprefix(begin)} is not known of {begin[:-1]}; there are {', '.join(there)}"
