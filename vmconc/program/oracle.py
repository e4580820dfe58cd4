"""An oracle in plain Python that knows no locks: what each touch must read, wherever exactly one answer is possible.

It walks the plan in order.  Only values that every execution permitted by the waits agrees on are marked:

1. A word is written by the LWP that owns it, and an LWP that inherits the word starts after its previous owner has
   exited.  So the writes of one word are totally ordered, as in the plan, and so are they and the owner's own reads.
2. Fork races with the other LWPs of the space: of their words the child may see any value.  This matters only to
   later owners of such a word (`Space.fog`); the forking LWP's own word is exact.
3. The parent's word is exact in a private page of a space in which no LWP ever owned that word.
4. A private file page that was never written may or may not show what others write to the file through shared
   mappings: words so written are not predicted.
"""

from typing import NamedTuple

import numpy as np

from vmconc.program.plan import FilePlan, LwpPlan
from vmconc.program.reference import OPAQUE, PRIVATE, SHARED, UNKNOWN, Files, Mapping, Memory, Space
from vmconc.vm import opcodes as op

# What a touch finds.
NOTHING, DENIED, ANON, FILE, IN_SHARED = 0, 1, 2, 3, 4


class Findings(NamedTuple):
    """What the touches find, one element per operation."""

    found: np.ndarray  # NOTHING ... IN_SHARED
    reach: np.ndarray  # of a touch that misses, growing a stack or not: end of the pages it depends on; else 0


