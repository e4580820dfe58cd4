"""How sure it is that a ring of the lock-order graph is a deadlock that can happen."""

from itertools import combinations

import numpy as np

from vmconc.analysis.order import Order, class_name
from vmconc.analysis.rings import Ring, Step, in_rings
from vmconc.locks.classes import CLASSES, EXCLUSIVE

HIGH, WRITER, LOW = "high", "with a waiting writer", "low"
Pairs = tuple[np.ndarray, np.ndarray]  # rows of holds, and of requests made in them


def judged(order: Order, found: list[Ring]) -> list[tuple[Ring, str, list[str]]]:
    """Return each ring with how sure it is, and why not more."""
    occurrences = occurring(order, {step for ring in found for step in ring.steps})
    gates = {step: held_always(order, pairs[1]) for step, pairs in occurrences.items()}
    return [(ring, *judge(order, ring, occurrences, gates)) for ring in found]


def judge(
    order: Order, ring: Ring, occurrences: dict[Step, Pairs], gates: dict[Step, dict[int, bool]]
) -> tuple[str, list[str]]:
    """Look for what makes a ring harmless."""
    doubts = []
    pairs = [occurrences[step] for step in ring.steps]
    cpus = np.unique(np.concatenate([order.holds.cpu[hold] for hold, _ in pairs]))
    if len(cpus) == 1 and len(ring.steps) > 1:
        doubts.append(f"cpu {cpus[0]} alone was seen in it")
    locks = [np.concatenate(side) for side in zip(*(locks_of(order, pair) for pair in pairs), strict=True)]
    if not len(in_rings(*locks)):
        doubts.append("never the same locks, only the same classes")
    for gate in sorted(gates_of(ring, gates)):
        doubts.append(f"gate: {gate_name(order, gate)} is always held by two of them, who so keep each other out")
    for node in ring.shared:
        if not asked_exclusively(order, node):
            doubts.append(f"{class_name(order.class_of(node))} is only ever asked for shared")
    if doubts:
        return LOW, doubts
    if ring.shared:
        return WRITER, ["a reader waits for readers only while a writer waits too and bars it"]
    return HIGH, []


def occurring(order: Order, steps: set[Step]) -> dict[Step, Pairs]:
    """Return all holds and requests that make each step."""
    if not steps:
        return {}
    cpus = len(order.events.first)
    wanted = {order.key_of(step): step for step in steps}
    numbers = np.array(sorted(wanted))
    parts: dict[Step, list[Pairs]] = {step: [] for step in steps}
    for hold, request in order.pairs():
        key = order.keys(hold, request) // cpus
        for number in numbers[np.isin(numbers, key)]:
            rows = key == number
            parts[wanted[int(number)]].append((hold[rows], request[rows]))
    return {step: joined(found) for step, found in parts.items()}


def joined(parts: list[Pairs]) -> Pairs:
    """Put columns behind one another."""
    return np.concatenate([hold for hold, _ in parts]), np.concatenate([request for _, request in parts])


def held_always(order: Order, request: np.ndarray) -> dict[int, bool]:
    """Return the locks held at each of some requests, and of each whether always exclusively."""
    flagged = np.zeros(len(order.requests.place), bool)
    flagged[request] = True
    found = []
    for hold, made in order.pairs():
        kept = flagged[made]
        found.append((order.lock_of_hold[hold[kept]], made[kept], order.holds.mode[hold[kept]]))
    lock, made, mode = (np.concatenate(column) for column in zip(*found, strict=True))
    times = np.bincount(np.unique(np.stack([lock, made]), axis=1)[0])
    exclusive = np.bincount(np.unique(np.stack([lock, made])[:, mode == EXCLUSIVE], axis=1)[0], minlength=len(times))
    return {int(i): bool(exclusive[i] == times[i]) for i in np.flatnonzero(times == flagged.sum())}


def gates_of(ring: Ring, gates: dict[Step, dict[int, bool]]) -> set[int]:
    """Return locks that two steps always hold, one of them exclusively: only one of the two can be made at a time."""
    found = set()
    for one, other in combinations((gates[step] for step in ring.steps), 2):
        found |= {lock for lock in one.keys() & other.keys() if one[lock] or other[lock]}
    return found


def locks_of(order: Order, pairs: Pairs) -> Pairs:
    """Return the places of the locks held and asked for."""
    return order.lock_of_hold[pairs[0]], order.lock_of_request[pairs[1]]


def asked_exclusively(order: Order, node: int) -> bool:
    """Tell whether anybody asked for a node's lock exclusively."""
    asked = order.lock_of_request + CLASSES == node if node >= CLASSES else order.requests.cls == node
    return bool((asked & (order.requests.mode == EXCLUSIVE)).any())


def gate_name(order: Order, lock: int) -> str:
    """Name a lock that is a gate."""
    return order.lock_name(lock)
