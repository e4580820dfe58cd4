"""Empties the rings of a run in mode `recorded` into its directory, while the CPUs go on.

What the events stand for is written before the first of them, so that they can be read whenever this process dies.
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import msgspec

from vmconc.analysis.unended import BEGUN, CLOCKS, PAIR
from vmconc.checks.places import path
from vmconc.coordinator.logs import LOGGER
from vmconc.coordinator.rundir import RunDirectory
from vmconc.locks.sites import SITES
from vmconc.memory.ring import EVENT_BYTES, FOLDER, give_room, now_ticks, written_bytes
from vmconc.memory.struct import STRUCTS, Embed

NAP = 0.0005  # seconds between looks at rings that have nothing new
LOOKS = 20  # at both clocks, of which the one that took least is believed
CLOCKS_EVERY = 0.01  # seconds between notes of both clocks


class Records(msgspec.Struct):
    """Where the records of one struct lie, and what stands in one."""

    first: int  # byte offset
    stride: int  # bytes
    capacity: int
    parts: dict[str, str]  # by byte offset in the record: the fields that lead there


class Recording(msgspec.Struct):
    """What was recorded: events of each CPU, the disk's last, and what is needed to tell the time of one."""

    events: list[int] = []
    dropped: list[int] = []  # by a full ring
    unwritten: list[int] = []  # the file could not be written
    waits: list[int] = []  # times that a CPU waited for room
    ticks: tuple[int, int] = (0, 0)  # at the beginning and at the end
    nanoseconds: tuple[int, int] = (0, 0)  # of the monotonic clock, at the same times
    sites: dict[str, str] = {}  # by number
    tables: dict[str, Records] = {}  # by name of the struct
    error: str = ""


class Recorder:
    """A thread that drains, once it is entered.  What a CPU wrote is in its file once the recorder is closed.

    `begun`: both clocks from before the first event.
    """

    def __init__(self, segment: Any, directory: Path, begun: tuple[int, int]):
        self.segment, self.memory = segment, memoryview(segment.map)
        self.rings = [segment.nth("Ring", index) for index in range(segment.table("Ring").capacity)]
        folder = directory / FOLDER
        folder.mkdir(exist_ok=True)
        self.files = [(folder / f"cpu{index}").open("wb", buffering=0) for index in range(len(self.rings))]
        self.clocks = (directory / CLOCKS).open("wb", buffering=0)
        self.noted = 0.0
        self.drained, self.unwritten = [0] * len(self.rings), [0] * len(self.rings)
        self.error = ""
        self.begun = begun
        self.closing = threading.Event()
        self.thread = threading.Thread(target=self.work, name="recorder", daemon=True)

    def known(self) -> dict[str, Any]:
        """Return what is known of the recording before the first event."""
        return {"begun": self.begun, "rings": len(self.rings), **meanings(self.segment)}

    def work(self) -> None:
        """Drain until told to close."""
        while not self.closing.is_set():
            try:
                self.note_clocks()
                if not self.drain():
                    time.sleep(NAP)
            except Exception as error:  # the CPUs must not wait for ever
                self.error = self.error or str(error)
                LOGGER.exception("the recorder failed")

    def note_clocks(self) -> None:
        """Write both clocks over what they were, if that is some time ago: how long a tick lasts if this is killed."""
        now = time.monotonic()
        if now - self.noted >= CLOCKS_EVERY and not self.error:
            self.noted = now
            os.pwrite(self.clocks.fileno(), PAIR.pack(*both_clocks()), 0)

    def drain(self) -> bool:
        """Write what the rings hold to the files; tell whether there was anything."""
        found = [self.drain_ring(index) for index in range(len(self.rings))]
        return any(found)

    def drain_ring(self, index: int) -> bool:
        """Write what one ring holds, two parts where it goes round the end, and let its CPU go on."""
        ring, begin = self.rings[index], self.drained[index]
        end = self.drained[index] = int(written_bytes(ring))
        at = begin
        while at < end:
            place = at % ring.size
            length = min(end - at, ring.size - place)
            self.write(index, self.memory[ring.first + place : ring.first + place + length])
            at += length
        if end != begin:
            give_room(ring, end)
        return end != begin

    def write(self, index: int, data: memoryview) -> None:
        """Write to a file; once that has failed events are lost, and counted, but the run goes on."""
        if not self.error:
            try:
                while data:
                    data = data[self.files[index].write(data) :]
            except (OSError, ValueError) as error:
                self.error = f"{self.files[index].name}: {error}"
                LOGGER.error("events cannot be written: %s", self.error)
        self.unwritten[index] += -(-len(data) // EVENT_BYTES)  # an event that is cut is none

    def __enter__(self) -> "Recorder":
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """End the thread, whatever happened, and close the files."""
        self.closing.set()
        self.thread.join()
        for file in [*self.files, self.clocks]:
            file.close()

    def close(self) -> Recording:
        """Write what is left, when no CPU runs any more, and return what there is."""
        self.closing.set()
        self.thread.join()
        self.drain()
        ended = both_clocks()
        return Recording(
            [bytes_ // EVENT_BYTES for bytes_ in self.drained], [int(ring.dropped) for ring in self.rings],
            self.unwritten, [int(ring.waits) for ring in self.rings],
            (self.begun[0], ended[0]), (self.begun[1], ended[1]),
            **meanings(self.segment), error=self.error,
        )  # fmt: skip


def recorder_of(
    segment: Any, directory: RunDirectory, mode: str, begun: tuple[int, int], known: Callable[[], dict[str, Any]]
) -> AbstractContextManager[Recorder | None]:
    """Return the recorder of a run, to be entered when its processes are there; none unless the mode is `recorded`.

    `known` returns what `run.json` will say of the run, as far as it is known by now: for a run that is killed.
    """
    if mode != "recorded":
        return nullcontext()
    recorder = Recorder(segment, directory.path, begun)
    directory.write_json(BEGUN, msgspec.json.encode(known() | {"recording": recorder.known()}))
    return recorder


def meanings(segment: Any) -> dict[str, Any]:
    """Return what the numbers in events stand for: the fields `sites` and `tables` of a recording."""
    return {"sites": {str(number): site.name for number, site in SITES.items()}, "tables": tables_of(segment)}


def tables_of(segment: Any) -> dict[str, Records]:
    """Return where the records of each struct lie, so that events can be told without the mapping."""
    tables = {name: segment.table(name) for name in segment.structs()}
    return {
        name: Records(int(table.first), int(table.stride), int(table.capacity), parts_of(name))
        for name, table in tables.items()
    }


def parts_of(struct: str) -> dict[str, str]:
    """Return what the records inside a record are called, by byte offset."""
    found = {field.offset: path(struct, field.offset) for field in STRUCTS[struct].fields.values()}
    for field in STRUCTS[struct].fields.values():
        if isinstance(field.kind, Embed):
            inner = STRUCTS[field.kind.struct].fields.values()
            found |= {field.offset + part.offset: path(struct, field.offset + part.offset) for part in inner}
    return {str(offset): " ".join(names) for offset, names in sorted(found.items())}


def both_clocks() -> tuple[int, int]:
    """Return the processor's counter and the monotonic clock, in ns, at the same time."""
    looks = []
    for _ in range(LOOKS):
        before = time.monotonic_ns()
        ticks = int(now_ticks())
        after = time.monotonic_ns()
        looks.append((after - before, ticks, (before + after) // 2))
    return min(looks)[1:]
