"""Rings in a lock-order graph: each CPU holds one lock and waits for the next, in modes that exclude each other."""

from dataclasses import dataclass
from itertools import pairwise

import networkx as nx
import numpy as np

from vmconc.analysis.order import Order
from vmconc.locks.classes import CHAIN, EXCLUSIVE, RWLOCK, VM_MAP, VNODE

BARRED = (VM_MAP, VNODE, CHAIN, RWLOCK)  # classes of which a writer that waits keeps new readers out
RINGS = 100  # that are looked at closely; what more there is, is counted
DETOUR = 1000  # steps that are rather taken than one that needs a waiting writer

Step = tuple[int, int, int, int]  # node held, mode, node asked for, mode


@dataclass(frozen=True)
class Ring:
    """Steps of which each asks for what the next one holds, the last one for what the first holds."""

    steps: tuple[Step, ...]
    shared: tuple[int, ...]  # nodes that are held shared and asked for shared: only a waiting writer is in the way


def rings(order: Order) -> tuple[list[Ring], int]:
    """Return rings, so that each step that is part of any is in one; and how many steps were too many to follow."""
    edges = order.edges
    kept = in_rings(edges.source, edges.target)
    columns = (edges.source[kept], edges.held_mode[kept], edges.target[kept], edges.mode[kept])
    graph = waits_for(order, set(zip(*(column.tolist() for column in columns), strict=True)))
    found: list[Ring] = []
    left = set()
    for part in nx.strongly_connected_components(graph):
        inside = graph.subgraph(part)
        left |= {step for _, _, step in inside.edges(data="step") if step}
    while left and len(found) < RINGS:
        ring = shortest(graph, min(left))
        found.append(ring)
        left -= set(ring.steps)
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


def waits_for(order: Order, steps: set[Step]) -> nx.DiGraph:
    """Return who waits for whom: from a lock held to one asked for, and from there to the holders in its way."""
    graph = nx.DiGraph()
    for step in steps:
        source, held_mode, target, mode = step
        graph.add_edge((source, held_mode, "held"), (target, mode, "asked"), step=step, weight=1)
    for node, mode, what in list(graph):
        for held_mode in (0, EXCLUSIVE):
            holder = (node, held_mode, "held")
            if what == "asked" and holder in graph and (mode or held_mode or order.class_of(node) in BARRED):
                graph.add_edge((node, mode, what), holder, weight=0 if mode or held_mode else DETOUR)
    return graph


def shortest(graph: nx.DiGraph, step: Step) -> Ring:
    """Return the shortest ring with a step, if possible one that needs no waiting writer."""
    source, held_mode, target, mode = step
    path = nx.shortest_path(graph, (target, mode, "asked"), (source, held_mode, "held"), weight="weight")
    places = [*path, path[0]]
    arcs = list(pairwise(places))
    steps = [graph.edges[arc]["step"] for arc in arcs if arc[0][2] == "held"]
    first = steps.index(min(steps))
    shared = tuple(a[0] for a, b in arcs if a[2] == "asked" and a[1] == b[1] == 0)
    return Ring(tuple(steps[first:] + steps[:first]), shared)
