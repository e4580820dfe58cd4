"""Flame graphs: where was waited and held, and who was in the way of whom."""

from collections.abc import Iterable

import numpy as np

from vmconc.analysis.blame import Blame, blame
from vmconc.analysis.blame_told import holder_name
from vmconc.analysis.groups import group_starts
from vmconc.analysis.named import class_name
from vmconc.analysis.names import site_name
from vmconc.export.stacks import WEIGHTS, root, stacked
from vmconc.page.parts import Choice, Icicle, Lines, Part, Section
from vmconc.page.recorded import Recorded

Weighed = tuple[tuple[str, ...], int]  # frames, outermost first, and ns
FRAMES = 2000
WAITED_OR_HELD = "from the top: the operation, the place in the source, the lock"
CHARGED = "from the top: where the lock was got by who was in the way, the lock, where the waiter got it afterwards"
TEXT = "The width is time. Click a frame to see it alone, the top one to go back."


def flames(run: Recorded) -> Section:
    """Return a graph each by wait, hold and blame."""
    name, found = root(run.events), stacked(run.used)
    choices = []
    for weight in ("wait", "hold"):
        column = WEIGHTS.index(weight)
        choices.append(
            Choice(f"by {weight}", [icicle(name, [(s.frames, s.weights[column]) for s in found], WAITED_OR_HELD)])
        )
    if not run.events.lost:
        choices.append(Choice("by blame", [icicle(name, charged(run, blame(run.events)), CHARGED)]))
    return Section("flames", "Flame graphs", TEXT, choices)


def charged(run: Recorded, found: Blame) -> list[Weighed]:
    """Return stacks of who is charged, for what, by whom."""
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


def icicle(name: str, stacks: Iterable[Weighed], note: str) -> Part:
    """Put stacks together as a tree below a frame `name`; the value of a frame is what is below it."""
    sums: dict[tuple[str, ...], int] = {}
    for frames, weight in stacks:
        for depth in range(len(frames) + 1):
            sums[frames[:depth]] = sums.get(frames[:depth], 0) + weight
    if not sums.get(()):
        return Lines(["There is nothing of it."])
    kept = sorted((path for path in sums if sums[path] > 0), key=lambda path: (len(path), -sums[path]))
    left = len(kept) - FRAMES
    kept = kept[:FRAMES]
    places = {path: place for place, path in enumerate(kept)}
    parents = [places[path[:-1]] if path else -1 for path in kept]
    labels = [path[-1] if path else name for path in kept]
    note += f"; left out: {left:,} innermost frames with least time" if left > 0 else ""
    return Icicle(labels, parents, [sums[path] for path in kept], note)
