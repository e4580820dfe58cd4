"""Who waits for whom, from the CPUs' records."""

import time
from typing import Any

from vmconc.checks.held import cpu_state, held_by
from vmconc.locks.classes import CLASS_NAMES, MAP_TOKEN, VM_OBJECT
from vmconc.locks.cpu import STATE_BLOCKED, STATE_DONE, STATE_STOPPED

ENDED = (STATE_DONE, STATE_STOPPED)
TOKENS = (CLASS_NAMES[VM_OBJECT], CLASS_NAMES[MAP_TOKEN])


def live(segment: Any) -> set[int]:
    """Return the CPUs that have not come to their end."""
    return {index for index in range(segment.machine.cpus) if segment.nth("Cpu", index).state not in ENDED}


def states(segment: Any) -> list[dict[str, Any]]:
    """Describe every CPU."""
    return [cpu_state(segment, index) for index in range(segment.machine.cpus)]


def wait_edges(segment: Any, cpus: list[dict[str, Any]], now: int) -> list[dict[str, Any]]:
    """Return an edge for each (sleeping CPU, CPU that it waits for)."""
    return [
        {"from": state["cpu"], "to": holder, "instance": state["waits_for"]["instance"]}
        | hold(cpus[holder], state["waits_for"]["instance"], now)
        for state in cpus
        if state["waits_for"]
        for holder in targets(segment, state)
    ]


def hold(holder: dict[str, Any], instance: str, now: int) -> dict[str, Any]:
    """Return how a CPU holds a lock: mode and site, empty if it does not, and for how many ns at least.

    When a lock was acquired is not kept: who sleeps has held it since it fell asleep, of who runs nothing is known: 0.
    """
    held = next((lock for lock in holder["held"] if lock["instance"] == instance), {"mode": "", "site": ""})
    asleep = held["mode"] and holder["waits_for"]
    lasted = now - holder["waits_for"]["since"] if asleep else 0
    return {"mode": held["mode"], "site": held["site"], "held_ns": lasted}


def targets(segment: Any, state: dict[str, Any]) -> list[int]:
    """Return the CPUs that can end a CPU's sleep: holders of the lock, or the CPU of the LWP or thread it waits for.

    Who sleeps has given its tokens up, though they are still on its stack.
    """
    wait = state["waits_for"]
    if wait["instance"].startswith("Lwp "):
        lwp: Any = segment.nth("Lwp", int(wait["instance"].split()[1]))
        return [lwp.cpu]
    if wait["instance"].startswith("Thread "):
        return [int(wait["instance"].split()[1])]
    holders = [holder for holder in held_by(segment, wait["offset"]) if holder != state["cpu"]]
    if wait["class"] not in TOKENS:
        return holders
    return [holder for holder in holders if segment.nth("Cpu", holder).state != STATE_BLOCKED]


def cycle(edges: list[dict[str, Any]]) -> list[int]:
    """Return the CPUs of one wait-for cycle, in order, the lowest first; empty if there is none."""
    import networkx as nx

    try:
        found = [before for before, _ in nx.find_cycle(nx.DiGraph((edge["from"], edge["to"]) for edge in edges))]
    except nx.NetworkXNoCycle:
        return []
    first = found.index(min(found))
    return found[first:] + found[:first]


def victims(edges: list[dict[str, Any]], ring: list[int]) -> list[int]:
    """Return the CPUs outside a cycle that wait for one in it, at first or at second hand."""
    caught = set(ring)
    while more := {edge["from"] for edge in edges if edge["to"] in caught} - caught:
        caught |= more
    return sorted(caught - set(ring))


def describe(segment: Any) -> dict[str, Any]:
    """Return everything there is to say about who holds and who waits."""
    now, cpus = time.monotonic_ns(), states(segment)
    for state in cpus:
        if wait := state["waits_for"]:
            wait["waited_ns"] = max(0, now - wait["since"])
    edges = wait_edges(segment, cpus, now)
    ring = cycle(edges)
    return {"cpus": cpus, "wait_for": edges, "cycle": ring, "victims": victims(edges, ring)}


def say_cycle(cpus: list[int]) -> str:
    """Write a cycle once round."""
    return " waits for ".join(f"cpu {cpu}" for cpu in [*cpus, cpus[0]])
