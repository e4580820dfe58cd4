"""The only translator of byte offsets of a mapping into words that people read: `VmObject 12 token`."""

from typing import Any

from vmconc.memory.segment import HEADER
from vmconc.memory.struct import STRUCTS, Embed, resolve


def place(segment: Any, offset: int) -> str:
    """Name the record, and the lock inside it, that stands at a byte offset."""
    if offset == 0:
        return "nothing"
    if offset == HEADER:
        return "the machine"
    for name in segment.structs():
        table = segment.table(name)
        index, inside = divmod(offset - table.first, table.stride)
        if 0 <= index < table.capacity:
            return " ".join([name, str(index), *path(name, inside)])
    machine = segment.machine
    if machine.pool <= offset < machine.size:
        return f"frame {(offset - machine.pool) // 4096}"
    return f"offset {offset:#x}"


def guards(segment: Any, offset: int) -> tuple[str, ...]:
    """Return the guards that the field at a byte offset declares."""
    record, _, *names = place(segment, offset).split(" ")
    fields = STRUCTS[record].fields
    field: Any = resolve(fields, ".".join(names)) if names else next(iter(fields.values()))
    return tuple(field.guard)


def path(struct: str, inside: int) -> list[str]:
    """Return the names of the fields that lead to a byte of a record; of the record itself: none."""
    for field in STRUCTS[struct].fields.values():
        if field.words and field.offset <= inside < field.offset + field.words * 8:
            if isinstance(field.kind, Embed):
                rest = path(field.kind.struct, inside - field.offset)
                return [field.name] if inside == field.offset else [field.name, *rest]
            return [] if inside == 0 else [field.name]
    return []
