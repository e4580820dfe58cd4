"""Packets of a Perfetto trace; field numbers are those of its `perfetto_trace.proto`.

Slices are encoded many at once: their packets differ only in numbers, which have the same width in all.
"""

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from vmconc.export.wire import FIXED64, LENGTH, VARINT, Part, fixed, message, number, tag, text, together, wide

AT_ONCE = 1 << 16  # names in a packet
SEQUENCE, FRESH, GOES_ON = 1, 1, 2  # sequence flags: what was interned is forgotten, or needed
BEGIN, END = 1, 2  # types of a track event
TIME_BYTES, NUMBER_BYTES, FIXED_BYTES = 9, 4, 8


@dataclass(frozen=True)
class Slices:
    """What lasted, as columns: places of events, numbers of tracks, names and sites (0: none)."""

    begin: np.ndarray
    end: np.ndarray
    track: np.ndarray
    name: np.ndarray
    site: np.ndarray


@dataclass(frozen=True)
class Arrows:
    """By place of an event: the number of the arrow that begins or ends there, 0: none."""

    begins: np.ndarray
    ends: np.ndarray


class Names:
    """Hands out the numbers of tracks, names and sites, and writes what they stand for before they are used."""

    def __init__(self, out: BinaryIO, sites: list[str]):
        self.out = out
        self.tracks = self.names = 0
        said = [message(29, number(1, 1 + index), text(2, name)) for index, name in enumerate(sites)]
        self.packet(number(13, FRESH | GOES_ON), message(12, message(3, number(1, 1), text(2, "site")), *said))

    def packet(self, *parts: bytes) -> None:
        """Write one packet."""
        self.out.write(message(1, number(10, SEQUENCE), *parts))

    def process(self, pid: int, name: str) -> int:
        """Begin a process, and return its track."""
        return self.described(message(3, number(1, pid), text(6, name)))

    def track(self, parent: int, name: str) -> int:
        """Begin a track below another one.  Tracks of the same name are shown as one."""
        return self.described(number(5, parent), text(2, name))

    def described(self, *said: bytes) -> int:
        """Begin a track."""
        self.tracks += 1
        self.packet(message(60, number(1, self.tracks), *said))
        return self.tracks

    def name(self, texts: list[str]) -> np.ndarray:
        """Return the numbers of some names."""
        first, self.names = self.names + 1, self.names + len(texts)
        for start in range(0, len(texts), AT_ONCE):
            some = enumerate(texts[start : start + AT_ONCE], first + start)
            said = [message(2, number(1, name), text(2, words)) for name, words in some]
            self.packet(number(13, GOES_ON), message(12, *said))
        return np.arange(first, first + len(texts))


def encoded(slices: Slices, arrows: Arrows, ns: np.ndarray, end_ns: np.ndarray) -> bytes:
    """Return the packets of slices, a begin and an end for each; the times of both are given in ns."""
    track = number_field(11, slices.track)
    name, site = number_field(10, slices.name), site_field(slices.site)
    begins = event(BEGIN, ns, [*track, *name, *site, *arrow(48, arrows.ends[slices.begin])])
    ends = event(END, end_ns, [*track, *arrow(47, arrows.begins[slices.end])])
    return together(len(ns), [*begins, *ends])


def event(kind: int, ns: np.ndarray, parts: list[Part]) -> list[Part]:
    """Return the parts of the packets of some track events."""
    inside: list[Part] = [number(9, kind), *parts]
    length = lengths(len(ns), inside)
    body: list[Part] = [
        *number_field(8, ns, TIME_BYTES), number(10, SEQUENCE), number(13, GOES_ON), tag(11, LENGTH), wide(length, 1),
        *inside,
    ]  # fmt: skip
    return [tag(1, LENGTH), wide(lengths(len(ns), body), 1), *body]


def lengths(count: int, parts: list[Part]) -> np.ndarray:
    """Return how many bytes parts have in each row: fewer than 128, so that one byte says it."""
    total = np.zeros(count, np.int64)
    for part in parts:
        what, mask = part if isinstance(part, tuple) else (part, True)
        total += mask * (len(what) if isinstance(what, bytes) else what.shape[1])
    return total


def number_field(field: int, values: np.ndarray, width: int = NUMBER_BYTES) -> list[Part]:
    """Return a field that is a number."""
    return [tag(field, VARINT), wide(values, width)]


def site_field(sites: np.ndarray) -> list[Part]:
    """Return the annotation that says where it was, if that is known."""
    inside = number(1, 1) + tag(17, VARINT)
    before = tag(4, LENGTH) + bytes([len(inside) + NUMBER_BYTES]) + inside
    return [(before, sites > 0), (wide(sites, NUMBER_BYTES), sites > 0)]


def arrow(field: int, numbers: np.ndarray) -> list[Part]:
    """Return the field of an arrow, if there is one."""
    return [(tag(field, FIXED64), numbers > 0), (fixed(numbers), numbers > 0)]
