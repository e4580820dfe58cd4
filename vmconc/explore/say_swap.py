"""The decisive swap in words."""

import msgspec

from vmconc.explore.laboratory import Laboratory
from vmconc.explore.order import Order, order_of
from vmconc.explore.story import Row, named, story
from vmconc.explore.swap import Move, Search


class Swap(msgspec.Struct):
    """Which steps would have had to come in another order for nothing to fail."""

    text: str
    found: bool
    tried: int  # executions
    neighbours: bool = False  # two steps that stand one behind the other
    sooner: list[int] = []  # numbers of the steps that would have had to come before the others; none: never made
    later: list[int] = []  # of those others
    named: list[int] = []  # of those that the text names


class Names:
    """What the steps of an order are called: by the first thing that is told of each."""

    def __init__(self, lab: Laboratory, order: Order, rows: list[Row]):
        self.lab, self.order = lab, order
        self.rows = {row.turn: row for row in reversed(rows)}

    def row(self, place: int) -> Row | None:
        """Return what is told of a step, if anything is."""
        return self.rows.get(self.order.steps[place].turn)

    def text(self, place: int) -> str:
        """Name a step."""
        row = self.row(place)
        return quoted(row.text) if row else f"step at {touched(self.lab, self.order.steps[place].what)}"

    def whose(self, place: int) -> str:
        """Name a step and its CPU."""
        return f"cpu {self.order.steps[place].cpu}'s {self.text(place)}"

    def numbers(self, first: int, end: int) -> list[int]:
        """Return the numbers of the rows that tell of steps."""
        return [row.number for place in range(first, end) if (row := self.row(place))]


def quoted(text: str) -> str:
    """Quote a step, without a value: in another order it might be another one."""
    return f"`{text.partition(' = ')[0]}`"


def touched(lab: Laboratory, what: int) -> str:
    """Name what a step touches."""
    return named(lab.segment, what & ~1) or "no known word"


def say(lab: Laboratory, order: Order, found: Search, rows: list[Row]) -> Swap:
    """Tell of the swap that was found; the execution in which it is made has just run on the same machine."""
    move, names = found.move, Names(lab, order, rows)
    assert move is not None
    later = names.numbers(move.first, move.second)
    sooner = names.numbers(move.second, move.end)
    neighbours = move.end - move.first == 2 or (move.cpu >= 0 and move.second - move.first == 1)
    if move.cpu >= 0:
        text, places = say_never_made(lab, names, move), [move.first]
    elif move.second - move.first == 1 < move.end - move.second:
        text, places = say_later(names, move), [move.first, move.end - 1]
    else:
        text, places = say_sooner(names, move), [*dict.fromkeys((move.second, move.end - 1)), move.first]
    named_steps = [number for place in places for number in names.numbers(place, place + 1)]
    text = f"{text}{steps(named_steps)}, nothing would have failed"
    return Swap(text, True, found.tried, neighbours, sooner, later, sorted(named_steps))


def say_sooner(names: Names, move: Move) -> str:
    """Tell of steps that were made, but should have been made sooner."""
    what = names.whose(move.second)
    if move.end - move.second > 1:
        what += f" and what follows, up to {names.text(move.end - 1)},"
    return f"had {what} come before {names.whose(move.first)}"


def say_later(names: Names, move: Move) -> str:
    """Tell of a step that was made, but should have been made later."""
    return f"had {names.whose(move.first)} come after {names.whose(move.end - 1)}"


def say_never_made(lab: Laboratory, names: Names, move: Move) -> str:
    """Tell of a step that was never made: what it is, the execution shows in which it was."""
    turn = next((made.turn for made in order_of(lab).steps if made.place == move.first), 0)
    row = next((row for row in story(lab) if row.turn == turn), None)
    pending = quoted(row.text) if row else f"step at {touched(lab, names.order.pending[move.cpu])}"
    return f"had cpu {move.cpu}'s {pending}, which it never came to, come before {names.whose(move.first)}"


def steps(named_steps: list[int]) -> str:
    """Give the numbers of the steps, in the order in which they are named."""
    numbers = "/".join(str(number) for number in named_steps)
    return f" (step{'s' if '/' in numbers else ''} {numbers})" if numbers else ""


def say_none(found: Search) -> Swap:
    """Tell that no swap was found."""
    if not found.tried and not found.complete:
        return Swap("not looked for: the order of the steps alone does not lead to this failure again", False, 0)
    tried = f"{found.tried:,} orders tried" if found.complete else f"only {found.tried:,} orders tried"
    text = f"none found: it still fails with a step, or a block of steps, in another place ({tried})"
    return Swap(text, False, found.tried)


def numbers_of(swap: Swap | None) -> set[int]:
    """Return the numbers of the steps that a swap names."""
    return set(swap.named) if swap else set()
