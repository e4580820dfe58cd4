"""Turns the records of broken rules into reports that name rule, CPU, LWP, operation, locks held and seed."""

from typing import Any

from vmconc.checks.held import held_locks, operation, say_held
from vmconc.checks.places import guards, place
from vmconc.checks.races import field_of, races, say_race
from vmconc.locks.rules import DATA_RACE, GUARDED_BY, MESSAGES, ORACLE, RULES, TABLE_FULL, USE_AFTER_FREE
from vmconc.memory.struct import STRUCTS
from vmconc.memory.table import slot_of

SUBJECTS_THAT_ARE_NUMBERS = {ORACLE}
OPTIONS = {
    "VmPage": "--frames", "VmObject": "--table objects", "VmMapEntry": "--table entries", "Vmspace": "--table spaces",
    "MapIndex": "--table map_entries", "Backing": "--table backings", "PageTable": "--table page_tables",
    "PvEntry": "--table pv_entries", "RadixNode": "--table radix_nodes", "IoRequest": "--table requests",
}  # fmt: skip


def inline_violations(segment: Any, plan: Any = None) -> list[dict[str, Any]]:
    """Return what the CPUs wrote down, oldest first; at most MESSAGES are kept, `Machine.violations` counts all."""
    kept = min(segment.machine.violations, MESSAGES, segment.table("Violation").capacity)
    return [report(segment, segment.nth("Violation", number)) for number in range(kept)]


def report(segment: Any, violation: Any) -> dict[str, Any]:
    """Describe one broken rule."""
    name, invariant = RULES.get(violation.rule, (f"rule {violation.rule}", ""))
    described = {
        "rule": name,
        "invariant": invariant,
        "cpu": violation.cpu,
        "lwp": violation.lwp,
        "operation": operation(segment, violation.op),
        "subject": subject(segment, violation),
        **numbers(segment, violation),
        "held": held_locks(segment, violation),
        "seed": segment.machine.seed,
    }
    if violation.rule == DATA_RACE:
        described["accesses"] = races(segment, violation)
    return {**described, "text": text(described)}


def numbers(segment: Any, violation: Any) -> dict[str, Any]:
    """Say what was expected and found; of an access in words."""
    access = "write" if violation.found else "read"
    if violation.rule == GUARDED_BY:
        return {"expected": ", ".join(guards(segment, violation.subject)), "found": f"{access} without"}
    if violation.rule == USE_AFTER_FREE:
        return {"expected": "allocated", "found": "free"}
    return {"expected": violation.expected, "found": violation.found}


def subject(segment: Any, violation: Any) -> str:
    """Name what the rule was broken on."""
    if violation.rule == TABLE_FULL:
        name = next((name for name in STRUCTS if slot_of(name) == violation.subject), f"number {violation.subject}")
        return f"table {name} of {violation.found} records is full, raise {OPTIONS.get(name, 'its size')}"
    if violation.rule == DATA_RACE:
        return (place if segment.build.protocol else field_of)(segment, violation.subject)
    if violation.rule in SUBJECTS_THAT_ARE_NUMBERS:
        return hex(violation.subject)
    return place(segment, violation.subject)


def text(found: dict[str, Any]) -> str:
    """Write a violation in one line."""
    if "accesses" in found:
        return say_race(found)
    op = found["operation"]
    return (
        f"{found['rule']}: {found['invariant']}; cpu {found['cpu']}, lwp {found['lwp']}, operation {op['index']} "
        f"({op['kind']} {op['va']}), {found['subject']}: expected {found['expected']}, found {found['found']}; "
        f"held: {say_held(found['held'])}; seed {found['seed']}"
    )
