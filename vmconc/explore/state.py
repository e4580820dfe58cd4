"""What the words concerned held: at first, when it failed, and where the decisive swap keeps it from failing."""

from collections.abc import Iterator
from typing import Any

import msgspec

from vmconc.checks.places import place
from vmconc.checks.violations import inline_violations
from vmconc.explore.laboratory import Laboratory
from vmconc.memory.struct import STRUCTS, WORD_BYTES, Embed, Field, Refs, Words
from vmconc.memory.table import POISON

SHOWN = 16  # words at most
LARGE = 1 << 20  # from here on numbers are written in hexadecimal
HIDDEN = ("life", "next_free", "waiters")  # words of the machinery
OWNERS = ("Mutex", "Spin")  # their word `owner` is the number of a CPU + 1

Values = dict[str, str]


class Word(msgspec.Struct):
    """One word: its name, and what it held."""

    name: str
    first: str
    failed: str
    swapped: str = ""  # empty: no swap is known


def record_of(lab: Laboratory, at_rest: list[dict[str, Any]]) -> tuple[str, int] | None:
    """Return struct and number of the record that matters: what the threads share, or what a violation names."""
    engine: Any = lab.engine
    if engine.guarded:
        return str(place(lab.segment, engine.guarded).split(" ")[0]), 0
    for violation in inline_violations(lab.segment) + at_rest:
        name, _, rest = str(violation.get("subject", "")).partition(" ")
        number = rest.split(" ")[0]
        if name in STRUCTS and number.isdigit() and int(number) < lab.segment.table(name).capacity:
            return name, int(number)
    return None


def values_of(lab: Laboratory, name: str, number: int, words: Any) -> Values:
    """Return the words of a record in `words`, a mapping as it is or was."""
    table: Any = lab.segment.table(name)
    base = table.first + number * table.stride
    title = "" if lab.engine.guarded else f"{name} {number} "
    return {
        title + path: said(lab, field, words[offset // WORD_BYTES], inside)
        for path, field, offset, inside in fields_of(name, base)
    }


def fields_of(struct: str, base: int, path: str = "") -> Iterator[tuple[str, Field, int, str]]:
    """Yield name, field, byte offset and struct of every word of a record."""
    for field in STRUCTS[struct].fields.values():
        if not field.words or field.name in HIDDEN or field.guard == ("const",):
            continue
        name, offset = path + field.name, base + field.offset
        if isinstance(field.kind, Embed):
            yield from fields_of(field.kind.struct, offset, f"{name}.")
        elif isinstance(field.kind, (Words, Refs)):
            for i in range(field.words):
                yield f"{name}[{i}]", field, offset + i * WORD_BYTES, struct
        else:
            yield name, field, offset, struct


def said(lab: Laboratory, field: Field, value: int, struct: str) -> str:
    """Write one word."""
    if value == POISON:
        return "poison: the record is free"
    if isinstance(field.kind, (str, Refs)):
        return place(lab.segment, value)
    if struct in OWNERS and field.name == "owner":
        return f"cpu {value - 1}" if value else "nobody"
    return hex(value) if abs(value) >= LARGE else str(value)


def begun_with(lab: Laboratory) -> Any:
    """Return the words that every execution begins with."""
    return memoryview(lab.segment.memory.notes.copy).cast("B").cast("q")


def compared(first: Values, failed: Values, swapped: Values | None) -> list[Word]:
    """Return the words that the swap changes; if there is none, those that the execution changed."""
    rows = [Word(name, first[name], failed[name], swapped[name] if swapped else "") for name in failed]
    telling = [word for word in rows if swapped and word.swapped != word.failed]
    return (telling or [word for word in rows if word.first != word.failed])[:SHOWN]
