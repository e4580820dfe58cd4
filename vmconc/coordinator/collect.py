"""Adds up what the CPUs counted: shared records in, a `RunResult` out."""

from typing import Any

import numpy as np

from vmconc.coordinator.result import CpuWork, Locks, RunResult
from vmconc.locks.classes import CLASS_NAMES, CLASSES, COLUMN_NAMES, COUNT_COLUMNS
from vmconc.program import agreement
from vmconc.vm.events import EVENT_NAMES, RETRY_NAMES
from vmconc.vm.opcodes import OUTCOME_HIT, OUTCOME_NAMES, TOUCH


def collect(segment: Any, result: RunResult) -> None:
    """Fill in everything that stands in the mapping."""
    cpus = segment.view("Cpu")[: segment.machine.cpus]
    result.locks = lock_counts(cpus)
    result.order = order_edges(cpus)
    result.events = named(cpus["events"].sum(axis=0), EVENT_NAMES)
    result.retries = {name: n for name, n in named(cpus["retries"].sum(axis=0), RETRY_NAMES).items() if n}
    for name in ("pageins", "pageins_map_released", "pageins_map_held"):
        setattr(result, name, result.events[name])
    ops = segment.view("Op")[: result.operations]
    operations(ops, result)
    result.per_cpu = [cpu_work(cpu, ops) for cpu in cpus]


def cpu_work(cpu: np.void, ops: np.ndarray) -> CpuWork:
    """Return what one CPU did; its CPU time is added by whoever knows it."""
    own = ops[int(cpu["first_op"]) : int(cpu["last_op"])]
    taken = cpu["counts"].reshape(CLASSES, COUNT_COLUMNS)[:, :2].sum()
    return CpuWork(faults=fault_count(own), lock_operations=int(taken))


def fault_count(ops: np.ndarray) -> int:
    """Return how many touches faulted.  Works in mode `off` too: outcomes are results, not counters."""
    return int((ops["outcome"][ops["kind"] == TOUCH] >= OUTCOME_HIT).sum())


def lock_counts(cpus: np.ndarray) -> dict[str, Locks]:
    """Return the counters of every class, summed over CPUs."""
    counts = cpus["counts"].sum(axis=0).reshape(CLASSES, COUNT_COLUMNS)
    return {
        name: Locks(**{column: int(counts[cls, i]) for i, column in enumerate(COLUMN_NAMES)})
        for cls, name in CLASS_NAMES.items()
    }


def order_edges(cpus: np.ndarray) -> list[tuple[str, str]]:
    """Return the pairs (held, acquired) of lock classes that any CPU has seen."""
    held = np.bitwise_or.reduce(cpus["order"], axis=0)
    return [
        (CLASS_NAMES[before], CLASS_NAMES[cls])
        for cls in CLASS_NAMES
        for before in CLASS_NAMES
        if int(held[cls]) >> before & 1
    ]


def named(values: np.ndarray, names: dict[int, str]) -> dict[str, int]:
    """Give counters their names."""
    return {name: int(values[number]) for number, name in names.items()}


def operations(ops: np.ndarray, result: RunResult) -> None:
    """Count faults by how they ended."""
    touches = ops["outcome"][ops["kind"] == TOUCH]
    result.faults = fault_count(ops)
    result.outcomes = {name: int((touches == number).sum()) for number, name in OUTCOME_NAMES.items()}
    result.max_depth = int(ops["depth"].max()) if len(ops) else 0
    if ops["recorded"].any():
        result.agreement = agreed(ops)


def agreed(ops: np.ndarray) -> dict[str, Any]:
    """Hold what the recorded kernel did against what was done here: {comparable, agree, share, rows}."""
    found = agreement.compare(ops["recorded"], ops["outcome"])
    rows = [
        {"recorded": theirs, "outcome": ours, "count": count, "why": found.why.get((theirs, ours), "")}
        for theirs, row in found.table.items()
        for ours, count in row.items()
    ]
    return {"comparable": found.comparable, "agree": found.agree, "share": found.share, "rows": rows}
