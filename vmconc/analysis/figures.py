"""The figures of one run by name, as `vm_object.exclusive.wait.p99`: runs are compared by them, conditions name them.

A name is a subject, a measure, and of what lasts a statistic.  Subjects are `all` locks, a lock class, and a class in
one mode; a place in the source, a lock and a CPU, as `site.vm_page_alloc.busy`, if these are asked for.  Beside them
there are `fault` and, by place in the source, `blame`.  A figure of nothing is 0.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from vmconc.analysis.across import across_page_ins
from vmconc.analysis.blame import HOLDER, WRITER, Blame
from vmconc.analysis.events import Events, RunError
from vmconc.analysis.findings import Findings
from vmconc.analysis.grouping import GROUPINGS, grouped
from vmconc.analysis.names import site_name
from vmconc.analysis.rows import Columns, columns
from vmconc.analysis.summary import Summary, faults
from vmconc.analysis.tally import times
from vmconc.analysis.usage import Usage
from vmconc.locks.classes import CLASS_NAMES, CLASSES, MODE_NAMES

Figures = dict[str, float]


class Meaning(NamedTuple):
    """What a figure is in, and whether more of it is better (1), worse (-1) or neither (0)."""

    unit: str  # ns, /s, or nothing: a count
    better: int


STATISTICS = {"total": "ns", "avg": "avg_ns", "p50": "p50_ns", "p99": "p99_ns", "max": "max_ns"}  # as columns end
MEASURES = {  # of locks, with the column of a report's row
    "acquired": "acquired", "contended": "contended", "bounces": "bounces", "io.count": "io_count", "io.total": "io_ns",
    **{f"{what}.{name}": f"{what}_{end}" for what in ("wait", "hold") for name, end in STATISTICS.items()},
}  # fmt: skip
WAYS = ("site", "instance", "cpu")  # subjects besides classes; not each run has the same ones
OF_ONE_LOCK = tuple(name for name in MEASURES if name == "contended" or name.startswith("wait."))
BLAME = "blame."
OPEN = (BLAME, *(f"{way}." for way in WAYS))  # how figures begin of which one that a run does not have is 0
NEUTRAL = ("acquired", "fault.count")
FASTER = ("fault.rate", "fault.per_cpu_second")


def meaning(name: str) -> Meaning:
    """Return what a figure means."""
    if name in FASTER:
        return Meaning("/s", 1)
    if name.startswith(BLAME):
        return Meaning("ns", -1)
    if name.endswith(NEUTRAL):
        return Meaning("", 0)
    return Meaning("" if name.endswith(("contended", "bounces", "count")) else "ns", -1)


def figures(run: Findings, ways: Sequence[str] = ()) -> Figures:
    """Return the figures of a recorded run, also by some of WAYS; with events lost there is no blame and no `io`.

    Raises RunError if the run did not end: figures are of a whole run.
    """
    if run.events.unended:
        raise RunError(f"{run.run_dir} has no figures to judge or compare, since {run.events.unended}")
    used, moved = run.used, run.bounced[run.used.acquired.begin]
    found = fault_figures(run.events, run.summary)
    for names, keys in groupings(used):
        found |= named(names, columns(used, moved, keys, len(names)) | io_columns(used, keys[2], len(names)))
    for way in ways:
        found |= figures_by(way, used, moved)
    if run.events.lost:
        return {name: value for name, value in found.items() if not name.endswith((".io.count", ".io.total"))}
    return found | blamed_on(run.blame)


def groupings(used: Usage) -> list[tuple[list[str], list[np.ndarray]]]:
    """Return, for all locks, classes, and classes by mode, what they are called and who belongs to which."""
    classes = [CLASS_NAMES.get(cls, "") for cls in range(CLASSES)]
    by_mode = [name and f"{name}.{mode}" for name in classes for mode in MODE_NAMES.values()]
    return [
        (["all"], [np.zeros(len(spans.cls), np.int64) for spans in used]),
        (classes, [spans.cls.astype(np.int64) for spans in used]),
        (by_mode, [spans.cls.astype(np.int64) * 2 + spans.mode for spans in used]),
    ]


def figures_by(way: str, used: Usage, moved: np.ndarray) -> Figures:
    """Return the figures of places in the source, of CPUs, or of those locks that were waited for."""
    events, (keys, parts) = used.held.events, grouped(used, way)
    sums = columns(used, moved, parts, len(keys)) | io_columns(used, parts[2], len(keys))
    kept = sums["contended"] > 0 if way == "instance" else np.full(len(keys), True)
    names = [subject(way, GROUPINGS[way][1](events, int(key))) if kept[i] else "" for i, key in enumerate(keys)]
    known = nothing(way, events.run["recording"]["sites"].values()) if way == "site" else {}
    return known | named(names, sums, measures(way))


def subject(way: str, name: str) -> str:
    """Return what a group is called in figures; of a CPU that is its number."""
    return f"{way}.{name.removeprefix('cpu ')}"


def measures(way: str) -> Sequence[str]:
    """Return what is known by one of WAYS: of a single lock its waits, for a timed run has not all of its holds."""
    return OF_ONE_LOCK if way == "instance" else tuple(MEASURES)


def way_of(name: str) -> str:
    """Return by which of WAYS a figure is; empty: it is of a class, of all locks, of faults or blame."""
    way = name.partition(".")[0]
    return way if way in WAYS else ""


def well_named(name: str) -> bool:
    """Tell whether a figure is named as those of locks are, be it known of a run or not."""
    first, _, rest = name.partition(".")
    if first in WAYS:
        return rest.endswith(tuple(f".{measure}" for measure in measures(first)))
    mode, _, of_mode = rest.partition(".")
    is_class = first in CLASS_NAMES.values()
    return (is_class or first == "all") and (of_mode if is_class and mode in MODE_NAMES.values() else rest) in MEASURES


def nothing(way: str, names: Iterable[str], of: Sequence[str] = ()) -> Figures:
    """Return the figures, which are 0, of what could have been."""
    return {f"{subject(way, name)}.{measure}": 0.0 for name in names for measure in of or measures(way)}


def io_columns(used: Usage, key: np.ndarray, groups: int) -> Columns:
    """Return what was held across page-ins: how often, and how long they took."""
    count, ticks = (np.bincount(key, weights, groups) for weights in across_page_ins(used.held))
    return {"io_count": count, "io_ns": ticks * used.held.events.tick}


def named(names: list[str], sums: Columns, of: Sequence[str] = tuple(MEASURES)) -> Figures:
    """Return columns as figures; what has no name is left out."""
    lists = {measure: np.nan_to_num(sums[MEASURES[measure]]).tolist() for measure in of}
    return {f"{name}.{measure}": values[i] for i, name in enumerate(names) if name for measure, values in lists.items()}


def fault_figures(events: Events, run: Summary) -> Figures:
    """Return how many faults there were, how fast they came, and how long they took."""
    begin, end = faults(events)
    lasted = times(np.zeros(len(begin), np.int64), events.raw["time"][end] - events.raw["time"][begin], 1)
    found = {
        "fault.rate": run.faults_per_second, "fault.per_cpu_second": float(events.run.get("faults_per_cpu_second", 0)),
        "fault.count": float(run.faults.count), "fault.total": run.faults.total_ns, "fault.p50": run.faults.p50_ns,
        "fault.p99": run.faults.p99_ns, "fault.p99.9": float(lasted.p999[0]) * events.tick,
        "fault.max": run.faults.max_ns,
    }  # fmt: skip
    return found if events.protocol else {}


def blamed_on(found: Blame) -> Figures:
    """Return how long others waited because of who had acquired something, or asked for it, at each place."""
    events = found.waits.events
    charged = np.isin(found.kind, (HOLDER, WRITER))
    ticks = np.bincount(found.site[charged], found.ticks[charged])
    known = {f"{BLAME}{site_name(events, int(site))}": 0.0 for site in events.run["recording"]["sites"]}
    for site in np.flatnonzero(ticks).tolist():
        name = f"{BLAME}{site_name(events, site)}"
        known[name] = known.get(name, 0.0) + float(ticks[site]) * events.tick
    return known


def counted(run: dict[str, Any]) -> Figures:
    """Return what a run's counters say: less than its events, and nothing about holds."""
    found = faults_counted(run)
    for name, locks in run["locks"].items():
        found[f"{name}.acquired"] = float(locks["shared"] + locks["exclusive"])
        found |= {f"{name}.{mode}.acquired": float(locks[mode]) for mode in MODE_NAMES.values()}
        found |= {f"{name}.contended": float(locks["contended"]), f"{name}.wait.total": float(locks["wait_ns"])}
    for measure in ("acquired", "contended", "wait.total"):
        found[f"all.{measure}"] = sum(found[f"{name}.{measure}"] for name in run["locks"])
    return found


def faults_counted(run: dict[str, Any]) -> Figures:
    """Return what a run's counters say about faults; their rate is that of all its time."""
    if not run.get("protocol"):
        return {}
    wall = run["wall_seconds"]
    rate = run["faults"] / wall if wall else 0.0
    per_cpu_second = float(run["faults_per_cpu_second"])
    return {"fault.rate": rate, "fault.count": float(run["faults"]), "fault.per_cpu_second": per_cpu_second}
