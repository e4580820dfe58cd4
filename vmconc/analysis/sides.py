"""The runs on one side of a comparison: what each was, its figures, and its lock-order edges."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from vmconc.analysis.events import Events, RunError, load, read_run
from vmconc.analysis.figures import Figures, counted, figures
from vmconc.analysis.order_told import ordered

EdgeCounts = dict[str, int]  # by name of the edge
SAME = ("program", "mode", "cpus", "threads", "seed", "rounds")  # of run.json, wherever runs should be alike
SAME_MACHINE = ("system", "processor", "cores", "cores_allowed")
SAME_OPTIONS = ("frames", "io_latency", "io_bandwidth", "io_error_rate", "heuristic", "bugs")


@dataclass(frozen=True)
class Measured:
    """One run; `edges` is None if its lock order is not known."""

    path: str
    run: dict[str, Any]
    figures: Figures
    edges: EdgeCounts | None = None
    lost: int = 0


def measure(paths: list[Path], counters: bool) -> list[Measured]:
    """Return the runs of some directories; `counters`: only what they counted.  Raises RunError, naming one."""
    return [measure_counters(path, read_run(path)) if counters else measure_events(path) for path in paths]


def measure_counters(path: Path, run: dict[str, Any]) -> Measured:
    """Return what a run has counted."""
    try:
        return Measured(str(path), {"program": run["program"], **run}, counted(run))
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path} is damaged ({type(error).__name__}: {error}); run again") from error


def measure_events(path: Path) -> Measured:
    """Return what a run has recorded."""
    events = load(path)
    edges = None if events.lost else edge_counts(events)
    return Measured(str(path), events.run, figures(events), edges, events.lost)


def edge_counts(events: Events) -> EdgeCounts:
    """Return how often a lock was asked for while another was held, by classes and modes."""
    edges = ordered(events, "").edges
    return {f"{edge.held} {edge.held_mode} -> {edge.wanted} {edge.mode}": edge.count for edge in edges}


def rounds(path: Path) -> dict[str, list[Measured]]:
    """Return the runs of each protocol that `vmconc compare` left.  Raises RunError if there are none."""
    try:
        each = msgspec.json.decode((path / "rounds.json").read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise RunError(f"{path} has no rounds.json, so what each of its runs counted is not known") from error
    names = list(read_run(path)["protocols"])
    whole = [runs for runs in each if set(runs) == set(names)]
    if len(names) != 2 or not whole:
        raise RunError(f"{path} has no round in which both protocols ran")
    return {name: [measure_counters(path, runs[name]) for runs in whole] for name in names}


def expanded(paths: list[Path]) -> list[Path]:
    """Return run directories; one that is none stands for those in it, in the order of their names."""
    found = []
    for path in paths:
        inside = sorted(each.parent for each in path.glob("*/run.json"))
        found += inside if inside and not (path / "run.json").exists() else [path]
    return found


def recorded(paths: list[Path]) -> bool:
    """Tell whether all of these runs have events."""
    return all(read_run(path).get("recording") for path in paths)


def facts(run: dict[str, Any]) -> dict[str, Any]:
    """Return what should be the same of runs that are compared."""
    machine, options = run.get("machine") or {}, run.get("options") or {}
    found = {key: run.get(key) for key in SAME}
    found |= {key: machine.get(key) for key in SAME_MACHINE} | {key: options.get(key) for key in SAME_OPTIONS}
    return found | {"vmconc": (run.get("versions") or {}).get("vmconc")}
