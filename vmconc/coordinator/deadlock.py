"""Who waits for whom, from two looks at the CPUs' records: a cycle, or everybody asleep, is reported at once."""

from typing import Any

from vmconc.checks.held import cpu_state, held_by, say_held
from vmconc.locks.cpu import STATE_BLOCKED, STATE_DONE, STATE_STOPPED

Snapshot = tuple[tuple[int, int, int], ...]
ENDED = (STATE_DONE, STATE_STOPPED)


def asleep(segment: Any) -> Snapshot | None:
    """Return (cpu, channel, progress) of the live CPUs if all of them sleep and none is being woken, else None."""
    seen = []
    for index in range(segment.machine.cpus):
        cpu: Any = segment.nth("Cpu", index)
        if cpu.state in ENDED:
            continue
        if cpu.state != STATE_BLOCKED or cpu.channel == 0:
            return None
        seen.append((index, cpu.channel, cpu.progress))
    return tuple(seen) or None


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
    """Return the CPUs that can end a CPU's sleep: holders of the lock, or the CPU of the LWP it waits for."""
    wait = state["waits_for"]
    if wait["instance"].startswith("Lwp "):
        lwp: Any = segment.nth("Lwp", int(wait["instance"].split()[1]))
        return [lwp.cpu]
    return [holder for holder in held_by(segment, wait["offset"]) if holder != state["cpu"]]


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
        round_trip = [*described["cycle"], described["cycle"][0]]
        lines.append("cycle: " + " waits for ".join(f"cpu {cpu}" for cpu in round_trip))
    return lines


def say_cpu(state: dict[str, Any], edges: list[dict[str, Any]]) -> str:
    """Write one CPU's state."""
    op, wait = state["operation"], state["waits_for"]
    line = f"cpu {state['cpu']} {state['state']}"
    if op["index"] >= 0:
        line += f", lwp {op['lwp']}, operation {op['index']} ({op['kind']} {op['va']})"
    line += f"; holds {say_held(state['held'])}"
    if wait:
        owners = ", ".join(f"cpu {edge['to']}" for edge in edges if edge["from"] == state["cpu"]) or "nobody known"
        line += (
            f"; waits for {wait['mode']} {wait['class']} {wait['instance']} at {wait['site']}, which is up to {owners}"
        )
    return " ".join(line.split())
