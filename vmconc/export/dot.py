"""Graphviz DOT: which classes were acquired while which were held, how often; what is against their order in red."""

from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.groups import sums_before
from vmconc.locks.classes import CLASS_NAMES, UNORDERED
from vmconc.schedule.steps import STEP_ACQUIRE, STEP_TRIED

Edge = tuple[int, int, int, int]  # class held, class acquired, times that it might wait, times by a try


def write_dot(events: Events, out: BinaryIO, say: Callable[[str], None]) -> list[str]:
    """Write the graph; an edge that only tries made is dashed, for a try does not wait."""
    say("finding what was held at each acquisition")
    edges = list(held_at(events))
    used = sorted({cls for edge in edges for cls in edge[:2]})
    nodes = [f'  "{CLASS_NAMES[cls]}"{"" if cls < UNORDERED else " [style=dotted]"};' for cls in used]
    head = ["digraph locks {", "  // solid: has a rank; dotted: may be taken in any order", "  rankdir=LR;"]
    out.write("\n".join([*head, *nodes, *(line(*edge) for edge in edges), "}", ""]).encode())
    return [f"{len(used)} classes, {len(edges)} edges"]


def held_at(events: Events) -> Iterator[Edge]:
    """Yield each pair of classes of which one was acquired while the other was held."""
    starts = events.first[:-1][np.diff(events.first) > 0]
    got = np.flatnonzero(np.isin(events.action, (STEP_ACQUIRE, STEP_TRIED)))
    classes, tried = events.cls[got], events.action[got] == STEP_TRIED
    for held in np.unique(classes).tolist():
        before = sums_before(np.where(events.cls == held, events.gain, 0), starts)[got] > 0
        for cls in np.unique(classes[before]).tolist():
            own = before & (classes == cls)
            yield held, cls, int((own & ~tried).sum()), int((own & tried).sum())


def line(held: int, cls: int, waiting: int, tries: int) -> str:
    """Write an edge."""
    wrong = cls < held < UNORDERED and waiting
    style = ", style=dashed" if not waiting else ", color=red" if wrong else ""
    said = " ".join([f"{waiting:,}"] * bool(waiting) + [f"tried {tries:,}"] * bool(tries))
    return f'  "{CLASS_NAMES[held]}" -> "{CLASS_NAMES[cls]}" [label="{said}"{style}];'
