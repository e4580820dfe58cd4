"""Which operation waits for which: the only ordering between LWPs that a run enforces.

1. Inside one LWP the order is that of the plan; its CPU sees to that.
2. The first operation of an LWP waits for the fork, vfork or spawn that started it, and for the exit of the LWP that
   had the same word before it.
3. A change of a space (everything but a touch) of a range waits for the earlier changes by other LWPs whose ranges
   overlap it, and for the last change of the whole space: fork, vfork, exec, exit.  A change of the whole space waits
   for all earlier changes by other LWPs.  So changes that do not commute are ordered as in the plan.
   A touch that grows a stack, or that finds no mapping at all, is a change of the whole space too: it depends on more
   than its page.
4. A touch waits for the last change by another LWP that covers its page.  A change waits for the earlier touches, by
   the others, of the pages in its range.  A fork has no range: touches of the other LWPs race with it.
5. A parent suspended in a true vfork waits until its child has left the space.

All waits point backwards, so the plan's order is one valid execution.  A CPU that runs several LWPs in the order of
the plan can therefore never deadlock.
"""

import numpy as np

from vmconc.program.intervals import IntervalMap
from vmconc.program.plan import WAIT_DTYPE, LwpPlan
from vmconc.vm import opcodes as op

Point = tuple[int, int]  # (lwp, operations it has then completed)
Ranges = list[tuple[int, int]]

_STARTS = (op.FORK, op.VFORK, op.SPAWN)
_NO_RANGE = (op.FORK, op.VFORK, op.SPAWN, op.EXEC, op.EXIT)


class _Space:
    """The changes of one address space so far, and the touches that no change covers yet.

    Changes are numbered.  Whoever is ordered after a whole-space change is so after all changes before it.
    """

    __slots__ = ("after", "changes", "latest", "number", "shared", "touched", "whole")

    def __init__(self, founder: int) -> None:
        self.shared = False  # a second LWP has ever been here; before that there is nobody to wait for
        self.number = 0
        self.whole: tuple[int, Point] = (0, (founder, 0))  # the last whole-space change
        self.latest: dict[int, int] = {}  # LWP -> its last change since then, as its count
        self.changes: IntervalMap[tuple[int, Point]] = IntervalMap()
        self.after: dict[int, int] = {founder: 0}  # LWP -> last whole-space change that it is ordered after
        self.touched: dict[int, dict[int, int]] = {founder: {}}  # LWP -> page -> its count after the touch

    def join(self, lwp: int) -> None:
        """Let in an LWP that starts after a whole-space change, the last one."""
        self.shared = True
        self.after[lwp] = self.whole[0]
        self.touched[lwp] = {}

    def leave(self, lwp: int) -> None:
        """Let an LWP go; its leaving is a whole-space change, which orders its touches for everybody else."""
        del self.after[lwp], self.touched[lwp]

    def touch(self, lwp: int, page: int, count: int) -> list[Point]:
        """Note a touch and return the change it must wait for, if any: the last one of its page."""
        self.touched[lwp][page] = count
        change = self.changes.find(page)
        return [change[1]] if change is not None and change[0] > self.after[lwp] else []

    def change(self, lwp: int, count: int, ranges: Ranges, whole: bool) -> list[Point]:
        """Note a change and return what it must wait for."""
        before = [self.whole[1]] if self.whole[0] > self.after[lwp] else []
        self.after[lwp] = self.whole[0]
        self.number += 1
        if whole:
            before += self.latest.items()
            self.whole = (self.number, (lwp, count))
            self.after[lwp] = self.number
            self.latest.clear()
        else:
            self.latest[lwp] = count
        for start, end in ranges:
            before += self.cover(lwp, start, end)
            self.changes.assign(start, end, (self.number, (lwp, count)))
        return before

    def cover(self, lwp: int, start: int, end: int) -> list[Point]:
        """Return the changes and touches of [start, end) that a change by this LWP waits for; forget the touches."""
        earlier = {change for _, _, change in self.changes.cut(start, end)}
        before = [point for number, point in earlier if number > self.after[lwp]]
        for other, pages in self.touched.items():
            latest = _take_latest(pages, start, end)
            if latest and other != lwp:
                before.append((other, latest))
        return before


def _take_latest(pages: dict[int, int], start: int, end: int) -> int:
    """Remove the touches of [start, end) and return the last one's count, 0 if there were none."""
    inside = [p for p in range(start, end) if p in pages] if end - start < len(pages) else [
        p for p in pages if start <= p < end
    ]  # fmt: skip
    return max(map(pages.pop, inside), default=0)


