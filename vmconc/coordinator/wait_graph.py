"""The wait-for graph of a machine for people: who waits how long for what, who holds it, who is stuck behind whom."""

from typing import Any

from vmconc.checks.held import say_held
from vmconc.coordinator.deadlock import say_cycle
from vmconc.coordinator.units import say_duration


def say(described: dict[str, Any]) -> list[str]:
    """Write what `deadlock.describe` found: the cycle, a line for each wait, then what every CPU does and holds."""
    return [*say_graph(described), *(say_cpu(state) for state in described["cpus"])]


def say_graph(described: dict[str, Any]) -> list[str]:
    """Write the waits: those of the cycle, those behind it, others; who waits for the same is together."""
    cycle, victims = described["cycle"], described["victims"]
    first = {cpu: place for place, cpu in enumerate([*cycle, *victims])}
    waiting = [state for state in described["cpus"] if state["waits_for"]]
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for state in sorted(waiting, key=lambda state: first.get(state["cpu"], len(first))):
        groups.setdefault(alike(state, cycle, described["wait_for"]), []).append(state)
    if not groups:
        return []
    lines = [say_wait(some, described["wait_for"]) + where(some[0]["cpu"], cycle, victims) for some in groups.values()]
    return [*say_whole(cycle, victims), *lines]


def say_whole(cycle: list[int], victims: list[int]) -> list[str]:
    """Say whether there is a cycle, and who is behind it."""
    if not cycle:
        return ["no cycle: nobody who waits is waited for by those whom it waits for"]
    caught = ", ".join(f"cpu {cpu}" for cpu in victims)
    return [f"cycle of {len(cycle)}: {say_cycle(cycle)}", *([f"behind the cycle: {caught}"] if caught else [])]


def alike(state: dict[str, Any], cycle: list[int], edges: list[dict[str, Any]]) -> tuple[Any, ...]:
    """Return what CPUs have in common that are written on one line; who is in the cycle has one of its own."""
    wait, cpu = state["waits_for"], state["cpu"]
    holders = tuple(edge["to"] for edge in edges if edge["from"] == cpu)
    return wait["instance"], wait["mode"], wait["site"], holders, cpu if cpu in cycle else -1


def where(cpu: int, cycle: list[int], victims: list[int]) -> str:
    """Say where in the graph a CPU is."""
    return "   in the cycle" if cpu in cycle else "   behind the cycle" if cpu in victims else ""


def say_wait(states: list[dict[str, Any]], edges: list[dict[str, Any]]) -> str:
    """Write one wait of some CPUs: for how long, for what, in which mode and where, and who can end it."""
    wait = states[0]["waits_for"]
    longest = max(state["waits_for"]["waited_ns"] for state in states)
    cpus = ", ".join(f"cpu {state['cpu']}" for state in states)
    verb = "waits" if len(states) == 1 else "wait"
    how = " ".join(filter(None, (wait["class"], wait["mode"], "at", wait["site"])))
    line = f"{cpus} -- {verb} {say_duration(longest)} --> {wait['instance']} ({how})"
    holders = [edge for edge in edges if edge["from"] == states[0]["cpu"]]
    if not holders:
        unowned = "the disk" if wait["instance"].startswith("IoRequest ") else "nobody known"
        return f"{line} -- up to --> {unowned}"
    arrow = "held by" if any(edge["mode"] for edge in holders) else "up to"
    return f"{line} -- {arrow} --> {', '.join(say_holder(edge) for edge in holders)}"


def say_holder(edge: dict[str, Any]) -> str:
    """Write who holds a lock: in which mode, where it got it, and for how long at least."""
    if not edge["mode"]:
        return f"cpu {edge['to']}"
    lasted = f", for {say_duration(edge['held_ns'])} or longer" if edge["held_ns"] else ""
    return f"cpu {edge['to']} ({edge['mode']}, at {edge['site']}{lasted})"


def say_cpu(state: dict[str, Any]) -> str:
    """Write what one CPU does and holds."""
    op = state["operation"]
    line = f"cpu {state['cpu']} {state['state']}"
    if op["index"] >= 0:
        line += f", lwp {op['lwp']}, operation {op['index']} ({op['kind']} {op['va']})"
    return f"{line}; holds {say_held(state['held'])}"
