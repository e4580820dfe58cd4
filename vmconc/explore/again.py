"""The same failure again and again: how often exactly the same came of it, and which step was the first to differ."""

from collections.abc import Iterable
from itertools import zip_longest
from typing import NamedTuple

import msgspec

from vmconc.explore.failure import Artifact, Failure
from vmconc.explore.laboratory import Laboratory
from vmconc.explore.story import Row, story


class Outcome(NamedTuple):
    """What came of an execution of a watched machine: all by which two of them are compared."""

    rule: str  # empty: it did not fail
    turns: list[int]
    steps: int
    state: str  # digest of the memory at the end, with the list of its steps


class Repeated(msgspec.Struct):
    """Several replays, compared with what was recorded and with one another."""

    times: int = 0
    exact: int = 0  # of these, how many were in every way the execution that was recorded
    differs: str = ""  # how the first that was not differed
    alike: bool = True  # the same came of all of them


def outcome(lab: Laboratory, failure: Failure | None) -> Outcome:
    """Return what came of the last execution."""
    return Outcome(failure.rule if failure else "", lab.turns(), lab.engine.steps, lab.state())


def spoken(lab: Laboratory) -> list[str]:
    """Say each step of the last execution of a watched machine, in words that do not depend on where things lie."""
    return [said(row) for row in told(lab)]


def said(row: Row) -> str:
    """Say what was done, and by whom."""
    return f"cpu {row.cpu}: {row.text}"


def told(lab: Laboratory) -> list[Row]:
    """Return all that was done in the last execution of a watched machine."""
    return story(lab, everything=True)


def compare(
    lab: Laboratory, artifact: Artifact, first: Outcome, departs: str, runs: Iterable[Failure | None]
) -> Repeated:
    """Compare each of several replays with the first one and with what was recorded.

    `runs` yields failures, each right after its replay; `departs`: how the first departs from what was recorded.
    """
    result = Repeated()
    for failure in runs:
        result.times += 1
        found, differs = outcome(lab, failure), departs
        if found != first:
            result.alike = False
            differs = difference(artifact, found, told(lab)) or "the same steps left another state of memory"
        result.exact += not differs
        if differs and not result.differs:
            result.differs = f"replay {result.times}: {differs}"
    return result


def difference(artifact: Artifact, found: Outcome, rows: list[Row]) -> str:
    """Say how an execution first departs from the one recorded; empty if, as far as that tells, it does not."""
    recorded = artifact.failure
    if artifact.spoken:
        now = map(said, rows)
        for place, (one, other) in enumerate(zip_longest(artifact.spoken, now, fillvalue="nothing")):
            if one != other:
                return f"step {step_at(rows, place)} was recorded as {one!r} and is now {other!r}"
    if recorded.turns != found.turns:
        return f"decisions were recorded as {recorded.turns} and are now {found.turns}"
    if recorded.steps != found.steps:
        return f"{recorded.steps} steps were recorded, there are now {found.steps}"
    if recorded.rule != found.rule:
        return f"{recorded.rule!r} was recorded, it came to {found.rule or 'no failure'!r}"
    return ""


def step_at(rows: list[Row], place: int) -> int:
    """Return the number of the step to which a row belongs, or would belong that is not there."""
    last = max((row.number for row in rows[: place + 1]), default=0)
    return last if place < len(rows) else last + 1
