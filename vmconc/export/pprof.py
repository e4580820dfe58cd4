"""pprof's profile format: every stack with all its weights, its CPU a label; field numbers are `profile.proto`'s."""

import gzip
from collections.abc import Callable
from typing import BinaryIO

from vmconc.analysis.events import Events
from vmconc.analysis.grouping import cpu_name
from vmconc.export.stacks import UNITS, WEIGHTS, Stack, root, stacks
from vmconc.export.wire import message, number, text, varint


class Strings:
    """Texts by number, in the order in which they were first asked for; the first one has to be empty."""

    def __init__(self) -> None:
        self.numbers = {"": 0}

    def number(self, said: str) -> int:
        """Return the number of a text."""
        return self.numbers.setdefault(said, len(self.numbers))


def write_pprof(events: Events, out: BinaryIO, say: Callable[[str], None], weight: str) -> list[str]:
    """Write a profile, which opens with the weight that is asked for."""
    say("adding up stacks")
    strings, found = Strings(), stacks(events)
    types = [message(1, number(1, strings.number(name)), number(2, strings.number(UNITS[name]))) for name in WEIGHTS]
    places = {root(events.run): 1}
    samples = [message(2, sample(events, stack, strings, places)) for stack in found]
    locations = [message(4, number(1, place), message(4, number(1, place))) for place in places.values()]
    functions = [message(5, number(1, place), number(2, strings.number(name))) for name, place in places.items()]
    rest = number(10, events.wall_nanoseconds) + number(14, strings.number(weight))
    texts = [text(6, said) for said in strings.numbers]
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as packed:
        packed.writelines([*types, *samples, *locations, *functions, *texts, rest])
    return [f"{len(found):,} stacks, each with {', '.join(WEIGHTS)}"]


def sample(events: Events, stack: Stack, strings: Strings, places: dict[str, int]) -> bytes:
    """Return a sample, its innermost frame first; `places` numbers the frames from 1."""
    frames = [places.setdefault(frame, len(places) + 1) for frame in (*reversed(stack.frames), root(events.run))]
    label = number(1, strings.number("cpu")) + number(2, strings.number(cpu_name(events, stack.cpu)))
    ids, values = b"".join(map(varint, frames)), b"".join(map(varint, stack.weights))
    return message(1, ids) + message(2, values) + message(3, label)
