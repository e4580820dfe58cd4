"""The wire format of protocol buffers, in which Perfetto's traces and pprof's profiles are written."""

from collections.abc import Sequence

import numpy as np

VARINT, FIXED64, LENGTH = 0, 1, 2  # wire types
Part = bytes | np.ndarray | tuple[bytes | np.ndarray, np.ndarray]


def varint(value: int) -> bytes:
    """Return a number that is not negative, seven bits a byte."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(field: int, kind: int) -> bytes:
    """Return what stands before a field."""
    return varint(field << 3 | kind)


def number(field: int, value: int) -> bytes:
    """Return a field that is a number."""
    return tag(field, VARINT) + varint(value)


def message(field: int, *parts: bytes) -> bytes:
    """Return a field that is a message, or a text in bytes."""
    inside = b"".join(parts)
    return tag(field, LENGTH) + varint(len(inside)) + inside


def text(field: int, value: str) -> bytes:
    """Return a field that is a text."""
    return message(field, value.encode())


def wide(values: np.ndarray, width: int) -> np.ndarray:
    """Return numbers as varints of the same width, a row of bytes each: longer than needed, which readers accept."""
    shifts = 7 * np.arange(width, dtype=np.uint64)
    rows = (values.astype(np.uint64)[:, None] >> shifts & np.uint64(0x7F)).astype(np.uint8)
    rows[:, :-1] |= 0x80
    return rows


def fixed(values: np.ndarray) -> np.ndarray:
    """Return numbers as eight bytes each, a row of bytes each."""
    return np.ascontiguousarray(values, "<u8").view(np.uint8).reshape(-1, 8)


def together(count: int, parts: Sequence[Part]) -> bytes:
    """Return `count` rows of bytes, one behind the other: a part is the same in all rows, or has a row of bytes for
    each, and may come with a mask of the rows that have it."""
    masked = [part if isinstance(part, tuple) else (part, np.ones(count, bool)) for part in parts]
    columns = [
        np.broadcast_to(np.frombuffer(what, np.uint8), (count, len(what))) if isinstance(what, bytes) else what
        for what, _ in masked
    ]
    kept = [np.repeat(mask[:, None], what.shape[1], axis=1) for what, (_, mask) in zip(columns, masked, strict=True)]
    chosen: np.ndarray = np.concatenate(columns, axis=1)[np.concatenate(kept, axis=1)]
    return chosen.tobytes()
