"""One file-backed mapping per run: created nameless, so no end of the run can leave it behind.

The file is opened with O_TMPFILE: it has no name, and the kernel frees it when the last process that maps it is gone,
however it went.  Another process reaches it through /proc/PID/fd/N (`attach`).
"""

import ctypes
import hashlib
import mmap
import os
import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vmconc.memory.build import Build
from vmconc.memory.jit import jit_off
from vmconc.memory.pagebytes import PAGE_SIZE
from vmconc.memory.struct import PAIR_BYTES, STRUCTS, Embed, Refs, Words, guard
from vmconc.memory.table import BATCH, DIRECTORY, ROOMY, SLOTS, SPARE, name_hash, slot_of
from vmconc.memory.twins import Memory, Reference, struct, twins_of
from vmconc.memory.written import Notes

MAGIC = 0x766D636F6E6331  # "vmconc1"
HEADER = 4096  # byte offset of the Machine record; 0 is null


@struct
class Machine:
    """The header of a mapping."""

    magic: int = guard("const")
    digest: int = guard("const")  # of all declarations
    size: int = guard("const")  # bytes
    cpus: int = guard("const")  # emulated CPUs, the disk and the coordinator not counted
    stop: int = guard("atomic")  # why everybody shall stop; 0: go on
    go: int = guard("atomic")  # the start gate
    pool: int = guard("const")  # byte offset of frame 0
    frames: int = guard("const")
    seed: int = guard("const")
    halted: int = guard("atomic")  # CPUs that ended because of `stop`
    violations: int = guard("atomic")  # rules found broken
    fail_fast: int = guard("const")  # stop everybody at the first
    exhausted: int = guard("atomic")  # table number + 1 of the table that ran out, 0: none
    heuristic: int = guard("const")  # backing: remember that the last fault had to allocate
    map_entries: int = guard("const")  # places in the index of a map
    failures: int = guard("atomic")  # touches given up because of I/O errors: the oracle is silent from then on
    memory_waiters: int = guard("atomic")  # CPUs that sleep until a frame is freed


class SegmentError(Exception):
    """The mapping cannot be made or is not ours."""


@dataclass(frozen=True)
class Sizes:
    """How many records each table has, and how many frames the pool."""

    tables: dict[str, int]
    frames: int = 0


def layout_digest(names: Iterable[str]) -> int:
    """Return 60 bits over some declarations and what they embed: different layouts never share a mapping."""
    text = "\n".join(
        f"{name}.{field.name}@{field.offset}:{field.kind}"
        for name in sorted(with_embedded({*names, "Machine", "Table"}))
        for field in STRUCTS[name].fields.values()
    )
    return int(hashlib.sha256(text.encode()).hexdigest()[:15], 16)


def with_embedded(names: set[str]) -> set[str]:
    """Add the structs that some structs embed, and those that these embed."""
    kinds = [field.kind for name in names for field in STRUCTS[name].fields.values()]
    more = {kind.struct for kind in kinds if isinstance(kind, Embed)} - names
    return with_embedded(names | more) if more else names


def check_slots(tables: dict[str, int]) -> None:
    """Refuse two structs whose names give the same table number."""
    seen: dict[int, str] = {}
    for name in tables:
        other = seen.setdefault(slot_of(name), name)
        if other != name:
            raise SegmentError(f"structs {other} and {name} share table number {slot_of(name)}; rename one")


