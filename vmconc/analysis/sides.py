"""The runs on one side of a comparison: what each was, its figures, and its lock-order edges."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from vmconc.analysis.events import Events, RunError, load, read_run
from vmconc.analysis.figures import Figures, counted, figures
from vmconc.analysis.order_told import Ordered, ordered

EdgeCounts = dict[str, int]  # by name of the edge
Look = Callable[[Path, Events, Ordered], None]  # sees every recorded run while its events are in memory
SAME = ("program", "mode", "cpus", "threads", "seed", "rounds", "operations", "settings")  # of run.json
SAME_MACHINE = ("system", "processor", "cores", "cores_allowed")
SAME_OPTIONS = (
    "frames", "io_latency", "io_bandwidth", "io_error_rate", "heuristic", "bugs", "delays", "ring", "drop", "tables",
    "checks", "fail_fast",
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """One run; `edges` is None if its lock order is not known."""

    path: str
    run: dict[str, Any]
    figures: Figures
    edges: EdgeCounts | None = None
    lost: int = 0


def measure(paths: list[Path], counters: bool, look: Look | None = None) -> list[Measured]:
    """Return the runs of some directories; `counters`: only what they counted.  Raises RunError, naming one."""
    return [measure_counters(path, read_run(path)) if counters else measure_events(path, look) for path in paths]


def measure_counters(path: Path, run: dict[str, Any]) -> Measured:
    """Return what a run has counted."""
    try:
        return Measured(str(path), {"program": run["program"], **run}, counted(run))
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path} is damaged ({type(error).__name__}: {error}); run again") from error


def measure_events(path: Path, look: Look | None = None) -> Measured:
    """Return what a run has recorded."""
    events = load(path)
    order = ordered(events, str(path))
    measured = Measured(str(path), events.run, figures(events), edge_counts(order), events.lost)
    if look:
        look(path, events, order)
    return measured


def edge_counts(order: Ordered) -> EdgeCounts | None:
    """Return how often a lock was asked for while another was held, by classes and modes; None: it is not known."""
    if order.notes:
        return None
    return {f"{edge.held} {edge.held_mode} -> {edge.wanted} {edge.mode}": edge.count for edge in order.edges}


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
