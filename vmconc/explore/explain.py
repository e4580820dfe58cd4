"""What is told of a failure: its steps, the decisive swap, who goes round in circles, what the words concerned held."""

from typing import Any

import msgspec

from vmconc.explore.failure import Failure
from vmconc.explore.fold import last_cycle, loop
from vmconc.explore.laboratory import Laboratory
from vmconc.explore.order import Check, Order, follow, observe, order_of
from vmconc.explore.say_swap import Swap, say, say_none
from vmconc.explore.state import Values, Word, begun_with, compared, record_of, values_of
from vmconc.explore.story import Row, story
from vmconc.explore.swap import Search, find_move
from vmconc.schedule.records import ENDINGS, FINISHED, LIVELOCK, TOO_LONG

SECONDS = 3.0  # of looking for a swap
ROUNDS = (ENDINGS[LIVELOCK], ENDINGS[TOO_LONG])
LIMIT, ROOM = 4, 1000  # times the steps before a loop begins, and steps: who has not ended by then goes round too


class Explained(msgspec.Struct):
    """What is told of a failure."""

    rows: list[Row] = []
    swap: Swap | None = None  # nothing was looked for
    loop: list[str] = []
    state: list[Word] = []


def explain(lab: Laboratory, turns: list[int], check: Check, everything: bool = False) -> Explained:
    """Run the decisions of a failure on a watched machine and tell what there is to tell of them."""
    failure = observe(lab, turns, check)
    order = order_of(lab)
    preempted = frozenset(made.turn for made in order.steps if made.preempted)
    rows = story(lab, everything, preempted)
    explained = Explained(rows, loop=loop(rows) if failure and failure.rule in ROUNDS else [])
    if failure is None:
        return explained
    record = record_of(lab, check() if check is not None and lab.engine.ended == FINISHED else [])
    first, failed = (values(lab, record, words) for words in (begun_with(lab), lab.segment.memory.words))
    found = look(lab, failure, order, check)
    explained.swap = say_none(found)
    swapped = None
    if found.move:
        follow(lab, found.move.applied([made.cpu for made in order.steps]), order.lucks, check)
        swapped = values(lab, record, lab.segment.memory.words)
        explained.swap = say(lab, order, found, rows)
    explained.state = compared(first, failed, swapped)
    return explained


def values(lab: Laboratory, record: tuple[str, int] | None, words: Any) -> Values:
    """Return what the record concerned holds; nothing if there is none."""
    return values_of(lab, *record, words) if record else {}


def look(lab: Laboratory, failure: Failure, order: Order, check: Check) -> Search:
    """Look for the decisive swap.  Where CPUs go round only steps up to the first round are moved.

    Nothing is looked for unless the order of the steps alone leads to the same failure.
    """
    engine: Any = lab.engine
    limit, end = engine.limit, None
    cycle = last_cycle([(made.cpu, made.what) for made in order.steps]) if failure.rule in ROUNDS else None
    if cycle:
        end = cycle.start + cycle.period
        engine.limit = min(limit, LIMIT * end + ROOM)
    try:
        again = follow(lab, [made.cpu for made in order.steps], order.lucks, check)
        if again is None or again.rule != failure.rule:
            return Search(None, 0, False)
        return find_move(lab, order, check, SECONDS, end)
    finally:
        engine.limit = limit
