"""The decisive swap: the steps that would have had to come in another order for nothing to fail.

Tried are, on the order of all steps of a failing execution: two neighbouring steps of different CPUs exchanged, from
the end backwards; one step moved before or after steps of others; whole blocks exchanged.  Steps that touch the same
word come first, and of these the last: there the execution could still have gone well.  A step that a CPU stands
before at the end, and never made, can be moved too.  (Hermit's schedule search looks for an adjacent swap that flips
the outcome.)
"""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from vmconc.explore.laboratory import Laboratory
from vmconc.explore.order import Check, Order, follow, order_of

TRIES = 1000  # executions
BLOCK = 12  # steps: larger blocks are exchanged only as a whole


class Move(NamedTuple):
    """Steps `first` to `second` - 1 come after steps `second` to `end` - 1; places in an order."""

    first: int
    second: int
    end: int
    cpu: int = -1  # that makes the step it stands before at the end of the order; -1: none does

    def applied(self, cpus: list[int]) -> list[int]:
        """Return the order with the steps moved."""
        moved = cpus[self.second : self.end] if self.cpu < 0 else [self.cpu]
        return cpus[: self.first] + moved + cpus[self.first : self.second] + cpus[self.end :]


class Search(NamedTuple):
    """What came of looking for a swap."""

    move: Move | None  # after which nothing fails
    tried: int  # executions
    complete: bool  # everything was tried


def find_move(lab: Laboratory, order: Order, check: Check, seconds: float, end: int | None = None) -> Search:
    """Return the first move after which the execution does not fail, looking for so many seconds.

    Only the first `end` steps of the order are moved.
    """
    deadline, tried = time.monotonic() + seconds, 0
    cpus = [made.cpu for made in order.steps]
    seen = {tuple(cpus)}
    for move in moves(order, len(cpus) if end is None else end):
        changed = move.applied(cpus)
        if tuple(changed) in seen:
            continue
        if tried == TRIES or time.monotonic() > deadline:
            return Search(None, tried, False)
        seen.add(tuple(changed))
        tried += 1
        if follow(lab, changed, order.lucks, check) is None and made_so(lab, move):
            return Search(move, tried, True)
    return Search(None, tried, True)


def made_so(lab: Laboratory, move: Move) -> bool:
    """Tell whether the steps that come earlier could be made there: all others may have had to wait."""
    count = move.first + (move.end - move.second if move.cpu < 0 else 1)
    return [made.place for made in order_of(lab).steps[:count]] == list(range(count))


def moves(order: Order, end: int) -> Iterator[Move]:
    """Yield all moves in the order in which they are tried."""
    touched = [made.what for made in order.steps]
    cpus = [made.cpu for made in order.steps]

    def rank(move: Move) -> tuple[Any, ...]:
        """Put neighbours first, then what conflicts; of these the last that mattered, and then the shortest way."""
        last = order.pending[move.cpu] if move.cpu >= 0 else touched[move.end - 1]
        way = move.end - move.first + (move.cpu >= 0)
        return way > 2, not conflict(touched[move.first], last), -move.first, way

    single = [*earlier(cpus, end), *later(cpus, end)]
    if end == len(cpus):
        single += never_made(cpus, order.pending)
    yield from sorted(dict.fromkeys(single), key=rank)
    yield from sorted(blocks(cpus, end), key=lambda move: (move.end - move.first, -move.first))


def conflict(one: int, other: int) -> bool:
    """Tell whether two steps touch the same word and one of them writes it."""
    return one | 1 == other | 1 != 1 and (one | other) & 1 == 1


def earlier(cpus: list[int], end: int) -> Iterator[Move]:
    """Yield the moves of one step before steps of others."""
    for place in range(1, end):
        first = place
        while first > 0 and cpus[first - 1] != cpus[place]:
            first -= 1
            yield Move(first, place, place + 1)


def later(cpus: list[int], end: int) -> Iterator[Move]:
    """Yield the moves of one step behind steps of others."""
    for place in range(end - 1):
        behind = place + 1
        while behind < end and cpus[behind] != cpus[place]:
            behind += 1
            yield Move(place, place + 1, behind)


def never_made(cpus: list[int], pending: dict[int, int]) -> Iterator[Move]:
    """Yield the moves of a step that a CPU stands before at the end, before steps of others."""
    for cpu in pending:
        first = len(cpus)
        while first > 0 and cpus[first - 1] != cpu:
            first -= 1
            yield Move(first, len(cpus), len(cpus), cpu)


def blocks(cpus: list[int], end: int) -> Iterator[Move]:
    """Yield the exchanges of steps at the end of a CPU's run with steps at the beginning of the next one's."""
    starts = [place for place in range(end) if place == 0 or cpus[place] != cpus[place - 1]] + [end]
    for before, start, after in zip(starts, starts[1:], starts[2:], strict=False):
        for one in lengths(start - before):
            for other in lengths(after - start):
                yield Move(start - one, start, start + other)


def lengths(run: int) -> list[int]:
    """Return how many steps of a run are exchanged together."""
    return sorted({*range(2, min(run, BLOCK) + 1), run})
