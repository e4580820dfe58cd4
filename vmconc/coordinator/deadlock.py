"""Who waits for whom, from the CPUs' records."""

from typing import Any

from vmconc.checks.held import cpu_state, held_by, say_held
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


def wait_edges(segment: Any, cpus: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return an edge for each (sleeping CPU, CPU that it waits for)."""
    return [
        {"from": state["cpu"], "to": holder, "instance": state["waits_for"]["instance"]}
        for state in cpus
        if state["waits_for"]
        for holder in targets(segment, state)
    ]


def targets(segment: Any, state: dict[str, Any]) -> list[int]:
    """Return the CPUs that can end a CPU's sleep: holders of the lock, or the CPU of the LWP it waits for.

    Who sleeps has given its tokens up, though they are still on its stack.
    """
    wait = state["waits_for"]
    if wait["instance"].startswith("Lwp "):
        lwp: Any = segment.nth("Lwp", int(wait["instance"].split()[1]))
        return [lwp.cpu]
    holders = [holder for holder in held_by(segment, wait["offset"]) if holder != state["cpu"]]
    if wait["class"] not in TOKENS:
        return holders
    return [holder for holder in holders if segment.nth("Cpu", holder).state != STATE_BLOCKED]


def cycle(edges: list[dict[str, Any]]) -> list[int]:
    """Return the CPUs of one wait-for cycle, in order; empty if there is none."""
    follows: dict[int, list[int]] = {}
    for edge in edges:
        follows.setdefault(edge["from"], []).append(edge["to"])
    for start in follows:
        found = search(follows, [start])
        if found:
            return found
    return []


def search(follows: dict[int, list[int]], path: list[int]) -> list[int]:
    """Follow edges from the end of `path` until one leads back to its start."""
    for target in follows.get(path[-1], []):
        if target == path[0]:
            return path
        if target not in path:
            found = search(follows, [*path, target])
            if found:
                return found
    return []


def describe(segment: Any) -> dict[str, Any]:
    """Return everything there is to say about who holds and who waits."""
    cpus = states(segment)
    edges = wait_edges(segment, cpus)
    return {"cpus": cpus, "wait_for": edges, "cycle": cycle(edges)}


def say(described: dict[str, Any]) -> list[str]:
    """Write it for people, one line for each CPU and one for the cycle."""
    lines = [say_cpu(state, described["wait_for"]) for state in described["cpus"]]
    if described["cycle"]:
        lines.append(f"cycle: {say_cycle(described['cycle'])}")
    return lines


def say_cycle(cpus: list[int]) -> str:
    """Write a cycle once round."""
    return " waits for ".join(f"cpu {cpu}" for cpu in [*cpus, cpus[0]])


def say_cpu(state: dict[str, Any], edges: list[dict[str, Any]]) -> str:
    """Write one CPU's state."""
    op, wait = state["operation"], state["waits_for"]
    line = f"cpu {state['cpu']} {state['state']}"
    if op["index"] >= 0:
        line += f", lwp {op['lwp']}, operation {op['index']} ({op['kind']} {op['va']})"
    line += f"; holds {say_held(state['held'])}"
    if wait:
        unowned = "the disk" if wait["instance"].startswith("IoRequest ") else "nobody known"
        owners = ", ".join(f"cpu {edge['to']}" for edge in edges if edge["from"] == state["cpu"]) or unowned
        line += (
            f"; waits for {wait['mode']} {wait['class']} {wait['instance']} at {wait['site']}, which is up to {owners}"
        )
    return " ".join(line.split())
