"""Which figures of a comparison are rows, and in which order."""

from collections.abc import Collection, Sequence

from vmconc.analysis.conditions import EACH, named_each
from vmconc.analysis.figures import BLAME, MEASURES, OPEN, WAYS, way_of
from vmconc.analysis.sides import Measured
from vmconc.locks.classes import MODE_NAMES

FAULTS = ("fault.rate", "fault.per_cpu_second", "fault.p50", "fault.p99", "fault.p99.9")
FAULTS_ALL = (*FAULTS, "fault.count", "fault.total", "fault.max")
LISTED = ("acquired", "contended", "wait.total", "wait.p99", "hold.total", "io.count")
BY_CLASS = "class"


def known(runs: list[Measured]) -> dict[str, None]:
    """Return the figures that all runs have, and of places, locks and CPUs, not all of which are in each, any."""
    names = {name: None for run in runs for name in run.figures}
    whole = not any(run.lost for run in runs)

    def known_of(run: Measured, name: str) -> bool:
        return name in run.figures or (whole and name.startswith(OPEN) and way_of(name) in ["", *run.ways])

    return {name: None for name in names if all(known_of(run, name) for run in runs)}


def ways_of_all(runs: list[Measured]) -> list[str]:
    """Return by what of `figures.WAYS` all runs can be asked for."""
    return [way for way in WAYS if all(way in run.ways for run in runs)]


def listed(runs: list[Measured], by: str = BY_CLASS, every: bool = False) -> list[str]:
    """Return the figures that are rows, in their order, the subjects with most waiting first."""
    measures = tuple(MEASURES) if every else LISTED
    return listed_by(runs, by, measures) if by != BY_CLASS else listed_classes(runs, measures, every)


def listed_by(runs: list[Measured], by: str, measures: Sequence[str]) -> list[str]:
    """Return the rows by one of `figures.WAYS`."""
    names = known(runs)
    subjects = [name.removesuffix(EACH) for name in named_each(by, names)]
    subjects.sort(key=lambda subject: -most(runs, subject + EACH))
    return [name for subject in subjects for what in measures if (name := f"{subject}.{what}") in names]


def most(runs: list[Measured], name: str) -> float:
    """Return the largest value that a figure has in any run."""
    return max(run.figures.get(name, 0.0) for run in runs)


def classes(names: Collection[str]) -> list[str]:
    """Return the lock classes of some figures, and `all`."""
    ending = [name for name in names if name.endswith(".acquired") and not name.startswith(OPEN)]
    return list(dict.fromkeys(name.partition(".")[0] for name in ending))


def listed_classes(runs: list[Measured], measures: Sequence[str], every: bool) -> list[str]:
    """Return the rows by class, by mode where figures are known by mode, with those of faults and blame."""
    names = known(runs)
    found = list(FAULTS_ALL if every else FAULTS)
    found += [f"all.{what}" for what in (measures if every else ["wait.total"])]
    for cls in sorted(classes(names), key=lambda cls: -most(runs, f"{cls}.wait.total")):
        subjects = [f"{cls}.{mode}" for mode in MODE_NAMES.values()]
        for what in measures if cls != "all" else ():
            by_mode = [f"{subject}.{what}" for subject in subjects]
            found += by_mode if by_mode[0] in names else [f"{cls}.{what}"]
    blamed = [name for name in names if name.startswith(BLAME)]
    return [name for name in found + sorted(blamed, key=lambda name: -most(runs, name)) if name in names]
