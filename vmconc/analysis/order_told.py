"""The lock-order graph in words: edges with an example each, rings with how sure they are."""

from pathlib import Path

import msgspec
import numpy as np

from vmconc.analysis.confidence import HIGH, LOW, WRITER, judged
from vmconc.analysis.events import Events, load_all
from vmconc.analysis.groups import group_starts
from vmconc.analysis.names import lock_name, site_name
from vmconc.analysis.order import Edges, Order, class_name, lock_order, violates
from vmconc.analysis.rings import Ring, rings
from vmconc.locks.classes import CLASS_NAMES, CLASSES, MODE_NAMES, UNORDERED


class Example(msgspec.Struct):
    """The first time that a CPU asked so."""

    cpu: int
    held_lock: str
    held_site: str
    held_at_ms: float
    lock: str
    site: str
    at_ms: float


class OrderEdge(msgspec.Struct):
    """One order in which locks were asked for: `held` before `wanted`."""

    held: str  # a class, or one lock of it
    held_mode: str
    wanted: str
    mode: str
    count: int
    lock_pairs: int  # pairs of single locks that are told apart; 0: they are not
    cpus: list[int]
    violates: bool  # goes against the declared order
    example: Example


class OrderRing(msgspec.Struct):
    """CPUs of which each holds one lock and asks for what the next one holds."""

    confidence: str
    doubts: list[str]
    edges: list[OrderEdge]


class Ordered(msgspec.Struct):
    """The lock-order graph of a run."""

    run_dir: str
    events: int
    declared: list[str]  # classes in their order
    edges: list[OrderEdge]
    single_locks: list[OrderEdge]  # between single locks, if asked for
    rings: list[OrderRing]
    not_followed: int  # steps that are part of rings of which none is told
    notes: list[str]

    @property
    def exit_code(self) -> int:
        """Return 1 if there is a ring that is no false alarm."""
        return 1 if any(ring.confidence != LOW for ring in self.rings) else 0


def order_of_run(path: Path, instances: bool = False) -> Ordered:
    """Return the lock-order graph of a run directory.  Raises RunError if it has no events, or not all of them."""
    return ordered(load_all(path), str(path), instances)


def ordered(events: Events, run_dir: str, instances: bool = False) -> Ordered:
    """Return the lock-order graph of events; nothing is known of what is held once one was lost."""
    declared = [CLASS_NAMES[cls] for cls in range(1, UNORDERED)]
    told = Ordered(run_dir, len(events.raw), declared, [], [], [], 0, [])
    if events.gap:
        told.notes.append(events.gap)
        return told
    order = lock_order(events)
    edges = order.edges
    told.edges = by_step(order, *by_class(order, edges))
    if instances:
        fine = np.flatnonzero(edges.source >= CLASSES)
        told.single_locks = by_step(order, fine, edges.source[fine], edges.target[fine])
    found, told.not_followed = rings(order)
    told.rings = [OrderRing(sure, doubts, ring_edges(order, ring)) for ring, sure, doubts in judged(order, found)]
    told.rings.sort(key=lambda ring: (HIGH, WRITER, LOW).index(ring.confidence))
    return told


def by_class(order: Order, edges: Edges) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all rows of the graph, and their classes as nodes."""
    held, wanted = order.holds.cls[edges.hold], order.requests.cls[edges.request]
    return np.arange(len(held)), held.astype(np.int64), wanted.astype(np.int64)


def by_step(order: Order, rows: np.ndarray, source: np.ndarray, target: np.ndarray) -> list[OrderEdge]:
    """Put the rows of the same two nodes and modes together, the most frequent first."""
    edges = order.edges
    key = order.key_of((source, edges.held_mode[rows], target, edges.mode[rows]))
    rank = np.argsort(key, kind="stable")
    parts = np.split(rank, group_starts(key[rank])[1:]) if len(rank) else []
    told = [edge(order, rows[part], rows[part[0]], int(source[part[0]]), int(target[part[0]])) for part in parts]
    return sorted(told, key=lambda one: (-one.count, one.held, one.wanted))


def ring_edges(order: Order, ring: Ring) -> list[OrderEdge]:
    """Describe the steps of a ring, each by another CPU if possible."""
    edges, used, told = order.edges, set[int](), []
    for source, held_mode, target, mode in ring.steps:
        same = (edges.source == source) & (edges.target == target)
        rows = np.flatnonzero(same & (edges.held_mode == held_mode) & (edges.mode == mode))
        others = [row for row in rows.tolist() if int(edges.cpu[row]) not in used]
        example = others[0] if others else int(rows[0])
        used.add(int(edges.cpu[example]))
        told.append(edge(order, rows, example, source, target))
    return told


def edge(order: Order, rows: np.ndarray, example: int, source: int, target: int) -> OrderEdge:
    """Describe some rows of the graph as one edge."""
    edges = order.edges
    held_cls = int(order.holds.cls[edges.hold[example]])
    wanted_cls = int(order.requests.cls[edges.request[example]])
    return OrderEdge(
        held=node_name(order, source),
        held_mode=MODE_NAMES[int(edges.held_mode[example])],
        wanted=node_name(order, target),
        mode=MODE_NAMES[int(edges.mode[example])],
        count=int(edges.count[rows].sum()),
        lock_pairs=len(np.unique(np.stack([edges.source[rows], edges.target[rows]]), axis=1).T)
        if edges.source[example] >= CLASSES
        else 0,
        cpus=sorted({int(cpu) for cpu in edges.cpu[rows]}),
        violates=violates(held_cls, wanted_cls),
        example=seen(order, int(edges.hold[example]), int(edges.request[example])),
    )


def seen(order: Order, hold: int, request: int) -> Example:
    """Describe one request made during a hold."""
    events, holds, asked = order.events, order.holds, order.requests
    begin, place = holds.begin[hold], asked.place[request]
    begin_ms, place_ms = (float(events.nanoseconds(events.raw["time"][i])) / 1e6 for i in (begin, place))
    return Example(
        cpu=int(events.cpu[begin]),
        held_lock=lock_name(events, int(holds.lock[hold])),
        held_site=site_name(events, int(holds.site[hold])),
        held_at_ms=begin_ms,
        lock=lock_name(events, int(asked.lock[request])),
        site=site_name(events, int(asked.site[request])),
        at_ms=place_ms,
    )


def node_name(order: Order, node: int) -> str:
    """Name a class, or a single lock with its class."""
    name = class_name(order.class_of(node))
    return name if node < CLASSES else f"{name} ({order.lock_name(node - CLASSES)})"
