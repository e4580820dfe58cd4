"""By what waits and holds can be summed up, and what each sum is called."""

from collections.abc import Callable

import numpy as np

from vmconc.analysis.doing import kinds, lwps, paging_in
from vmconc.analysis.events import Events
from vmconc.analysis.groups import numbered
from vmconc.analysis.names import lock_name, site_name
from vmconc.analysis.spans import Spans
from vmconc.analysis.usage import Usage
from vmconc.locks.classes import CLASS_NAMES, CLASSES
from vmconc.vm.opcodes import KIND_NAMES, TOUCH

OUTSIDE = "outside of operations"
OPERATIONS = {0: OUTSIDE, **KIND_NAMES, TOUCH: "fault"}  # of a touch only its faults are recorded


def instances(spans: Spans) -> np.ndarray:
    """Return the lock; of one that is not known its class, which no lock's offset is as small as."""
    return np.where(spans.lock > 0, spans.lock, spans.cls)


def phases(spans: Spans) -> np.ndarray:
    """Return the kind of operation in which each began, and whether during a page-in."""
    return kinds(spans.events, spans.begin) * 2 + paging_in(spans.events, spans.begin)


def instance_name(events: Events, key: int) -> str:
    """Name a lock."""
    return lock_name(events, key) if key >= CLASSES else f"{CLASS_NAMES[key]}, which is not known"


def cpu_name(events: Events, key: int) -> str:
    """Name a CPU; behind those of a machine comes the ring of the disk."""
    return f"cpu {key}" if key < events.cpus else "disk"


def lwp_name(events: Events, key: int) -> str:
    """Name an LWP."""
    return f"lwp {key}" if key >= 0 else OUTSIDE


def phase_name(events: Events, key: int) -> str:
    """Name a phase: an operation, and what part of it."""
    kind, page_in = divmod(key, 2)
    name = OPERATIONS[kind]
    return f"{name}, page-in" if page_in else f"{name}, rest" if kind == TOUCH else name


GROUPINGS: dict[str, tuple[Callable[[Spans], np.ndarray], Callable[[Events, int], str]]] = {
    "class": (lambda spans: spans.cls, lambda events, key: CLASS_NAMES[key]),
    "instance": (instances, instance_name),
    "site": (lambda spans: spans.site, site_name),
    "cpu": (lambda spans: spans.cpu, cpu_name),
    "lwp": (lambda spans: lwps(spans.events, spans.begin), lwp_name),
    "phase": (phases, phase_name),
}


def grouped(used: Usage, way: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the key of each group, and the number of the group of each acquisition, wait and hold."""
    group, _ = GROUPINGS[way]
    keys, numbers = numbered(np.concatenate([group(spans) for spans in used]))
    parts = np.split(numbers, np.cumsum([len(spans.begin) for spans in used])[:-1])
    return keys, parts
