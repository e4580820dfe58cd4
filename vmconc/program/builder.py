"""The only writer of plans: one method per operation, called in an order that is a valid sequential execution.

The builder rounds addresses to pages, hands out LWPs and their words, and refuses what no program could do.  What
each operation has to wait for and what each read must see is computed once, by `finish`.
"""

from array import array
from collections import deque
from random import Random

import numpy as np

from vmconc.program.errors import PlanError
from vmconc.program.oracle import expect
from vmconc.program.order import order
from vmconc.program.plan import OP_DTYPE, FilePlan, LwpPlan, Plan
from vmconc.vm import opcodes as op

PAGE = 4096
WORDS = PAGE // 8  # words of a page, and so the largest number of LWPs alive at once

ROW = ("kind", "lwp", "va", "length", "prot", "flags", "file", "offset", "new_length", "target", "recorded")

ALIVE, EXITED = 1, 0


def page_down(address: int) -> int:
    """Return the start of the page that holds `address`."""
    return address & -PAGE


def page_up(address: int) -> int:
    """Return the first page boundary at or above `address`."""
    return (address + PAGE - 1) & -PAGE


class PlanBuilder:
    """Collect operations of LWPs and turn them into a `Plan`."""

    def __init__(self, name: str, seed: int = 0) -> None:
        self.name = name
        self.random = Random(seed)
        self.lwps: list[LwpPlan] = []
        self.files: list[FilePlan] = []
        self.skipped: dict[str, int] = {}
        self.notes: list[str] = []
        self._rows = array("q")
        self._state: list[int] = []
        self._suspended: dict[int, int] = {}  # parent in a true vfork -> its child
        self._old_words: deque[int] = deque()  # words of exited LWPs, longest unused first
        self._fresh_words = 0

    # LWPs and spaces

    def spawn(self, name: str = "") -> int:
        """Start an LWP in a new and empty space.  It executes its own SPAWN, so first processes depend on nobody."""
        lwp = self._new_lwp(-1, name)
        self._add(op.SPAWN, lwp, target=lwp)
        return lwp

    def fork(self, lwp: int, name: str = "") -> int:
        """Start an LWP in a copy of this LWP's space."""
        self._check(lwp)
        child = self._new_lwp(self.lwps[lwp].word, name)
        self._add(op.FORK, lwp, target=child)
        return child

    def vfork(self, lwp: int, suspend: bool = False, name: str = "") -> int:
        """Start an LWP in this LWP's own space: a thread, or with `suspend` a true vfork."""
        self._check(lwp)
        child = self._new_lwp(self.lwps[lwp].parent_word, name)
        self._add(op.VFORK, lwp, flags=op.VFORK_SUSPEND if suspend else 0, target=child)
        if suspend:
            self._suspended[lwp] = child
        return child

    def exec_(self, lwp: int) -> None:
        """Leave the space and go on in a new and empty one."""
        self._add(op.EXEC, lwp)
        self._resume_parent(lwp)

    def exit_(self, lwp: int) -> None:
        """End the LWP; the last one to leave a space tears it down."""
        self._add(op.EXIT, lwp)
        self._state[lwp] = EXITED
        self._old_words.append(self.lwps[lwp].word)
        self._resume_parent(lwp)

    def live(self) -> list[int]:
        """Return the LWPs that have not exited."""
        return [lwp for lwp, state in enumerate(self._state) if state == ALIVE]

    def suspended_for(self, lwp: int) -> int:
        """Return the vfork child this LWP is suspended for, -1 if it may run."""
        return self._suspended.get(lwp, -1)

    def skip(self, reason: str, count: int = 1) -> None:
        """Count records of a trace that are left out of the plan."""
        if count:
            self.skipped[reason] = self.skipped.get(reason, 0) + count

    # Memory

    def file(self, name: str, pages: int, path: str = "") -> int:
        """Declare a file of this many pages; with a `path` that exists at run time its content is used."""
        self.files.append(FilePlan(name, pages, path))
        return len(self.files) - 1

    def grow_file(self, file: int, pages: int) -> None:
        """Let the file have at least this many pages."""
        old = self.files[file]
        if pages > old.pages:
            self.files[file] = FilePlan(old.name, pages, old.path)

    def touch(self, lwp: int, va: int, write: bool = False, kernel: bool = False, recorded: int = 0) -> None:
        """Read, or read and write, the LWP's own word of the page at `va`."""
        self._check(lwp)
        flags = (op.TOUCH_WRITE if write else 0) | (op.TOUCH_KERNEL if kernel else 0)
        self._rows.extend((op.TOUCH, lwp, va & -PAGE, PAGE, 0, flags, -1, 0, 0, -1, recorded))

    def mmap(self, lwp: int, va: int, length: int, prot: int, flags: int, file: int = -1, offset: int = 0) -> None:
        """Map [va, va+length), replacing what is there; anonymous unless a file is given."""
        if file < 0:
            flags |= op.MAP_ANON
        elif file >= len(self.files):
            raise PlanError(f"mmap of file {file}: only {len(self.files)} files are declared; call file() first")
        self._range(op.MMAP, lwp, va, length, prot=prot, flags=flags, file=file, offset=page_down(offset))

    def munmap(self, lwp: int, va: int, length: int) -> None:
        """Unmap [va, va+length)."""
        self._range(op.MUNMAP, lwp, va, length)

    def mprotect(self, lwp: int, va: int, length: int, prot: int) -> None:
        """Set the protection of [va, va+length)."""
        self._range(op.MPROTECT, lwp, va, length, prot=prot)

    def brk(self, lwp: int, old_end: int, delta: int) -> None:
        """Move the end of the heap from `old_end` by `delta` bytes; nothing is recorded inside one page."""
        old, new = page_up(old_end), page_up(old_end + delta)
        if new != old:
            prot = op.PROT_READ | op.PROT_WRITE
            self._add(op.BRK, lwp, old, new - old, prot=prot, flags=op.MAP_ANON)

    def mremap(self, lwp: int, va: int, length: int, new_va: int, new_length: int) -> None:
        """Move or resize [va, va+length) to [new_va, new_va+new_length).  What moves does not overlap itself."""
        old, new = page_down(va), page_down(new_va)
        if new != old and new < page_up(va + length) and old < page_up(new_va + new_length):
            raise PlanError(f"mremap of LWP {lwp}: {new:#x} overlaps what is moved there from {old:#x}")
        self._range(op.MREMAP, lwp, va, length, offset=new, new_length=page_up(new_length))

    def madvise(self, lwp: int, va: int, length: int, advice: int) -> None:
        """Advise on [va, va+length)."""
        self._range(op.MADVISE, lwp, va, length, flags=advice)

    def msync(self, lwp: int, va: int, length: int) -> None:
        """Write the dirty pages of [va, va+length) back."""
        self._range(op.MSYNC, lwp, va, length)

    def mlock(self, lwp: int, va: int, length: int) -> None:
        """Wire [va, va+length)."""
        self._range(op.MLOCK, lwp, va, length)

    def munlock(self, lwp: int, va: int, length: int) -> None:
        """Unwire [va, va+length)."""
        self._range(op.MUNLOCK, lwp, va, length)

    def minherit(self, lwp: int, va: int, length: int, inherit: int) -> None:
        """Choose what later forks do with [va, va+length)."""
        self._range(op.MINHERIT, lwp, va, length, flags=inherit)

    # The plan

    def draft(self) -> np.ndarray:
        """Return the operations so far, without waits and expected values."""
        rows = np.frombuffer(self._rows, dtype=np.int64).reshape(-1, len(ROW))
        ops = np.zeros(len(rows), dtype=OP_DTYPE)
        for column, name in enumerate(ROW):
            ops[name] = rows[:, column]
        return ops

    def finish(self) -> Plan:
        """Return the plan, with its waits and with what each read must see."""
        ops = self.draft()
        if not len(ops):
            raise PlanError(f"program {self.name} issues no operation; call spawn() first")
        number(ops)
        return self.seal(ops, expect(ops, self.lwps, self.files).reach)

    def seal(self, ops: np.ndarray, reach: np.ndarray) -> Plan:
        """Return the plan of operations that the oracle has seen."""
        waits = order(ops, self.lwps, reach)
        return Plan(self.name, ops, waits, self.lwps, self.files, self.skipped, self.notes)

    def _new_lwp(self, parent_word: int, name: str) -> int:
        if self._fresh_words < WORDS:
            word = self._fresh_words
            self._fresh_words += 1
        elif self._old_words:
            word = self._old_words.popleft()
        else:
            raise PlanError(f"more than {WORDS} LWPs are alive at once; each needs its own 8-byte word of a page")
        self.lwps.append(LwpPlan(word, parent_word, name))
        self._state.append(ALIVE)
        return len(self.lwps) - 1

    def _resume_parent(self, child: int) -> None:
        self._suspended = {parent: c for parent, c in self._suspended.items() if c != child}

    def _check(self, lwp: int) -> None:
        if not 0 <= lwp < len(self._state):
            raise PlanError(f"LWP {lwp} does not exist; spawn, fork and vfork return the numbers that do")
        if self._state[lwp] == EXITED:
            raise PlanError(f"LWP {lwp} has exited and cannot issue operations")
        if lwp in self._suspended:
            raise PlanError(f"LWP {lwp} is suspended in vfork until LWP {self._suspended[lwp]} calls exec_ or exit_")

    def _range(self, kind: int, lwp: int, va: int, length: int, **fields: int) -> None:
        if length <= 0 or va < 0:
            raise PlanError(f"{op.KIND_NAMES[kind]} of LWP {lwp}: bad range, va={va:#x} length={length}")
        start = page_down(va)
        self._add(kind, lwp, start, page_up(va + length) - start, **fields)

    def _add(
        self, kind: int, lwp: int, va: int = 0, length: int = 0, *, prot: int = 0, flags: int = 0, file: int = -1,
        offset: int = 0, new_length: int = 0, target: int = -1,
    ) -> None:  # fmt: skip
        self._check(lwp)
        self._rows.extend((kind, lwp, va, length, prot, flags, file, offset, new_length, target, 0))


def number(ops: np.ndarray) -> None:
    """Give every operation its stamp.

    Stamps are far below 2**40, where the contents of made-up files begin (`plan.file_word`), so the two never collide.
    """
    ops["stamp"] = np.arange(1, len(ops) + 1)
