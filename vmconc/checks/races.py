"""A data race in words: both accesses, where they stand, what was held at each."""

from typing import Any

from vmconc.checks.held import held_locks, say_held
from vmconc.checks.places import place
from vmconc.locks.races import KINDS
from vmconc.memory.lines import say_line
from vmconc.memory.struct import ATOMIC, STRUCTS, WORD_BYTES, WRITES


def races(segment: Any, violation: Any) -> list[dict[str, Any]]:
    """Return the two accesses of a broken rule `data-race`, the earlier one first."""
    return [access(segment, number) for number in (violation.expected, violation.found)]


def access(segment: Any, number: int) -> dict[str, Any]:
    """Describe one access by its number."""
    (which, kind), record = divmod(number, KINDS), segment.nth("Access", number)
    return {
        "cpu": which % segment.nth("Scheduler", 0).fibers,
        "kind": ("atomically " if kind & ATOMIC else "") + ("written" if kind & WRITES else "read"),
        "line": say_line(record.line),
        "held": held_locks(segment, record),
    }


def field_of(segment: Any, offset: int) -> str:
    """Name a word of the shared record: `balance`, `log[1]`."""
    name, number, *_ = place(segment, offset).split(" ")
    inside = offset - segment.nth(name, int(number)).off
    field = next(field for field in reversed(STRUCTS[name].fields.values()) if field.offset <= inside)
    return f"{field.name}[{(inside - field.offset) // WORD_BYTES}]" if field.words > 1 else field.name


def say_race(violation: dict[str, Any]) -> str:
    """Write a data race in one line."""
    return f"{violation['rule']}: {violation['invariant']}; {violation['subject']} is " + ", and ".join(
        f"{access['kind']} by cpu {access['cpu']} in {access['line']}, holding {say_held(access['held'])}"
        for access in violation["accesses"]
    )