class _Orderer:
    """One pass over the operations."""

    def __init__(self, lwps: list[LwpPlan]) -> None:
        self.words = [lwp.word for lwp in lwps]
        self.spaces: list[_Space | None] = [None] * len(lwps)
        self.counts = [0] * len(lwps)
        self.seen: list[dict[int, int]] = [{} for _ in lwps]  # what an LWP has already waited for
        self.due: list[list[Point]] = [[] for _ in lwps]  # waits for an LWP's next operation
        self.exits: dict[int, Point] = {}  # word -> exit of the last LWP that had it
        self.waiting_parent: dict[int, int] = {}  # vfork child -> its suspended parent
        self.positions: list[int] = []
        self.waits: list[Point] = []

    def run(self, ops: np.ndarray, reach: np.ndarray) -> None:
        """Order all operations."""
        columns = ops["kind"], ops["lwp"], ops["va"] >> 12, reach
        for i, (kind, lwp, page, end) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
            count = self.counts[lwp] = self.counts[lwp] + 1
            if kind == op.TOUCH:
                self.touch(lwp, page, end, count)
            else:
                self.change(ops[i], kind, lwp, count)
            if self.due[lwp]:
                self.settle(i, lwp)

    def touch(self, lwp: int, page: int, end: int, count: int) -> None:
        """Order a touch; with an `end` it is a change of the pages up to there."""
        space = self.spaces[lwp]
        assert space is not None
        if space.shared and end:
            self.due[lwp] += space.change(lwp, count, [(page, end)], whole=True)
        elif space.shared:
            self.due[lwp] += space.touch(lwp, page, count)

    def change(self, row: np.void, kind: int, lwp: int, count: int) -> None:
        """Order an operation that is not a touch."""
        space = self.spaces[lwp]
        if space is not None and space.shared:
            self.due[lwp] += space.change(lwp, count, _ranges(row, kind), whole=kind in _NO_RANGE)
        if kind in _STARTS:
            self.start(kind, lwp, int(row["target"]), count, suspend=bool(row["flags"] & op.VFORK_SUSPEND))
        elif kind in (op.EXEC, op.EXIT):
            self.leave(kind, lwp, count)

    def start(self, kind: int, lwp: int, child: int, count: int, suspend: bool) -> None:
        """Start LWP `child`."""
        if child != lwp:
            self.due[child].append((lwp, count))
        if self.words[child] in self.exits:
            self.due[child].append(self.exits[self.words[child]])
        space = self.spaces[lwp]
        if kind == op.VFORK:
            assert space is not None
            space.shared = True
            space.join(child)
            self.spaces[child] = space
            if suspend:
                self.waiting_parent[child] = lwp
        else:
            self.spaces[child] = _Space(child)

    def leave(self, kind: int, lwp: int, count: int) -> None:
        """Let an LWP leave its space by exec or exit."""
        space = self.spaces[lwp]
        assert space is not None
        space.leave(lwp)
        self.spaces[lwp] = _Space(lwp) if kind == op.EXEC else None
        if kind == op.EXIT:
            self.exits[self.words[lwp]] = (lwp, count)
        parent = self.waiting_parent.pop(lwp, None)
        if parent is not None:
            self.due[parent].append((lwp, count))

    def settle(self, i: int, lwp: int) -> None:
        """Emit the waits of operation `i` that an earlier wait of its LWP does not imply."""
        seen = self.seen[lwp]
        for other, count in sorted(self.due[lwp], reverse=True):
            if other != lwp and seen.get(other, 0) < count:
                assert count <= self.counts[other], "a wait may only point backwards"
                seen[other] = count
                self.positions.append(i)
                self.waits.append((other, count))
        self.due[lwp].clear()


def _ranges(row: np.void, kind: int) -> Ranges:
    """Return the page ranges whose touches a change is ordered against."""
    if kind in _NO_RANGE:
        return []
    va, length = int(row["va"]) >> 12, int(row["length"]) >> 12
    if kind == op.BRK and length < 0:
        return [(va + length, va)]
    if kind != op.MREMAP:
        return [(va, va + length)]
    new = int(row["offset"]) >> 12
    return [(va, va + length), (new, new + (int(row["new_length"]) >> 12))]


def order(ops: np.ndarray, lwps: list[LwpPlan], reach: np.ndarray) -> np.ndarray:
    """Fill `wait_first` and `wait_count` of the operations and return the waits; `reach` is the oracle's."""
    orderer = _Orderer(lwps)
    orderer.run(ops, reach)
    waits = np.array(orderer.waits, dtype=WAIT_DTYPE)
    positions, first, count = np.unique(np.array(orderer.positions, dtype=np.int64), return_index=True,
                                        return_counts=True)  # fmt: skip
    ops["wait_first"] = 0
    ops["wait_count"] = 0
    ops["wait_first"][positions] = first
    ops["wait_count"][positions] = count
    return waits
