"""Steps that repeat, said once: cycles of steps in a row, and those of one CPU among the steps of others.

(Lincheck folds spin cycles so.)
"""

from collections.abc import Hashable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from vmconc.explore.story import Row

PERIOD = 64  # steps of a cycle at most
TIMES = 3  # so often at least it has to come


class Cycle(NamedTuple):
    """`times` times the same `period` entries, from the place `start` on."""

    start: int
    period: int
    times: int

    @property
    def end(self) -> int:
        """Return the place behind the last time."""
        return self.start + self.period * self.times


class Fold(NamedTuple):
    """Rows that are not shown: they repeat the `period` rows of these CPUs that stand before them."""

    rows: list[Row]
    period: int
    times: int
    cpus: list[int]

    @property
    def text(self) -> str:
        """Say what is left out."""
        kind = "step" if all(row.number for row in self.rows) else "row"
        steps = kind if self.period == 1 else f"{self.period} {kind}s"
        more = "once more" if self.times == 1 else f"{self.times:,} more times"
        return f"(the same {steps} {more})"


def cycles(keys: Sequence[Hashable]) -> list[Cycle]:
    """Return the cycles in a row of entries: at each place the longest, of two the one of the shorter period."""
    matches = [equal_to(keys, period) for period in range(1, min(PERIOD, len(keys) // TIMES) + 1)]
    found, place = [], 0
    while place < len(keys):
        best = Cycle(place, 1, 1)
        for period, same in enumerate(matches, 1):
            cycle = Cycle(place, period, 1 + same[place] // period)
            if cycle.times >= TIMES and cycle.end > best.end:
                best = cycle
        if best.times > 1:
            found.append(best)
        place = best.end
    return found


def equal_to(keys: Sequence[Hashable], period: int) -> list[int]:
    """Return for each place how many entries from there on are those that come `period` entries later."""
    counts = [0] * len(keys)
    for place in range(len(keys) - period - 1, -1, -1):
        counts[place] = counts[place + 1] + 1 if keys[place] == keys[place + period] else 0
    return counts


def fold(rows: list[Row], kept: AbstractSet[int] = frozenset()) -> list[Row | Fold]:
    """Return rows with cycles folded: first those in which whoever takes part, then those of one CPU.

    Rows of the numbers `kept` stay.
    """
    shown = fold_all(rows, kept)
    for cpu in sorted({row.cpu for row in rows}):
        shown = fold_cpu(shown, cpu, kept)
    return shown


def key(row: Row, kept: AbstractSet[int]) -> Hashable:
    """Return what two rows have to have in common to be the same."""
    return row.number if row.number in kept else (row.cpu, row.text, row.preempted)


def fold_all(rows: list[Row], kept: AbstractSet[int]) -> list[Row | Fold]:
    """Fold cycles of rows that stand one behind the other."""
    shown: list[Row | Fold] = []
    place = 0
    for cycle in cycles([key(row, kept) for row in rows]):
        first = cycle.start + cycle.period
        shown += rows[place:first]
        shown.append(folded(rows[first : cycle.end], cycle))
        place = cycle.end
    return shown + rows[place:]


def folded(rows: list[Row], cycle: Cycle) -> Fold:
    """Return what stands for the rows of a cycle but for its first time."""
    return Fold(rows, cycle.period, cycle.times - 1, sorted({row.cpu for row in rows}))


def fold_cpu(shown: list[Row | Fold], cpu: int, kept: AbstractSet[int]) -> list[Row | Fold]:
    """Fold the cycles of one CPU; what stands for them comes where the last row that is left out stood."""
    own = [(place, row) for place, row in enumerate(shown) if cpu in cpus_of(row)]
    keys = [key(row, kept) if isinstance(row, Row) else (place,) for place, row in own]
    result: list[Row | Fold | None] = list(shown)
    for cycle in cycles(keys):
        hidden = own[cycle.start + cycle.period : cycle.end]
        for place, _ in hidden:
            result[place] = None
        result[hidden[-1][0]] = folded([row for _, row in hidden if isinstance(row, Row)], cycle)
    return [row for row in result if row is not None]


def cpus_of(row: Row | Fold) -> list[int]:
    """Return the CPUs of which a row, or what stands for rows, speaks."""
    return [row.cpu] if isinstance(row, Row) else row.cpus


def last_cycle(keys: Sequence[Hashable]) -> Cycle | None:
    """Return the cycle in which entries end, None if they do not; its last time may be cut short."""
    backwards = keys[::-1]
    limit = min(PERIOD, len(keys) // TIMES)
    for period in range(1, limit + 1):
        same = equal_to_first(backwards, period)
        if same >= period * (TIMES - 1):
            times = 1 + same // period
            return Cycle(len(keys) - period * times, period, times)
    return None


def equal_to_first(keys: Sequence[Hashable], period: int) -> int:
    """Return how many entries from the first on are those that come `period` entries later."""
    count = 0
    while count + period < len(keys) and keys[count] == keys[count + period]:
        count += 1
    return count


def loop(rows: list[Row]) -> list[str]:
    """Say who goes round in which steps at the end: all together, else each CPU for itself; nothing if nobody does.

    A write in whose midst the execution ended has no value yet: it is not looked at.
    """
    rows = rows[:-1] if rows and rows[-1].text.startswith("write ") and " = " not in rows[-1].text else rows
    together = last_cycle([(row.cpu, row.text) for row in rows])
    if together:
        round_ = rows[together.start : together.start + together.period]
        return say_round(round_, together.times)
    lines = []
    for cpu in sorted({row.cpu for row in rows}):
        own = [row for row in rows if row.cpu == cpu]
        alone = last_cycle([row.text for row in own])
        if alone:
            lines += say_round(own[alone.start : alone.start + alone.period], alone.times)
    return lines


def say_round(rows: list[Row], times: int) -> list[str]:
    """Say one round, CPU by CPU."""
    cpus = sorted({row.cpu for row in rows})
    names = " and ".join(f"cpu {cpu}" for cpu in cpus)
    goes = "goes" if len(cpus) == 1 else "go"
    steps = "; ".join(row.text if len(cpus) == 1 else f"cpu {row.cpu}: {row.text}" for row in rows)
    return [f"{names} {goes} round, {times:,} times by the end: {steps}"]
