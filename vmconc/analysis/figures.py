"""The figures of one run by name, as `vm_object.exclusive.wait.p99`: runs are compared by them, conditions name them.

A name is a subject, a measure, and of what lasts a statistic.  Subjects are `all` locks, a lock class, and a class in
one mode; beside them there are `fault` and, by place in the source, `blame`.  A figure of nothing is 0.
"""

from typing import Any, NamedTuple

import numpy as np

from vmconc.analysis.across import across_page_ins
from vmconc.analysis.blame import HOLDER, WRITER, blame
from vmconc.analysis.events import Events
from vmconc.analysis.names import site_name
from vmconc.analysis.rows import Columns, columns
from vmconc.analysis.summary import Summary, faults, summarise
from vmconc.analysis.tally import bounced, times
from vmconc.analysis.usage import Usage, usage
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
BLAME = "blame."
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


def figures(events: Events) -> Figures:
    """Return the figures of a recorded run; with events lost there is no blame and no `io`."""
    used = usage(events)
    found = fault_figures(events, summarise(events, "", used))
    moved = bounced(events)[used.acquired.begin]
    for names, keys in groupings(used):
        sums = columns(used, moved, keys, len(names)) | io_columns(used, keys[2], names)
        found |= named(names, sums)
    if events.lost:
        return {name: value for name, value in found.items() if ".io." not in name}
    return found | blamed_on(events)


def groupings(used: Usage) -> list[tuple[list[str], list[np.ndarray]]]:
    """Return, for all locks, classes, and classes by mode, what they are called and who belongs to which."""
    classes = [CLASS_NAMES.get(cls, "") for cls in range(CLASSES)]
    by_mode = [name and f"{name}.{mode}" for name in classes for mode in MODE_NAMES.values()]
    return [
        (["all"], [np.zeros(len(spans.cls), np.int64) for spans in used]),
        (classes, [spans.cls.astype(np.int64) for spans in used]),
        (by_mode, [spans.cls.astype(np.int64) * 2 + spans.mode for spans in used]),
    ]


def io_columns(used: Usage, key: np.ndarray, names: list[str]) -> Columns:
    """Return what was held across page-ins: how often, and how long they took."""
    count, ticks = (np.bincount(key, weights, len(names)) for weights in across_page_ins(used.held))
    return {"io_count": count, "io_ns": ticks * used.held.events.tick}


def named(names: list[str], sums: Columns) -> Figures:
    """Return the columns as figures; a number that is no class has no name."""
    lists = {measure: np.nan_to_num(sums[column]).tolist() for measure, column in MEASURES.items()}
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


def blamed_on(events: Events) -> Figures:
    """Return how long others waited because of who had acquired something, or asked for it, at each place."""
    found = blame(events)
    charged = np.isin(found.kind, (HOLDER, WRITER))
    ticks = np.bincount(found.site[charged], found.ticks[charged])
    known = {f"{BLAME}{site_name(events, int(site))}": 0.0 for site in events.run["recording"]["sites"]}
    for site in np.flatnonzero(ticks).tolist():
        name = f"{BLAME}{site_name(events, site)}"
        known[name] = known.get(name, 0.0) + float(ticks[site]) * events.tick
    return known


def counted(run: dict[str, Any]) -> Figures:
    """Return what a run's counters say: less than its events, and nothing about holds."""
    found = {}
    if run.get("protocol"):
        wall = run["wall_seconds"]
        found = {"fault.rate": run["faults"] / wall if wall else 0.0, "fault.count": float(run["faults"])}
        found["fault.per_cpu_second"] = float(run["faults_per_cpu_second"])
    for name, locks in run["locks"].items():
        found[f"{name}.acquired"] = float(locks["shared"] + locks["exclusive"])
        found |= {f"{name}.{mode}.acquired": float(locks[mode]) for mode in MODE_NAMES.values()}
        found |= {f"{name}.contended": float(locks["contended"]), f"{name}.wait.total": float(locks["wait_ns"])}
    for measure in ("acquired", "contended", "wait.total"):
        found[f"all.{measure}"] = sum(found[f"{name}.{measure}"] for name in run["locks"])
    return found
