"""Flame graphs of the runs after, coloured by what has changed, and all stacks of both sides as a table."""

from vmconc.page.change.charted import Charted, Stacks
from vmconc.page.figures import percent
from vmconc.page.flames import NOTES, TIMED, icicle
from vmconc.page.parts import Cell, Choice, Column, Lines, Part, Section, Shown, Table

ROWS = 200
MS = 1e6
LASTED = ("operation", "place in the source", "lock")
CHARGED = ("in the way: got it at", "lock", "who waited got it at")
WORDS = {"wait": LASTED, "hold": LASTED, "blame": CHARGED}
NUMBERS = [Column("before ms"), Column("after ms"), Column("change ms"), Column("change")]
LOST = Lines(["Not known: events were lost, and who holds what is known only from all of them."], "bad")
TEXT = (
    "The width is time in all runs after; the colour says how it has changed: blue is less than before, orange more, "
    "and each frame says it in figures, small ones when pointed at. What only the runs before had has no width: it is "
    "in the table, with the word gone. Click a frame to see it alone, the top one to go back."
)


def flames(before: Charted, after: Charted) -> Section:
    """Return a graph and a table each by wait, hold and blame."""
    choices = []
    for what in before.stacks if before.timed else WORDS:
        parts: list[Part] = [LOST]
        if what in before.stacks and what in after.stacks:
            old, new = before.stacks[what], after.stacks[what]
            note, words = (TIMED, WORDS[what][1:]) if before.timed else (NOTES[what], WORDS[what])
            parts = [icicle("all", new.items(), note, old.items()), table(what, words, old, new)]
        choices.append(Choice(f"by {what}", parts))
    return Section("flames", "Flame graphs, before and after", TEXT, choices)


def table(what: str, words: tuple[str, ...], before: Stacks, after: Stacks) -> Table:
    """Return the stacks that changed most, what grew most first; `words`: what their frames are."""
    grown = {frames: after.get(frames, 0) - before.get(frames, 0) for frames in before | after}
    kept = sorted(grown, key=lambda frames: -abs(grown[frames]))[:ROWS]
    kept.sort(key=lambda frames: -grown[frames])
    rows = [row(frames, before.get(frames, 0), after.get(frames, 0)) for frames in kept]
    total = row(("all", *[""] * (len(words) - 1)), sum(before.values()), sum(after.values()))
    left = f"left out, but in the total: {len(grown) - ROWS:,} rows that changed less" if len(grown) > ROWS else ""
    columns = [*(Column(word, number=False) for word in words), *NUMBERS]
    return Table(columns, rows, total, len(words) + 2, left, f"{what} before and after")


def row(frames: tuple[str, ...], before: int, after: int) -> list[Cell]:
    """Return a row."""
    change = 100 * (after / before - 1) if before else None
    word = "new" if after and not before else "gone" if before and not after else percent(change)
    return [*frames, before / MS, after / MS, (after - before) / MS, Shown(change, word)]
