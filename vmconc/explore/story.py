"""An execution in words: one row a step, one column a CPU."""

from typing import Any, NamedTuple

from vmconc.checks.places import place
from vmconc.explore.laboratory import Laboratory
from vmconc.locks.classes import CLASS_NAMES, PAGE_QUEUE, PAGE_SPIN, PMAP, RANGE_SPIN
from vmconc.locks.sites import site_name
from vmconc.memory.struct import STRUCTS
from vmconc.schedule.steps import (
    STEP_ACQUIRE,
    STEP_DOWNGRADE,
    STEP_LOAD,
    STEP_NAMES,
    STEP_SLEEP,
    STEP_UPGRADE,
    STEP_WAKE,
)

SPINLOCKS = (PMAP, PAGE_SPIN, PAGE_QUEUE, RANGE_SPIN)  # leaf locks: left out unless all is wanted
SAID = {"VmObject": "object", "VmPage": "page", "Vmspace": "space", "Vnode": "file", "IoRequest": "request"}
WITH_MODE = (STEP_ACQUIRE, STEP_UPGRADE, STEP_DOWNGRADE)


class Row(NamedTuple):
    """One step."""

    number: int
    cpu: int
    text: str


def story(lab: Laboratory, everything: bool = False) -> list[Row]:
    """Return the steps of the last execution of a watched machine; without `everything` leaf locks are left out."""
    count = min(lab.segment.table("Step").fresh, lab.segment.table("Step").capacity)
    rows = []
    for number, row in enumerate(lab.segment.view("Step")[:count].tolist(), 1):
        cpu, action, lock, cls, mode, site = row
        if everything or cls not in SPINLOCKS:
            rows.append(Row(number, cpu, words(lab.segment, action, lock, cls, mode, site)))
    return rows


def words(segment: Any, action: int, lock: int, cls: int, mode: int, site: int) -> str:
    """Say one step: `acquire X vm_object, object 3 token`."""
    if action == STEP_WAKE:
        return f"wakes ({site_name(site)})"
    name = named(segment, lock)
    if action == STEP_LOAD:
        return f"read {name} = {site}"
    if action == STEP_SLEEP:
        return f"sleeps: {name} ({site_name(site)})"
    letter = f" {'SX'[mode & 1]}" if action in WITH_MODE else ""
    kind = CLASS_NAMES.get(cls, "")
    return f"{STEP_NAMES[action]}{letter} {kind}{', ' if kind and name else ''}{name}".strip()


def named(segment: Any, lock: int) -> str:
    """Name what stands at a byte offset; of a lock program just the field."""
    if not lock:
        return ""
    record, *rest = place(segment, lock).split(" ")
    if segment.table("VmObject").capacity == 0 and record in STRUCTS:
        return " ".join(rest[1:]) or next(iter(STRUCTS[record].fields))
    return " ".join([SAID.get(record, record), *rest])
