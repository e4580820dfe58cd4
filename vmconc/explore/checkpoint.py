"""What is needed to go on with a search in another process: where it was, and what the engine knew.

The file is written now and then and at the end, all of it or nothing; while a search writes it, it is locked.
"""

import hashlib
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import portalocker

from vmconc.explore.failure import Failure
from vmconc.explore.kept import read_kept
from vmconc.explore.laboratory import Laboratory
from vmconc.explore.search import Budget, Choice, Position, Tally, search
from vmconc.explore.target import Target
from vmconc.memory.jit import jit_off, source_digest
from vmconc.program.errors import ProgramError
from vmconc.schedule.records import KEPT

FORMAT = 1
SAME = ("program", "protocol", "options", "cpus", "bugs", "seed", "io_errors", "limit", "check", "races", "points")
EVERY = 5.0  # seconds between two checkpoints
OF_ONE_EXECUTION = ("Turn", "Given")
ADDRESSES = ("stack", "home")  # fields of a Fiber that mean something in one process only


class Part(msgspec.Struct):
    """How far the search of one process is, and the engine's records, compressed; none: at its beginning."""

    position: Position
    records: dict[str, bytes] = {}


class Search(msgspec.Struct, frozen=True):
    """What makes a search the same search."""

    target: Target
    choices: tuple[Choice, ...]
    seed: int
    jobs: int


class Checkpoint(msgspec.Struct):
    """The content of a file: a part for each process."""

    search: Search
    code: str  # digest of the kernels, the program's file, and the state that each execution begins with
    parts: list[Part]
    format: int = FORMAT


def code_of(target: Target, lab: Laboratory) -> str:
    """Return a digest of all that a search's executions depend on but for its options; `lab` has not run yet."""
    digest = hashlib.blake2b(f"{source_digest()} {jit_off()} {lab.state()}".encode(), digest_size=8)
    if Path(target.program).is_file():
        digest.update(Path(target.program).read_bytes())
    return digest.hexdigest()


def records_of(lab: Laboratory) -> dict[str, bytes]:
    """Return what the engine has learned: what the strategies know, the random stream, the states seen."""
    names = [name for name in KEPT if name not in OF_ONE_EXECUTION]
    return {name: zlib.compress(lab.segment.view(name).tobytes(), 1) for name in names}


def restore(lab: Laboratory, records: dict[str, bytes]) -> None:
    """Have the engine know what it knew; addresses stay those of this process."""
    for name, compressed in records.items():
        now = lab.segment.view(name)
        before = np.frombuffer(zlib.decompress(compressed), now.dtype).copy()
        for field in ADDRESSES if name == "Fiber" else ():
            before[field] = now[field]
        now[:] = before


def go_on(
    lab: Laboratory,
    choices: tuple[Choice, ...],
    budget: Budget,
    seed: int,
    check: Callable[[], list[dict[str, Any]]] | None,
    part: Part,
    note: Callable[[Tally], None],
    keep: Callable[[Part], None],
    stop: Callable[[], bool],
) -> tuple[Tally, Failure | None]:
    """Search on from `part` for so much more; hand the part to be kept to `keep` now and then, and at the end."""
    restore(lab, part.records)
    position, kept = part.position, time.monotonic()

    def noted(tally: Tally) -> None:
        nonlocal kept
        note(tally)
        if time.monotonic() - kept >= EVERY:
            keep(Part(position, records_of(lab)))
            kept = time.monotonic()

    tally, failure = search(lab, choices, budget.after(position.tally), seed, check, noted, position, stop)
    keep(Part(position, records_of(lab)))
    return tally, failure


class Keeper:
    """Reads the checkpoint that a search goes on from and writes new ones; without files it does nothing."""

    def __init__(self, search: Search, path: Path | None = None, resumed: Path | None = None):
        """Read the checkpoint that is to be resumed.  Raises ProgramError if it is none or of another search."""
        self.path, self.resumed = path or resumed, resumed
        self.lock: portalocker.Lock | None = None
        self.now = Checkpoint(search, "", [Part(Position()) for _ in range(search.jobs)])
        if resumed:
            self.now = read(resumed)
            refuse_other(resumed, self.now.search, search)

    def __enter__(self) -> "Keeper":
        """Lock the file.  Raises ProgramError if another search writes it or it cannot be written."""
        if self.path:
            flags = portalocker.LOCK_EX | portalocker.LOCK_NB
            self.lock = portalocker.Lock(self.lock_path(), mode="w", flags=flags, timeout=0)
            try:
                self.lock.acquire()
            except portalocker.LockException:
                self.lock = None
                raise ProgramError(f"{self.path} is being written by another vmconc explore; name another") from None
            except OSError as error:
                raise ProgramError(f"{self.path} cannot be written: {error.strerror}") from error
        return self

    def __exit__(self, *exception: object) -> None:
        """Give the lock up."""
        if self.lock:
            self.lock.release()
            self.lock_path().unlink(missing_ok=True)

    def lock_path(self) -> Path:
        """Return the file whose lock says that the checkpoint is being written."""
        assert self.path is not None
        return self.path.with_name(f".{self.path.name}.lock")

    def begin(self, code: str) -> None:
        """Begin or go on with a search.  Raises ProgramError if the checkpoint is of other code."""
        if self.resumed and self.now.code != code:
            raise ProgramError(f"{self.resumed} is of other code: vmconc or the program has changed since; start anew")
        self.now.code = code

    def keep(self, number: int, part: Part) -> None:
        """Write the file with a process's part as it is now."""
        self.now.parts[number] = part
        if self.path:
            draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
            draft.write_bytes(msgspec.msgpack.encode(self.now))
            draft.replace(self.path)


def read(path: Path) -> Checkpoint:
    """Read a checkpoint.  Raises ProgramError with one line."""
    return read_kept(path, Checkpoint, msgspec.msgpack.decode, FORMAT, "checkpoint")


def refuse_other(path: Path, kept: Search, wanted: Search) -> None:
    """Raise ProgramError, naming what is different, unless a checkpoint is of the search that is wanted."""
    for name in SAME:
        before, now = getattr(kept.target, name), getattr(wanted.target, name)
        if before != now:
            raise ProgramError(f"{path} is a search with {name} {before!r}, not {now!r}; give it that or start anew")
    for name in ("choices", "seed", "jobs"):
        before, now = getattr(kept, name), getattr(wanted, name)
        if before != now:
            said = "another --strategy, --depth or --preemptions" if name == "choices" else f"--{name} {before}"
            raise ProgramError(f"{path} is a search with {said}; give it that or start anew")
