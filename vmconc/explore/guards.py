"""Which lock guards which word of the machine's records: from the declarations, for the check at each access."""

from typing import Any

from vmconc.locks.classes import CHAIN, PAGE_QUEUE, PAGE_SPIN, PMAP, VM_MAP, VM_OBJECT, VM_PAGE
from vmconc.memory.build import ON_REQUEST
from vmconc.memory.segment import Segment
from vmconc.memory.struct import STRUCTS, WORD_BYTES, Embed
from vmconc.memory.table import slot_of
from vmconc.vm.guards import ALONE, FROZEN, NAMED, NOTHING, PEEK
from vmconc.vm.reach import ITS_MAP, ITS_OBJECT, ITS_OWNER, ITS_PAGE, ITS_QUEUE, ITS_SPACE, ITSELF, place

# The tables that are checked, those accessed most often first.
CHECKED = (
    "VmObject", "VmPage", "RadixNode", "VmMapEntry", "MapIndex", "Vmspace", "PageTable", "PageQueue", "PvEntry",
    "Backing",
)  # fmt: skip
Guard = tuple[int, int, int]  # how its holder is found, the lock's place there, the lock's class

# From the table that a record stands in and the guard that a field of it declares to the lock.
LOCKS: dict[tuple[str, str], Guard] = {
    ("VmObject", "token"): (ITSELF, place("VmObject", "token"), VM_OBJECT),
    ("VmObject", "owner.token"): (ITSELF, place("VmObject", "token"), VM_OBJECT),
    ("VmObject", "chain"): (ITSELF, place("VmObject", "chain"), CHAIN),
    ("RadixNode", "owner.token"): (ITS_OWNER, place("VmObject", "token"), VM_OBJECT),
    ("VmPage", "busy"): (ITSELF, place("VmPage", "busy"), VM_PAGE),
    ("VmPage", "spin"): (ITSELF, place("VmPage", "spin"), PAGE_SPIN),
    ("VmPage", "object.token"): (ITS_OBJECT, place("VmObject", "token"), VM_OBJECT),
    ("VmPage", "queue.spin"): (ITS_QUEUE, place("PageQueue", "spin"), PAGE_QUEUE),
    ("PageQueue", "spin"): (ITSELF, place("PageQueue", "spin"), PAGE_QUEUE),
    ("PvEntry", "page.spin"): (ITS_PAGE, place("VmPage", "spin"), PAGE_SPIN),
    ("VmMapEntry", "map.lock"): (ITS_MAP, place("Vmspace", "map.lock"), VM_MAP),
    ("MapIndex", "map.lock"): (ITS_SPACE, place("Vmspace", "map.lock"), VM_MAP),
    ("Vmspace", "lock"): (ITSELF, place("Vmspace", "map.lock"), VM_MAP),
    ("Vmspace", "spin"): (ITSELF, place("Vmspace", "pmap.spin"), PMAP),
    ("Backing", "map.lock"): (FROZEN, 0, 0),  # in the table stand the layers below the heads: set in stone
}
WORDS: dict[str, Guard] = {"atomic": (NAMED, 0, 0), "hint": (NOTHING, 0, 0), "peek": (PEEK, 0, 0)}
UNCHECKED: Guard = (NOTHING, 0, 0)
NO_SECOND: Guard = (ALONE, 0, 0)


def guard_of(table: str, name: str) -> Guard:
    """Return what a declared guard means in the records of a table.  KeyError: this page does not know it."""
    return WORDS[name] if name in WORDS else LOCKS[table, name]


def rules_of(table: str, struct: str) -> list[tuple[Guard, Guard]]:
    """Return the two guards of every word of a struct that stands in the records of a table."""
    rules: list[tuple[Guard, Guard]] = []
    for field in STRUCTS[struct].fields.values():
        if isinstance(field.kind, Embed) and STRUCTS[field.kind.struct].points == ON_REQUEST:
            rules += rules_of(table, field.kind.struct)
        elif isinstance(field.kind, Embed) or not field.shared:
            rules += [(UNCHECKED, NO_SECOND)] * field.words
        else:
            first, second = (*(guard_of(table, name) for name in field.guard), NO_SECOND)[:2]
            rules += [(first, second)] * field.words
    return rules + [(UNCHECKED, NO_SECOND)] * (STRUCTS[struct].stride // WORD_BYTES - len(rules))


def guard_tables() -> dict[str, int]:
    """Return the sizes of the tables of guards."""
    return {"Region": len(CHECKED), "Rule": sum(STRUCTS[name].stride // WORD_BYTES for name in CHECKED)}


def declare_guards(segment: Segment) -> None:
    """Write down what guards every word of the machine's records."""
    rules = segment.table("Rule")
    number = 0
    for i, name in enumerate(CHECKED):
        table, region = segment.table(name), segment.nth("Region", i)
        fill(region, table, name, rules.first + number * rules.stride)
        for first, second in rules_of(name, name):
            rule: Any = segment.nth("Rule", number)
            rule.first, rule.first_lock, rule.first_class = first
            rule.second, rule.second_lock, rule.second_class = second
            number += 1


def fill(region: Any, table: Any, name: str, rules: int) -> None:
    """Describe one table."""
    region.first, region.stride, region.end = table.first, table.stride, table.first + table.capacity * table.stride
    region.slot, region.counted, region.rules = slot_of(name), int("life" in STRUCTS[name].fields), rules