class _Oracle:
    """One walk over the operations."""

    def __init__(self, count: int, lwps: list[LwpPlan], files: list[FilePlan]) -> None:
        self.words = [lwp.word for lwp in lwps]
        self.parent_words = [lwp.parent_word for lwp in lwps]
        self.spaces: list[Space] = [Space()] * len(lwps)
        self.all_spaces: list[Space] = []
        self.files = Files(files)
        self.memory = Memory()
        self.found, self.check, self.reach = [NOTHING] * count, [0] * count, [0] * count
        self.own, self.parent = [0] * count, [0] * count
        self.from_file: dict[int, list[int]] = {}  # file -> touches whose parent's word came from it
        self.shared_writes: set[int] = set()  # files written through a shared mapping

    def run(self, ops: np.ndarray) -> None:
        """Walk over all operations."""
        columns = ops["kind"], ops["lwp"], ops["va"] >> 12, ops["flags"], ops["stamp"]
        for i, (kind, lwp, page, flags, stamp) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
            if kind == op.TOUCH:
                self.touch(i, lwp, page, flags & op.TOUCH_WRITE, stamp)
            elif kind in (op.FORK, op.VFORK, op.SPAWN, op.EXEC, op.EXIT):
                self.change_members(kind, lwp, int(ops["target"][i]))
            else:
                self.change_map(ops[i], kind, self.spaces[lwp])
        self.withdraw()

    def touch(self, i: int, lwp: int, page: int, write: int, stamp: int) -> None:
        """Predict one touch, then do it."""
        space = self.spaces[lwp]
        mapping = space.map.find(page)
        if mapping is None:
            mapping, self.reach[i] = self.memory.grow(space, page)
            if mapping is None:
                return
        if not mapping.prot & (op.PROT_WRITE if write else op.PROT_READ):
            self.found[i] = DENIED
            return
        word = self.words[lwp]
        key = mapping.base + page << 9 | word
        if mapping.kind == PRIVATE:
            self.found[i] = ANON if mapping.file < 0 else FILE
            self.predict_private(i, space, mapping, page, word, self.parent_words[lwp])
            if write:
                space.written.top[key] = stamp
            return
        self.found[i] = IN_SHARED
        if mapping.kind == SHARED:
            self.predict_shared(i, space, mapping, page, word)
        if write:
            self.shared_writes.add(mapping.file)
            self.memory.shared[key] = UNKNOWN if mapping.kind == OPAQUE else stamp

    def predict_private(self, i: int, space: Space, mapping: Mapping, page: int, word: int, parent: int) -> None:
        """Fill in what the own and the parent's word of a private page must hold."""
        key = mapping.base + page << 9
        if mapping.born >= space.fog.get(word, 0):
            value = space.written.get(key | word)
            if value is None:
                value = self.initial(mapping, page, word)
            if value != UNKNOWN:
                self.check[i], self.own[i] = op.CHECK_OWN, value
        if parent < 0 or parent in space.words or mapping.born < space.fog.get(parent, 0):
            return
        value = space.written.get(key | parent)
        if value is None:
            value = self.initial(mapping, page, parent)
            if mapping.file >= 0:
                self.from_file.setdefault(mapping.file, []).append(i)
        if value != UNKNOWN:
            self.check[i] |= op.CHECK_PARENT
            self.parent[i] = value
            space.parents.append((i, parent))

    def predict_shared(self, i: int, space: Space, mapping: Mapping, page: int, word: int) -> None:
        """Fill in what the own word of a shared page must hold."""
        if mapping.below is not None and mapping.born < space.fog.get(word, 0):
            return
        value = self.memory.shared.get(mapping.base + page << 9 | word)
        if value is None and mapping.below is not None:
            value = mapping.below.get(mapping.below_base + page << 9 | word)
        if value is None:
            value = self.initial(mapping, page, word)
        if value != UNKNOWN:
            self.check[i], self.own[i] = op.CHECK_OWN, value

    def initial(self, mapping: Mapping, page: int, word: int) -> int:
        """Return the content of a word that was never written through this mapping."""
        if mapping.file < 0:
            return 0
        key = mapping.file_base + page
        if mapping.file in self.shared_writes and (key << 9 | word) in self.memory.shared:
            return UNKNOWN
        return self.files.word(mapping.file, key, word)

    def change_members(self, kind: int, lwp: int, target: int) -> None:
        """Let LWPs start, move and end."""
        space = self.spaces[lwp]
        if kind == op.FORK:
            self.enter(target, self.fork(lwp, space))
        elif kind == op.VFORK:
            self.enter(target, space)
        elif kind == op.SPAWN:
            self.enter(target, Space())
        else:
            space.members.discard(lwp)
            if kind == op.EXEC:
                self.enter(lwp, Space())

    def fork(self, lwp: int, space: Space) -> Space:
        """Copy the space; words of LWPs that race with the fork are fog in the copy."""
        child = self.memory.fork(space)
        for racer in space.members - {lwp}:
            child.fog[self.words[racer]] = self.memory.born + 1
        return child

    def enter(self, lwp: int, space: Space) -> None:
        """Let an LWP into a space."""
        if not space.members:
            self.all_spaces.append(space)
        self.spaces[lwp] = space
        space.enter(lwp, self.words[lwp])

    def change_map(self, row: np.void, kind: int, space: Space) -> None:
        """Do an operation on a range of the address space."""
        start, length, flags = int(row["va"]) >> 12, int(row["length"]) >> 12, int(row["flags"])
        prot, offset = int(row["prot"]), int(row["offset"]) >> 12
        end = start + length
        if kind == op.MMAP or (kind == op.BRK and length > 0):
            self.memory.map(space, start, end, prot, flags, int(row["file"]), offset)
        elif kind == op.MUNMAP:
            space.map.cut(start, end)
        elif kind == op.BRK:
            space.map.cut(end, start)
        elif kind == op.MPROTECT:
            self.memory.protect(space, start, end, prot)
        elif kind == op.MINHERIT:
            self.memory.inherit(space, start, end, flags)
        elif kind == op.MREMAP:
            self.memory.move(space, start, end, offset, offset + (int(row["new_length"]) >> 12))

    def withdraw(self) -> None:
        """Withdraw predictions of a parent's word that something later in the plan makes uncertain."""
        for space in self.all_spaces:
            for i, word in space.parents:
                if word in space.words:
                    self.check[i] &= ~op.CHECK_PARENT
        for file in self.shared_writes & self.from_file.keys():
            for i in self.from_file[file]:
                self.check[i] &= ~op.CHECK_PARENT


def expect(ops: np.ndarray, lwps: list[LwpPlan], files: list[FilePlan]) -> Findings:
    """Fill `check`, `expect_own` and `expect_parent`; return what each touch finds."""
    oracle = _Oracle(len(ops), lwps, files)
    oracle.run(ops)
    ops["check"], ops["expect_own"], ops["expect_parent"] = oracle.check, oracle.own, oracle.parent
    return Findings(np.array(oracle.found, dtype=np.int8), np.array(oracle.reach, dtype=np.int64))
