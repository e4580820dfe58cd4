"""A second, independent virtual memory: a dictionary of pages per space, copied whole at fork, one operation at a time.

It executes a plan in any order that the waits permit, so that predictions can be held against many interleavings.
"""

from dataclasses import dataclass, field
from random import Random

import numpy as np

from vmconc.program.plan import FilePlan, Plan, file_word
from vmconc.vm import opcodes as op

STACK_PAGES = 2048


@dataclass
class Store:
    """The words of one page; None until first written if they come from a file."""

    words: dict[int, int] | None
    file: "Store | None" = None

    def get(self, word: int) -> int:
        if self.words is None:
            return self.file.get(word)
        return self.words.get(word, 0)

    def put(self, word: int, value: int) -> None:
        if self.words is None:
            self.words = dict(self.file.words)
        self.words[word] = value

    def copy(self) -> "Store":
        return Store(None if self.words is None else dict(self.words), self.file)


@dataclass
class Slot:
    """A page of a space."""

    store: Store
    prot: int
    inherit: int
    file: int = -1
    file_page: int = 0
    shared: bool = False
    floor: int | None = None


@dataclass
class NaiveVM:
    """All spaces and files."""

    files: list[FilePlan]
    spaces: list[dict[int, Slot]]
    pages: dict[tuple[int, int], Store] = field(default_factory=dict)

    def file_page(self, file: int, page: int) -> Store:
        if (file, page) not in self.pages:
            inside = page < self.files[file].pages
            words = {w: file_word(file, page, w) for w in range(512)} if inside else {}
            self.pages[file, page] = Store(words)
        return self.pages[file, page]

    def slot(self, prot: int, flags: int, file: int, file_page: int, floor: int | None) -> Slot:
        shared = bool(flags & op.MAP_SHARED)
        if file < 0:
            store = Store({})
        else:
            store = self.file_page(file, file_page)
            store = store if shared else Store(None, store)
        inherit = op.INHERIT_SHARE if shared else op.INHERIT_COPY
        return Slot(store, prot, inherit, file, file_page, shared, floor)

    def find(self, space: dict[int, Slot], page: int) -> Slot | None:
        if page in space:
            return space[page]
        above = min((p for p in space if p > page), default=None)
        if above is None or space[above].floor is None or page < space[above].floor:
            return None
        stack = space[above]
        for p in range(page, above):
            space[p] = Slot(Store({}), stack.prot, stack.inherit, floor=stack.floor)
        return space[page]

    def fork(self, space: dict[int, Slot]) -> dict[int, Slot]:
        child = {}
        for page, slot in space.items():
            if slot.inherit != op.INHERIT_NONE:
                store = slot.store if slot.inherit == op.INHERIT_SHARE else slot.store.copy()
                child[page] = Slot(store, slot.prot, slot.inherit, slot.file, slot.file_page, slot.shared, slot.floor)
        return child

    def mremap(self, space: dict[int, Slot], va: int, length: int, new: int, new_length: int) -> None:
        old = {page - va: space.pop(page) for page in range(va, va + length) if page in space}
        for page in range(new, new + new_length):
            space.pop(page, None)
        for place, slot in old.items():
            if place < new_length:
                slot.floor = None if slot.floor is None else slot.floor + new - va
                space[new + place] = slot
        if old:
            last, slot = max(old.items())
            for place in range(length, new_length):
                flags = op.MAP_SHARED if slot.shared else 0
                file_page = slot.file_page + place - last
                added = self.slot(slot.prot, flags, slot.file, file_page, slot.floor)
                added.inherit = slot.inherit
                space[new + place] = added

    def change(self, lwp: int, row: np.void) -> None:
        kind, va, length, flags = int(row["kind"]), int(row["va"]) >> 12, int(row["length"]) >> 12, int(row["flags"])
        space, target, prot = self.spaces[lwp], int(row["target"]), int(row["prot"])
        if kind == op.FORK:
            self.spaces[target] = self.fork(space)
        elif kind == op.VFORK:
            self.spaces[target] = space
        elif kind == op.SPAWN:
            self.spaces[target] = {}
        elif kind in (op.EXEC, op.EXIT):
            self.spaces[lwp] = {}
        elif kind == op.MMAP or (kind == op.BRK and length > 0):
            floor = va + length - STACK_PAGES if flags & op.MAP_STACK else None
            for i in range(length):
                space[va + i] = self.slot(prot, flags, int(row["file"]), (int(row["offset"]) >> 12) + i, floor)
        elif kind == op.MREMAP:
            self.mremap(space, va, length, int(row["offset"]) >> 12, int(row["new_length"]) >> 12)
        else:
            for page in range(va, va + length) if length > 0 else range(va + length, va):
                self.change_page(kind, space, page, prot, flags)

    def change_page(self, kind: int, space: dict[int, Slot], page: int, prot: int, flags: int) -> None:
        if kind in (op.MUNMAP, op.BRK):
            space.pop(page, None)
        elif page in space and kind == op.MPROTECT:
            space[page].prot = prot
        elif page in space and kind == op.MINHERIT:
            space[page].inherit = flags


def linearise(plan: Plan, random: Random) -> list[int]:
    """Return a random order of the operations that the waits permit."""
    queues: list[list[int]] = [[] for _ in plan.lwps]
    for i, lwp in enumerate(plan.ops["lwp"].tolist()):
        queues[lwp].append(i)
    done, result = [0] * len(queues), []
    favourite = random.choices([0.1, 1.0, 10.0, 100.0], k=len(queues))  # some LWPs run far ahead of others
    while len(result) < len(plan.ops):
        heads = [(lwp, queue[n]) for lwp, (queue, n) in enumerate(zip(queues, done, strict=True)) if n < len(queue)]
        ready = [lwp for lwp, i in heads if _may_run(plan, i, done)]
        assert ready, "deadlock"
        lwp = random.choices(ready, [favourite[r] for r in ready])[0]
        result.append(queues[lwp][done[lwp]])
        done[lwp] += 1
    return result


def _may_run(plan: Plan, i: int, done: list[int]) -> bool:
    first, count = int(plan.ops["wait_first"][i]), int(plan.ops["wait_count"][i])
    return all(done[w["lwp"]] >= w["count"] for w in plan.waits[first : first + count])


def execute(plan: Plan, sequence: list[int]) -> dict[int, tuple[int, int] | None]:
    """Execute the operations in this order; return what each touch read, None if it may not access the page."""
    vm = NaiveVM(plan.files, [{} for _ in plan.lwps])
    seen: dict[int, tuple[int, int] | None] = {}
    for i in sequence:
        row = plan.ops[i]
        lwp = int(row["lwp"])
        if row["kind"] != op.TOUCH:
            vm.change(lwp, row)
            continue
        write = bool(row["flags"] & op.TOUCH_WRITE)
        slot = vm.find(vm.spaces[lwp], int(row["va"]) >> 12)
        if slot is None or not slot.prot & (op.PROT_WRITE if write else op.PROT_READ):
            seen[i] = None
            continue
        me = plan.lwps[lwp]
        seen[i] = slot.store.get(me.word), slot.store.get(me.parent_word) if me.parent_word >= 0 else 0
        if write:
            slot.store.put(me.word, int(row["stamp"]))
    return seen
