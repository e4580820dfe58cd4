"""Says what the microscope saw: the step log in words, the CPU's counters under the names of the cost tables."""

from typing import Any

from vmconc.checks.layers import Layers
from vmconc.checks.places import place
from vmconc.checks.quiescent_state import State
from vmconc.locks.classes import (
    CHAIN,
    CLASS_NAMES,
    COUNT_COLUMNS,
    COUNT_EXCLUSIVE,
    COUNT_SHARED,
    EXCLUSIVE,
    MODE_NAMES,
    VM_MAP,
    VM_OBJECT,
    VNODE,
)
from vmconc.locks.sites import SITES
from vmconc.schedule.steps import (
    STEP_ACQUIRE,
    STEP_DOWNGRADE,
    STEP_NAMES,
    STEP_RELEASE,
    STEP_UPGRADE,
)
from vmconc.vm.events import EVENT_NAMES

EVENTS = (
    "attempts", "map_upgrade", "map_downgrade", "tok_vnwalk", "pip", "busy", "haspage_peek", "page_alloc", "page_free",
    "getpage", "io", "zfill", "copy", "map_unlock_for_io", "map_relock_timed", "ts_fail", "pmap_enter",
)  # fmt: skip
LOCKS = {
    "map_S": (VM_MAP, COUNT_SHARED), "tok_S": (VM_OBJECT, COUNT_SHARED), "tok_X": (VM_OBJECT, COUNT_EXCLUSIVE),
    "chain_S": (CHAIN, COUNT_SHARED), "chain_X": (CHAIN, COUNT_EXCLUSIVE), "vnode_S": (VNODE, COUNT_SHARED),
}  # fmt: skip
SAID = {
    "Vmspace": "space", "Vnode": "file", "PageQueue": "page queue", "PageTable": "page table", "IoRequest": "request",
}  # fmt: skip


def counts_of(segment: Any, steps: list[dict[str, Any]]) -> dict[str, int]:
    """Return the counts of CPU 0.

    A timed relock is counted as `map_relock_timed`, not as `map_S`.  What is taken to make a new front layer is not
    counted: by the steps, all that is acquired between the upgrade of the map lock and its downgrade.
    """
    cpu = segment.nth("Cpu", 0)
    numbers = {name: number for number, name in EVENT_NAMES.items()}
    counts = {name: cpu.events[numbers[name]] for name in EVENTS}
    counts |= {name: cpu.counts[cls * COUNT_COLUMNS + column] for name, (cls, column) in LOCKS.items()}
    counts["map_S"] -= counts["map_relock_timed"]
    for step in shadowing(steps):
        for name, (cls, column) in LOCKS.items():
            if step["class"] == CLASS_NAMES[cls] and step["mode"] == MODE_NAMES[column]:
                counts[name] -= 1
    return counts


def shadowing(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the acquisitions that were made while the map was held exclusively."""
    found, exclusive = [], False
    for step in steps:
        if step["action"] in (STEP_NAMES[STEP_UPGRADE], STEP_NAMES[STEP_DOWNGRADE]):  # only of maps
            exclusive = step["action"] == STEP_NAMES[STEP_UPGRADE]
        elif exclusive and step["action"] == STEP_NAMES[STEP_ACQUIRE]:
            found.append(step)
    return found


def steps_of(segment: Any, protocol: str, entry: Any) -> list[dict[str, Any]]:
    """Return the step log in words; a release says mode and site of its acquisition."""
    names = Names(segment, protocol, entry)
    rows = segment.view("Step")[: segment.table("Step").fresh]
    held: list[tuple[int, int, int, int]] = []
    steps = []
    for number, row in enumerate(rows[rows["cpu"] == 0].tolist(), 1):  # the disk only sleeps and wakes
        cpu, action, lock, cls, mode, site, *_ = row
        if action == STEP_ACQUIRE:
            held.append((lock, cls, mode, site))
        elif action == STEP_RELEASE:
            mode, site = release(held, lock, cls)
        elif action in (STEP_UPGRADE, STEP_DOWNGRADE):
            _, site = release(held, lock, cls)
            held.append((lock, cls, mode, site))
        steps.append(said(number, cpu, action, names.of(lock), cls, mode, site))
    return steps


def release(held: list[tuple[int, int, int, int]], lock: int, cls: int) -> tuple[int, int]:
    """Take a lock off what is held; return the mode and the site with which it was acquired."""
    for i in reversed(range(len(held))):
        if held[i][:2] == (lock, cls):
            _, _, mode, site = held.pop(i)
            return mode, site
    return EXCLUSIVE, 0


def said(number: int, cpu: int, action: int, lock: str, cls: int, mode: int, site: int) -> dict[str, Any]:
    """Write one step."""
    where = SITES.get(site)
    return {
        "step": number,
        "cpu": cpu,
        "action": STEP_NAMES[action],
        "class": CLASS_NAMES.get(cls, ""),
        "mode": MODE_NAMES[mode] if cls else "",
        "lock": lock,
        "site": where.name if where else "",
        "file": where.file if where else "",
        "line": where.line if where else 0,
    }


class Names:
    """Names records by what they are in the scene: `object 2 (layer 1)`."""

    def __init__(self, segment: Any, protocol: str, entry: Any):
        self.segment = segment
        state = State(segment, protocol)
        number = int(state["VmMapEntry"].place(entry.off))
        self.layers = {layer: depth for depth, (layer, _) in enumerate(Layers(state).of(number))}
        pages = state["VmPage"]
        self.owner = state["VmObject"].place(pages["object"]).tolist()
        self.queues = state["PageQueue"]

    def of(self, lock: int) -> str:
        """Name the record at, or around, a byte offset."""
        if not lock:
            return ""
        what, _, rest = place(self.segment, lock).partition(" ")
        number = rest.split(" ")[0]
        if what == "VmObject":
            return f"object {number}{self.layer(int(number))}"
        if what == "VmPage":
            owner = self.owner[int(number)]
            return f"page {number}{self.layer(owner) if owner >= 0 else ' (freed)'}"
        return f"{SAID.get(what, what)} {rest}".strip()

    def layer(self, number: int) -> str:
        """Say which layer an object is."""
        return f" (layer {self.layers[number]})" if number in self.layers else ""


