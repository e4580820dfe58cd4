"""What a page is put together from: sections, of choices, of parts; each kind of part is drawn by a script of its own.

All of it is data.  Nothing here knows what a run is, so that other pages can be put together of the same parts.
"""

from collections.abc import Sequence

import msgspec


class Shown(msgspec.Struct):
    """A number that is written in its own way, or a word that is marked."""

    value: float | str | None  # sorted by; None: there is no such number
    text: str
    tone: str = ""  # good, bad, or neither


Cell = str | int | float | Shown | None  # None: there is no such number


class Fact(msgspec.Struct):
    """One figure with its name, and what more there is to say."""

    name: str
    value: str
    more: str = ""
    tone: str = ""  # good, bad, or neither


class Facts(msgspec.Struct, tag="facts"):
    """Figures side by side."""

    facts: list[Fact]


class Lines(msgspec.Struct, tag="lines"):
    """Sentences one below the other."""

    lines: list[str]
    tone: str = ""  # good, bad, note, or nothing


class Column(msgspec.Struct):
    """One column; `group`: those side by side with the same one have it as a common heading."""

    title: str
    group: str = ""
    number: bool = True
    bar: bool = False  # of 100


class Table(msgspec.Struct, tag="table"):
    """Rows that can be sorted by each column; they come sorted by one of them."""

    columns: list[Column]
    rows: Sequence[Sequence[Cell]]
    total: Sequence[Cell]  # empty: none
    sort: int
    note: str = ""  # what is left out
    numbers: str = ""  # what they are, for those who cannot see the table


class Heat(msgspec.Struct, tag="heat"):
    """A value for each row and each bin of time."""

    begin_ms: float
    width_ms: float
    names: list[str]
    values: list[list[float]]
    unit: str
    note: str = ""


class Bars(msgspec.Struct, tag="bars"):
    """How long something lasted: the ns at which each bin begins, and how many there are."""

    title: str
    from_ns: list[float]
    counts: list[int]
    total_ns: list[float]
    before: list[int] = []  # how many there were; empty: nothing is compared
    before_ns: list[float] = []


class Pairs(msgspec.Struct, tag="pairs"):
    """Two bars for each name: what was before, and what is after."""

    title: str
    names: list[str]
    before: list[float]
    after: list[float]
    unit: str  # ns, or nothing: a count


class Spans(msgspec.Struct, tag="spans"):
    """What lasted from when to when, in lanes; a span is lane, kind, ms at which it begins, ms it lasts, text."""

    begin_ms: float
    end_ms: float
    lanes: list[list[str]]  # what the lane belongs to, what it shows
    spans: list[tuple[int, int, float, float, str]]
    endless: list[int]  # places of those that never ended: they go on until the end
    note: str = ""


class Flow(msgspec.Struct, tag="flow"):
    """Streams from the left to the right; a link is the places of the two names, ms, how many."""

    left: list[str]
    right: list[str]
    heads: tuple[str, str]
    links: list[tuple[int, int, float, int]]
    note: str = ""


class Arc(msgspec.Struct):
    """An arrow between two nodes, by their places."""

    source: int
    target: int
    count: int
    text: str
    wrong: bool
    shared: bool
    side: str = ""  # new, gone or both; empty: nothing is compared
    word: str = ""  # written beside it


class Arcs(msgspec.Struct, tag="arcs"):
    """Nodes in their order, and arrows between them: downwards is in order."""

    nodes: list[str]
    ranked: int  # so many of them have a rank
    arcs: list[Arc]
    note: str = ""


class Curves(msgspec.Struct, tag="curves"):
    """How something changed: for each curve its name and a value for each bin of time, None: there is none."""

    begin_ms: float
    width_ms: list[float]  # of the bins of each curve
    names: list[str]
    values: list[list[float | None]]
    title: str


class Icicle(msgspec.Struct, tag="icicle"):
    """A flame graph upside down; the first frame is the root, `parents` are places of frames, -1 for the root."""

    labels: list[str]
    parents: list[int]
    values_ns: list[int]
    before_ns: list[int]  # colours say how much has changed; empty: nothing is compared
    note: str = ""


Part = Facts | Lines | Table | Heat | Bars | Pairs | Spans | Flow | Arcs | Curves | Icicle


class Choice(msgspec.Struct):
    """Parts that are seen together."""

    name: str
    parts: list[Part]


class Section(msgspec.Struct):
    """A part of the page with a heading; of its choices one is seen at a time."""

    id: str
    title: str
    text: str
    choices: list[Choice]


def section(name: str, title: str, text: str, *parts: Part) -> Section:
    """Return a section in which there is nothing to choose."""
    return Section(name, title, text, [Choice("", list(parts))])
