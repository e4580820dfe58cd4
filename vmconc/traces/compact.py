"""Our own trace file, `.vmtrace`: a plan with its waits and expected values, so that loading computes nothing.

    MAGIC, then little-endian u32 version, u32 header length, 32 bytes SHA-256 of all that follows,
    header (MessagePack), column blobs (zlib; 64-bit differences of neighbours, transposed to planes of equal bytes)
"""

import hashlib
import struct
import zlib
from pathlib import Path

import msgspec
import numpy as np

from vmconc.program.plan import OP_DTYPE, WAIT_DTYPE, FilePlan, LwpPlan, Plan
from vmconc.traces.errors import TraceError

MAGIC = b"VMTRACE\n"
VERSION = 1
_PREFIX = struct.Struct("<8sII32s")


class _Table(msgspec.Struct):
    """An array of records: its length and, for each column, the size of its blob."""

    rows: int
    columns: list[tuple[str, int]]


class _Header(msgspec.Struct):
    """Everything but the columns."""

    name: str
    lwps: list[tuple[int, int, str]]
    files: list[tuple[str, int, str]]
    skipped: dict[str, int]
    notes: list[str]
    ops: _Table
    waits: _Table


def save(plan: Plan, path: Path) -> None:
    """Write a plan."""
    ops, op_blobs = _pack(plan.ops)
    waits, wait_blobs = _pack(plan.waits)
    lwps = [(lwp.word, lwp.parent_word, lwp.name) for lwp in plan.lwps]
    files = [(file.name, file.pages, file.path) for file in plan.files]
    header = msgspec.msgpack.encode(_Header(plan.name, lwps, files, plan.skipped, plan.notes, ops, waits))
    body = header + op_blobs + wait_blobs
    Path(path).write_bytes(_PREFIX.pack(MAGIC, VERSION, len(header), hashlib.sha256(body).digest()) + body)


def load(path: Path) -> Plan:
    """Read a plan; a file that is not exactly what was written is an error."""
    data = Path(path).read_bytes()
    if len(data) < _PREFIX.size or not data.startswith(MAGIC):
        raise TraceError(str(path), 0, "not a .vmtrace file, or cut off in its first bytes")
    _, version, header_size, digest = _PREFIX.unpack_from(data)
    if version != VERSION:
        raise TraceError(str(path), 0, f"format version {version}, this vmconc reads {VERSION}; convert it again")
    body = memoryview(data)[_PREFIX.size :]
    if hashlib.sha256(body).digest() != digest:
        raise TraceError(str(path), 0, "damaged or truncated (its digest does not match); copy or convert it again")
    try:
        return _plan(body, header_size)
    except (msgspec.DecodeError, zlib.error, ValueError) as error:
        raise TraceError(str(path), 0, f"unreadable although its digest matches: {error}") from None


def _plan(body: memoryview, header_size: int) -> Plan:
    """Return the plan in the body of a file."""
    header = msgspec.msgpack.decode(body[:header_size], type=_Header)
    ops, end = _unpack(body, header_size, header.ops, OP_DTYPE)
    waits, _ = _unpack(body, end, header.waits, WAIT_DTYPE)
    return Plan(
        header.name, ops, waits, [LwpPlan(*lwp) for lwp in header.lwps], [FilePlan(*file) for file in header.files],
        header.skipped, header.notes,
    )  # fmt: skip


def _pack(table: np.ndarray) -> tuple[_Table, bytes]:
    """Return a description and the blobs of an array of records."""
    blobs = []
    for name in table.dtype.names or ():
        steps = np.diff(table[name].astype("<i8"), prepend=np.int64(0))
        blobs.append(zlib.compress(steps.view(np.uint8).reshape(-1, 8).T.tobytes(), 9))
    columns = list(zip(table.dtype.names or (), map(len, blobs), strict=True))
    return _Table(len(table), columns), b"".join(blobs)


def _unpack(body: memoryview, place: int, layout: _Table, dtype: np.dtype) -> tuple[np.ndarray, int]:
    """Return an array of records and the end of its blobs."""
    if tuple(name for name, _ in layout.columns) != dtype.names:
        raise ValueError(f"its columns are {', '.join(name for name, _ in layout.columns)}")
    table = np.zeros(layout.rows, dtype)
    for name, size in layout.columns:
        planes = np.frombuffer(zlib.decompress(body[place : place + size]), np.uint8).reshape(8, layout.rows)
        table[name] = np.cumsum(np.ascontiguousarray(planes.T).view("<i8").ravel())
        place += size
    return table, place
