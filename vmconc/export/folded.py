"""Folded stacks, a line each, as flame graph scripts read them: `frame;frame;frame weight`."""

from collections import Counter
from collections.abc import Callable
from typing import BinaryIO

from vmconc.analysis.events import Events
from vmconc.export.stacks import WEIGHTS, root, stacks


def write_folded(events: Events, out: BinaryIO, say: Callable[[str], None], weight: str) -> list[str]:
    """Write the stacks of all CPUs together that have any of the weight."""
    say("adding up stacks")
    lines: Counter[str] = Counter()
    for stack in stacks(events):
        frames = [frame.replace(";", ",") for frame in (root(events.run), *stack.frames)]
        lines[";".join(frames)] += stack.weights[WEIGHTS.index(weight)]
    kept = {line: total for line, total in lines.items() if total}
    out.writelines(f"{line} {total}\n".encode() for line, total in sorted(kept.items()))
    return [f"{len(kept):,} stacks by {weight}"]
