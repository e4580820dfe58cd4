"""The runs on one side of a comparison: what each was, its figures, and its lock-order edges."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from vmconc.analysis.events import RunError, load, read_run
from vmconc.analysis.figures import WAYS, Figures, counted, faults_counted, figures
from vmconc.analysis.findings import Findings
from vmconc.analysis.order_told import Ordered, ordered
from vmconc.analysis.timed_figures import figures_timed, like_timed, ways_known
from vmconc.analysis.timing import Timing, gaps, load_timing

EdgeCounts = dict[str, int]  # by name of the edge
RECORDED, TIMED, COUNTED = "recorded", "timed", "counted"  # what the figures of a run are from
OFF = "off"  # the mode in which nothing of locks is counted: zeros in run.json stand for what is not known
NO_LOCKS = "mode off counts nothing of locks, so only faults are known"
Look = Callable[[Path, Findings | Timing, Ordered | None], None]  # sees each run while what it left is in memory
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
    source: str = RECORDED
    gaps: Sequence[str] = ()  # what of it is not known
    ways: Sequence[str] = WAYS  # by what of WAYS it can be asked for


def source(path: Path) -> str:
    """Return what is known of a run: its events, its histograms, or what it counted."""
    run = read_run(path)
    return RECORDED if run.get("recording") else TIMED if run.get("mode") == TIMED else COUNTED


def measure(paths: list[Path], sources: set[str], ways: Sequence[str] = (), look: Look | None = None) -> list[Measured]:
    """Return the runs of some directories with what there is of all that are compared.  Raises RunError, naming one.

    `sources`: those of all that are compared; if one of them was only counted, nothing more is asked of any.
    """
    if COUNTED in sources:
        return [measure_counters(path, read_run(path)) for path in paths]
    measured = [measure_one(path, ways, look) for path in paths]
    return measured if len(sources) == 1 else [as_timed(run) for run in measured]


def measure_one(path: Path, ways: Sequence[str], look: Look | None = None) -> Measured:
    """Return a recorded or timed run."""
    return measure_events(path, ways, look) if source(path) == RECORDED else measure_times(path, ways, look)


def as_timed(run: Measured) -> Measured:
    """Return a run as it would be known if it had been timed."""
    if run.source == TIMED:
        return run
    try:
        return replace(run, figures=like_timed(run.figures, run.run), edges=None)
    except (KeyError, TypeError) as error:
        raise RunError(f"{run.path} is damaged ({type(error).__name__}: {error}); run again") from error


def measure_counters(path: Path, run: dict[str, Any]) -> Measured:
    """Return what a run has counted.  Raises RunError if that is not known."""
    if "unended" in run:
        raise RunError(f"{path} has no counts to compare, since {run['unended']}")
    off = run.get("mode") == OFF
    try:
        found, missing = (faults_counted(run), [NO_LOCKS]) if off else (counted(run), [])
        return Measured(str(path), {"program": run["program"], **run}, found, source=COUNTED, gaps=missing, ways=())
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path} is damaged ({type(error).__name__}: {error}); run again") from error


def measure_times(path: Path, ways: Sequence[str], look: Look | None = None) -> Measured:
    """Return what a run has timed."""
    run, timing = load_timing(path)
    try:
        found = figures_timed(run, timing, ways)
        known, ways = {"program": run["program"], **run}, ways_known(timing)
        measured = Measured(str(path), known, found, source=TIMED, gaps=gaps(timing), ways=ways)
    except (KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path} is damaged ({type(error).__name__}: {error}); run again") from error
    if look:
        look(path, timing, None)
    return measured


def measure_events(path: Path, ways: Sequence[str], look: Look | None = None) -> Measured:
    """Return what a run has recorded."""
    found = Findings(load(path), str(path))
    order = ordered(found.events, str(path))
    measured = Measured(str(path), found.events.run, figures(found, ways), edge_counts(order), found.events.lost)
    if look:
        look(path, found, order)
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


def facts(run: dict[str, Any]) -> dict[str, Any]:
    """Return what should be the same of runs that are compared."""
    machine, options = run.get("machine") or {}, run.get("options") or {}
    found = {key: run.get(key) for key in SAME}
    found |= {key: machine.get(key) for key in SAME_MACHINE} | {key: options.get(key) for key in SAME_OPTIONS}
    return found | {"vmconc": (run.get("versions") or {}).get("vmconc")}
