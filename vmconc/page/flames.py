"""Flame graphs: where was waited and held, and who was in the way of whom."""

from collections.abc import Iterable

import numpy as np

from vmconc.analysis.blame_told import holder_name
from vmconc.analysis.findings import Findings
from vmconc.analysis.groups import group_starts
from vmconc.analysis.named import class_name
from vmconc.analysis.names import site_name
from vmconc.export.stacks import WEIGHTS, root, stacked
from vmconc.page.parts import Choice, Icicle, Lines, Part, Section
from vmconc.page.recorded import Recorded

Frames = tuple[str, ...]  # outermost first
Weighed = tuple[Frames, int]  # and ns
FRAMES = 2000
WAITED_OR_HELD = "from the top: the operation, the place in the source, the lock"
CHARGED = "from the top: where the lock was got by who was in the way, the lock, where the waiter got it afterwards"
TIMED = "from the top: the place in the source, the lock; the operation is known of recorded runs only"
NOTES = {"wait": WAITED_OR_HELD, "hold": WAITED_OR_HELD, "blame": CHARGED}
TEXT = "The width is time. Click a frame to see it alone, the top one to go back."


def flames(run: Recorded) -> Section:
    """Return a graph each by wait, hold and blame."""
    name = root(run.events.run)
    choices = [Choice(f"by {what}", [icicle(name, some, NOTES[what])]) for what, some in weighed(run).items()]
    return Section("flames", "Flame graphs", TEXT, choices)


def weighed(run: Findings) -> dict[str, list[Weighed]]:
    """Return the stacks by what they are weighed with; with events lost nobody can be blamed."""
    found = stacked(run.used)
    told = {}
    for what in ("wait", "hold"):
        column = WEIGHTS.index(what)
        told[what] = [(stack.frames, stack.weights[column]) for stack in found if stack.weights[column]]
    return told if run.events.gap else told | {"blame": charged(run)}


def charged(run: Findings) -> list[Weighed]:
    """Return stacks of who is charged, for what, by whom."""
    found = run.blame
    rows = np.flatnonzero(found.ticks > 0)
    wait, kind, site = found.wait[rows], found.kind[rows], found.site[rows]
    keys = kind, site, found.waits.cls[wait], found.waits.mode[wait], found.waits.site[wait]
    order = np.lexsort(keys)
    told: list[Weighed] = []
    for part in np.split(order, group_starts(*(key[order] for key in keys))[1:]) if len(rows) else []:
        way, at, cls, mode, asked = (int(key[part[0]]) for key in keys)
        frames = holder_name(run.events, "site", at, way), class_name(cls, mode), site_name(run.events, asked)
        told.append((frames, round(found.ticks[rows[part]].sum() * run.events.tick)))
    return told


def icicle(name: str, stacks: Iterable[Weighed], note: str, before: Iterable[Weighed] | None = None) -> Part:
    """Put stacks together as a tree below a frame `name`; with `before`, frames also have their value there."""
    sums = totals(stacks)
    if not sums.get(()):
        return Lines(["There is nothing of it."])
    kept = sorted((path for path in sums if sums[path] > 0), key=lambda path: (len(path), -sums[path]))
    left = len(kept) - FRAMES
    kept = kept[:FRAMES]
    places = {path: place for place, path in enumerate(kept)}
    parents = [places[path[:-1]] if path else -1 for path in kept]
    labels = [path[-1] if path else name for path in kept]
    note += f"; left out: {left:,} innermost frames with least time" if left > 0 else ""
    old = totals(before or ())
    values_before = [] if before is None else [old.get(path, 0) for path in kept]
    return Icicle(labels, parents, [sums[path] for path in kept], values_before, note)


def totals(stacks: Iterable[Weighed]) -> dict[Frames, int]:
    """Return for each frame, by the frames that lead to it, the sum of what is below it."""
    sums: dict[Frames, int] = {}
    for frames, weight in stacks:
        for depth in range(len(frames) + 1):
            sums[frames[:depth]] = sums.get(frames[:depth], 0) + weight
    return sums
