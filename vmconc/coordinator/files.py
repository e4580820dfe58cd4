"""The files that a plan maps: real ones read-only, the others made up in nameless files that vanish with the session.

Only pages that a touch can reach are written; the rest of a made-up file is a hole.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vmconc.program.plan import FilePlan, Plan, file_word
from vmconc.vm import opcodes

PAGE_SIZE = 4096
PAGE_WORDS = PAGE_SIZE // 8
CHUNK = 256  # pages made up at a time


@dataclass(frozen=True)
class PlanFiles:
    """One open descriptor for each file of a plan, in order; never written by a run."""

    fds: tuple[int, ...]
    pages: tuple[int, ...]

    def close(self) -> None:
        """Close them all; what was made up is gone then."""
        for fd in self.fds:
            os.close(fd)


def open_files(plan: Plan, folder: Path) -> PlanFiles:
    """Open the real files and make the others up."""
    reached = touched_pages(plan)
    fds = [open_file(index, planned, reached.get(index, set()), folder) for index, planned in enumerate(plan.files)]
    return PlanFiles(tuple(fds), tuple(planned.pages for planned in plan.files))


def open_file(index: int, planned: FilePlan, reached: set[int], folder: Path) -> int:
    """Open one file of the plan."""
    if planned.path and os.access(planned.path, os.R_OK) and Path(planned.path).is_file():
        return os.open(planned.path, os.O_RDONLY)
    with tempfile.TemporaryFile(dir=folder) as made:
        fd = os.dup(made.fileno())
    os.ftruncate(fd, planned.pages * PAGE_SIZE)
    pages = np.array(sorted(page for page in reached if page < planned.pages), dtype=np.int64)
    for run in runs_of(pages):
        os.pwrite(fd, made_up(index, run), int(run[0]) * PAGE_SIZE)
    return fd


def runs_of(pages: np.ndarray) -> list[np.ndarray]:
    """Split sorted page numbers into runs of neighbours, none longer than CHUNK."""
    if not len(pages):
        return []
    runs = np.split(pages, np.flatnonzero(np.diff(pages) != 1) + 1)
    return [run[start : start + CHUNK] for run in runs for start in range(0, len(run), CHUNK)]


def made_up(index: int, pages: np.ndarray) -> bytes:
    """Return the content of some pages of a made-up file: `file_word` of each word."""
    words = np.arange(PAGE_WORDS, dtype=np.int64)
    content = file_word(index, 0, 0) | pages[:, None] << 10 | words[None, :] << 1
    return content.astype("<i8").tobytes()


def touched_pages(plan: Plan) -> dict[int, set[int]]:
    """Return, for each file, a superset of the pages that touches can reach through any mapping of it."""
    ops = plan.ops
    touched = np.unique(ops["va"][ops["kind"] == opcodes.TOUCH])
    reached: dict[int, set[int]] = {}
    for va, length, file, offset in mappings(ops):
        first, last = np.searchsorted(touched, [va, va + length])
        pages = (touched[first:last] - va + offset) // PAGE_SIZE
        reached.setdefault(file, set()).update(pages.tolist())
    return reached


def mappings(ops: np.ndarray) -> set[tuple[int, int, int, int]]:
    """Return every (va, length, file, offset) under which a file is ever mapped, moved mappings included."""
    wanted = (ops["kind"] == opcodes.MMAP) & (ops["file"] >= 0) | (ops["kind"] == opcodes.MREMAP)
    found: set[tuple[int, int, int, int]] = set()
    for op in ops[wanted]:
        va, length, offset = int(op["va"]), int(op["length"]), int(op["offset"])
        if op["kind"] == opcodes.MMAP:
            found.add((va, length, int(op["file"]), offset))
            continue
        found |= {
            (offset, int(op["new_length"]), file, start + va - old)
            for old, size, file, start in found
            if old < va + length and va < old + size and start + va - old >= 0
        }
    return found
