"""Rings in a lock-order graph: each CPU holds one lock and waits for the next, in modes that exclude each other."""

from dataclasses import dataclass
from itertools import pairwise

import networkx as nx
import numpy as np

from vmconc.analysis.order import Order
from vmconc.locks.classes import CHAIN, EXCLUSIVE, RWLOCK, SHARED, VM_MAP, VNODE

BARRED = (VM_MAP, VNODE, CHAIN, RWLOCK)  # classes of which a writer that waits keeps new readers out
RINGS = 100  # that are looked at closely; what more there is, is counted

Step = tuple[int, int, int, int]  # node held, mode, node asked for, mode


@dataclass(frozen=True)
class Ring:
    """Steps of which each asks for what the next one holds, the last one for what the first holds."""

    steps: tuple[Step, ...]
    shared: tuple[int, ...]  # nodes that are held shared and asked for shared: only a waiting writer is in the way


def rings(order: Order) -> tuple[list[Ring], int]:
    """Return rings, so that each step that is part of any is in one; and how many steps were too many to follow.

    A step that is part of a ring without a waiting writer is in one of those.
    """
    edges = order.edges
    kept = in_rings(edges.source, edges.target)
    columns = (edges.source[kept], edges.held_mode[kept], edges.target[kept], edges.mode[kept])
    steps = set(zip(*(column.tolist() for column in columns), strict=True))
    found: list[Ring] = []
    followed: set[Step] = set()
    for writers_wait in (False, True):
        graph = waits_for(order, steps, writers_wait)
        left = steps_in_rings(graph) - followed
        while left and len(found) < RINGS:
            ring = shortest(graph, min(left))
            found.append(ring)
            followed.update(ring.steps)
            left -= followed
    return found, len(left)


def in_rings(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the edges left when those that lead nowhere, or come from nowhere, are taken away again and again."""
    kept = np.arange(len(source))
    nodes = max(source.max(initial=0), target.max(initial=0)) + 1
    while True:
        goes_on, is_reached = np.zeros(nodes, bool), np.zeros(nodes, bool)
        goes_on[source[kept]] = True
        is_reached[target[kept]] = True
        good = goes_on[target[kept]] & is_reached[source[kept]]
        if good.all():
            return kept
        kept = kept[good]


def waits_for(order: Order, steps: set[Step], writers_wait: bool) -> nx.DiGraph:
    """Return who waits for whom: from a lock held to one asked for, and from there to the holders in its way."""
    graph = nx.DiGraph()
    for step in steps:
        source, held_mode, target, mode = step
        graph.add_edge((source, held_mode, "held"), (target, mode, "asked"), step=step)
    for node, mode, what in list(graph):
        for held_mode in (SHARED, EXCLUSIVE):
            holder = (node, held_mode, "held")
            excludes = EXCLUSIVE in (mode, held_mode) or (writers_wait and order.class_of(node) in BARRED)
            if what == "asked" and holder in graph and excludes:
                graph.add_edge((node, mode, what), holder)
    return graph


def steps_in_rings(graph: nx.DiGraph) -> set[Step]:
    """Return the steps that are part of any ring."""
    parts = nx.strongly_connected_components(graph)
    return {step for part in parts for _, _, step in graph.subgraph(part).edges(data="step") if step}


def shortest(graph: nx.DiGraph, step: Step) -> Ring:
    """Return the shortest ring with a step."""
    source, held_mode, target, mode = step
    path = nx.shortest_path(graph, (target, mode, "asked"), (source, held_mode, "held"))
    places = [*path, path[0]]
    arcs = list(pairwise(places))
    steps = [graph.edges[arc]["step"] for arc in arcs if arc[0][2] == "held"]
    first = steps.index(min(steps))
    shared = tuple(a[0] for a, b in arcs if a[2] == "asked" and a[1] == b[1] == SHARED)
    return Ring(tuple(steps[first:] + steps[:first]), shared)
