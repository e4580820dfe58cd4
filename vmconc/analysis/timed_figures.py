"""The figures of a run in mode `timed`, by the names of those of a recorded one: what histograms and counters tell.

Sums, counts and longest times are exact, p50 and p99 are those of `timed_report`: the upper ends of bins.
"""

from collections.abc import Callable, Sequence
from typing import Any

from vmconc.analysis.figures import (
    BLAME,
    MEASURES,
    WAYS,
    Figures,
    counted,
    faults_counted,
    measures,
    named,
    nothing,
    subject,
)
from vmconc.analysis.timed_report import GROUPS, columns
from vmconc.analysis.timing import Times, Timing, crowded
from vmconc.locks.classes import CLASS_NAMES, MODE_NAMES

TAKES_EVENTS = ("bounces", "io.count", "io.total")
TIMED = tuple(name for name in MEASURES if name not in TAKES_EVENTS)
FAULTS_TIMED = ("fault.p50", "fault.p99", "fault.p99.9", "fault.max", "fault.total")
BY_KIND = ("class", "mode", "site")  # not known of what had no histogram of its own
SUBJECTS: dict[str, Callable[[Times], str]] = {
    "all": lambda times: "all", "class": lambda times: times.cls, "mode": lambda times: f"{times.cls}.{times.mode}",
    "site": lambda times: subject("site", GROUPS["site"](times)),
    "instance": lambda times: subject("instance", GROUPS["instance"](times)),
    "cpu": lambda times: subject("cpu", GROUPS["cpu"](times)),
}  # fmt: skip
ALWAYS = {  # subjects of which nothing need have been timed
    "all": ["all"], "class": list(CLASS_NAMES.values()),
    "mode": [f"{name}.{mode}" for name in CLASS_NAMES.values() for mode in MODE_NAMES.values()],
}  # fmt: skip


def figures_timed(run: dict[str, Any], timing: Timing, ways: Sequence[str] = ()) -> Figures:
    """Return the figures of a timed run, also by some of `figures.WAYS`; where there are gaps, fewer of them."""
    found = counted(run) if crowded(timing) else faults_counted(run)
    for way in ("all", "class", "mode", *ways):
        if way == "instance" or known_by(way, timing):  # a lock that has histograms has all its waits there
            found |= figures_by(way, timing)
    return found


def figures_by(way: str, timing: Timing) -> Figures:
    """Sum histograms up by subject."""
    wanted = timing.locks if way == "instance" else timing.kinds
    keys = [SUBJECTS[way](times) for times in wanted]
    names = list(dict.fromkeys([*ALWAYS.get(way, []), *keys]))
    places = {name: place for place, name in enumerate(names)}
    kept = [measure for measure in measures(way) if measure in TIMED]
    known = nothing(way, timing.sites, kept) if way == "site" else {}
    return known | named(names, columns(wanted, [places[key] for key in keys], len(names), timing.tick), kept)


def known_by(way: str, timing: Timing) -> bool:
    """Tell whether all that was timed is known by some subjects."""
    return not (way in BY_KIND and crowded(timing)) and not (way == "instance" and timing.unlisted)


def ways_known(timing: Timing) -> list[str]:
    """Return by what of `figures.WAYS` all is known."""
    return [way for way in WAYS if known_by(way, timing)]


def takes_events(figure: str) -> bool:
    """Tell whether a figure is one that only recorded runs have."""
    ends = tuple(f".{measure}" for measure in TAKES_EVENTS)
    return figure.startswith(BLAME) or figure.endswith(ends) or figure in FAULTS_TIMED


def like_timed(found: Figures, run: dict[str, Any]) -> Figures:
    """Return of a recorded run's figures those that a timed one has, too; of faults, what both counted."""
    ends = tuple(f".{measure}" for measure in TIMED)
    kept = {name: value for name, value in found.items() if name.endswith(ends) and not name.startswith(BLAME)}
    return kept | faults_counted(run)
