"""What is to be said of a comparison itself: in what its runs differ besides, what is not known, and why."""

from typing import Any

from vmconc.analysis.changes import PAIRS_LEAST
from vmconc.analysis.sides import COUNTED, RECORDED, TIMED, Measured, facts
from vmconc.statistics import interval

TAKES_EVENTS = (
    "no blame, bounces, order of locks, depth of layers, I/O under locks, nor how long faults took: these take events "
    "(vmconc run --mode recorded)"
)
ONE_LOCK = (
    "a lock is told by the number of its record, which in two runs need not stand for the same thing; of single locks "
    "there are waits only"
)
BINS = "p50 and p99 of a timed run are the upper ends of bins, at most a 16th too high"


def warnings(before: list[Measured], after: list[Measured]) -> list[str]:
    """Say in what runs of a pair differ besides the protocol, and which ended early; all should be of one program."""
    found: dict[str, tuple[Any, Any]] = {}
    for one, other in zip(before, after, strict=True):
        left, right = facts(one.run), facts(other.run)
        found = {key: (left[key], right[key]) for key in left if left[key] != right[key]} | found
    said = [f"{key} is not the same: {left} before, {right} after" for key, (left, right) in found.items()]
    for run in before + after:
        if (reason := (run.run.get("ending") or {}).get("reason", "done")) != "done":
            said.append(f"{run.path} did not end by itself: {reason}")
    programs = sorted({run.run["program"] for run in before + after})
    return said if len(programs) == 1 or "program" in found else [*said, f"several programs: {', '.join(programs)}"]


def notes(before: list[Measured], after: list[Measured], by: str) -> list[str]:
    """Say what is not known, and why."""
    found = []
    if len(before) == 1:
        found.append("one run each: no interval; a change may be chance, and a run repeated as is would show how much")
    elif len(before) < PAIRS_LEAST:
        found.append(f"{len(before)} pairs of runs: no interval; one of 95 % takes {PAIRS_LEAST}")
    else:
        _, coverage = interval(len(before))
        sure, misses = 100 * coverage, f"some 1 in {1 / (1 - coverage):,.0f} misses by chance"
        found.append(f"an interval of {len(before)} pairs covers {sure:.1f} %: {misses}")
    for run in before + after:
        if run.lost:
            found.append(f"{run.path}: {run.lost:,} events lost, so its figures are wrong; no blame, no I/O, no order")
        found += [f"{run.path}: {gap}" for gap in run.gaps]
    found += [ONE_LOCK] if by == "instance" else []
    return list(dict.fromkeys(found)) + sources_told({run.source for run in before + after})


def sources_told(sources: set[str]) -> list[str]:
    """Say what is not there because it was not recorded."""
    if COUNTED in sources:
        return ["not recorded or timed, or not all: only what counters say; no holds, percentiles, blame, order"]
    if RECORDED not in sources:
        return [f"timed: {TAKES_EVENTS}; {BINS}"]
    return [f"timed and recorded: what both have; {TAKES_EVENTS}; {BINS}"] if TIMED in sources else []