class Segment:
    """A mapping and its tables, as Python sees it."""

    def __init__(self, fd: int, size: int, build: Build):
        self.fd, self.build = fd, build
        weakref.finalize(self, os.close, fd)
        try:
            self.map = mmap.mmap(fd, size, mmap.MAP_SHARED)
        except OSError as error:
            raise SegmentError(f"cannot map {size >> 20} MiB: {error}; use fewer --frames") from error
        base = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        self.memory = Memory(self.map, base)
        self.machine = self.ref("Machine", HEADER)

    def ref(self, name: str, off: int) -> Reference:
        """Return the twin of the `name` record at byte offset `off`."""
        return twins_of(self.build)[name](self.memory, off, self.build)

    def table(self, name: str) -> Reference:
        """Return the Table record of a struct."""
        return self.ref("Table", DIRECTORY + slot_of(name) * STRUCTS["Table"].stride)

    def structs(self) -> list[str]:
        """Return the names of the structs that have a table here."""
        return [name for name in STRUCTS if self.table(name).name == name_hash(name)]

    def nth(self, name: str, index: int) -> Reference:
        """Return record `index` of a table."""
        table = self.table(name)
        if not 0 <= index < table.capacity:
            raise IndexError(f"{name} {index} of {table.capacity}")
        return self.ref(name, table.first + index * table.stride)

    def view(self, name: str) -> np.ndarray:
        """Return a whole table as a structured array over the live memory; nested records are nested dtypes."""
        table = self.table(name)
        return np.frombuffer(self.map, dtype_of(name), table.capacity, table.first)

    def frames(self) -> np.ndarray:
        """Return the pool as an array of shape (frames, 512), dtype int64."""
        words = np.frombuffer(self.map, np.int64, self.machine.frames * PAGE_SIZE // 8, self.machine.pool)
        return words.reshape(-1, PAGE_SIZE // 8)


def dtype_of(name: str) -> np.dtype:
    """Return the NumPy dtype of a struct: every word int64, references as offsets."""
    declared = STRUCTS[name]
    names, formats, offsets = [], [], []
    for field in declared.fields.values():
        if field.words == 0:  # another name for a field that is listed
            continue
        names.append(field.name)
        offsets.append(field.offset)
        if isinstance(field.kind, Embed):
            formats.append(dtype_of(field.kind.struct))
        elif isinstance(field.kind, (Words, Refs)):
            formats.append((np.int64, (field.kind.length,)))
        else:
            formats.append(np.int64)
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": declared.stride})


def round_up(number: int, unit: int) -> int:
    """Return the least multiple of `unit` that is not below `number`."""
    return -(-number // unit) * unit


def create(sizes: Sizes, build: Build, directory: Path = Path("/dev/shm"), cpus: int = 1, seed: int = 0) -> Segment:
    """Make a mapping with every table in its place, all zero.  Raises SegmentError, naming the directory."""
    check_slots(sizes.tables)
    if jit_off() and build.mode != "controlled":
        raise SegmentError(f"mode {build.mode!r} needs the JIT; with NUMBA_DISABLE_JIT=1 only 'controlled' runs")
    places, end = {}, DIRECTORY + SLOTS * STRUCTS["Table"].stride
    for name, capacity in sizes.tables.items():
        places[name] = round_up(end, PAIR_BYTES)
        end = places[name] + capacity * STRUCTS[name].stride
    pool = round_up(end, PAGE_SIZE)
    size = pool + sizes.frames * PAGE_SIZE
    segment = Segment(nameless_file(directory, size), size, build)
    if build.mode == "controlled":
        segment.memory.notes = Notes(segment.memory, size)
    for name, first in places.items():
        table = segment.table(name)
        table.first, table.stride = first, STRUCTS[name].stride
        table.capacity, table.slot, table.name = sizes.tables[name], slot_of(name), name_hash(name)
        roomy = table.capacity >= ROOMY * (cpus + 1)
        table.batch, table.spare = (BATCH, SPARE) if roomy else (1, 0)
    machine = segment.machine
    machine.magic, machine.digest, machine.size, machine.cpus = MAGIC, layout_digest(sizes.tables), size, cpus
    machine.pool, machine.frames, machine.seed = pool, sizes.frames, seed
    return segment


def nameless_file(directory: Path, size: int) -> int:
    """Open a file of `size` bytes without a name in `directory`."""
    try:
        fd = os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600)
    except (OSError, AttributeError) as error:
        raise SegmentError(f"no shared memory in {directory}: {error}; choose another directory with --dir") from error
    room = os.statvfs(directory)
    if room.f_bavail * room.f_frsize < size:
        os.close(fd)
        raise SegmentError(
            f"{directory} has {room.f_bavail * room.f_frsize >> 20} MiB free, {size >> 20} MiB needed; "
            "use fewer --frames or another --dir"
        )
    os.ftruncate(fd, size)
    return fd


def attach(path: Path, build: Build) -> Segment:
    """Map the segment behind /proc/PID/fd/N.  Raises SegmentError if it is none of ours or of another layout."""
    try:
        fd = os.open(path, os.O_RDWR)
    except OSError as error:
        raise SegmentError(f"cannot open {path}: {error}") from error
    size = os.fstat(fd).st_size
    if size < DIRECTORY:
        os.close(fd)
        raise SegmentError(f"{path} has {size} bytes: it is no segment of vmconc")
    segment = Segment(fd, size, build)
    machine = segment.machine
    if machine.magic != MAGIC or machine.size != size or machine.digest != layout_digest(segment.structs()):
        raise SegmentError(f"{path} is no segment of this version of vmconc, or it is cut short")
    return segment
