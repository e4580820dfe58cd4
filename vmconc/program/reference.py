"""The reference model of virtual memory: spaces, mappings and words as dictionaries, with no lock, frame or fault.

A word of private memory is found under a key made of the number of the mapping that created it, its page and its
place in the page, so that unmapping forgets by renumbering and moving is an addition.  Fork freezes what was written
so far into a layer that parent and child share.
"""

import mmap
from dataclasses import dataclass, replace
from pathlib import Path

from vmconc.program.intervals import IntervalMap
from vmconc.program.plan import FilePlan, file_word
from vmconc.vm import opcodes as op

PRIVATE, SHARED, OPAQUE = 0, 1, 2
STACK_PAGES = 8 << 8  # a stack grows to 8 MiB
NO_GROWTH = 1 << 62

_BORN_SHIFT = 40  # pages of a mapping's number; addresses have 35 bits of page
_FILE_KEYS = 1 << 62  # keys of file pages start here, above those of all mappings
UNKNOWN = -1  # in place of a shared word: more than one value is possible


class Layers:
    """Words written in one space: a dictionary of its own over frozen ones, newest first."""

    __slots__ = ("top", "under")

    def __init__(self, under: tuple[dict[int, int], ...] = ()) -> None:
        self.top: dict[int, int] = {}
        self.under = under

    def get(self, key: int) -> int | None:
        """Return the word last written under this key, None if it never was."""
        value = self.top.get(key)
        if value is None:
            for layer in self.under:
                value = layer.get(key)
                if value is not None:
                    break
        return value

    def freeze(self) -> "Layers":
        """Return a copy that later writes do not reach.

        Neighbouring layers of like size are merged, so that there are never more than a logarithmic number.
        """
        if self.top:
            self.under = (self.top, *self.under)
            self.top = {}
            while len(self.under) > 1 and 2 * len(self.under[0]) >= len(self.under[1]):
                self.under = ({**self.under[1], **self.under[0]}, *self.under[2:])
        return Layers(self.under)


@dataclass(frozen=True, slots=True)
class Mapping:
    """What is mapped at a range of pages."""

    kind: int  # PRIVATE, SHARED; OPAQUE: shared until some copying fork; nothing is predicted
    born: int  # number of the mapping that created the memory
    base: int  # key of page p: base + p
    prot: int
    inherit: int
    file: int = -1
    file_base: int = 0  # key of the file's page for page p: file_base + p
    floor: int = NO_GROWTH  # lowest page to which a stack grows
    below: Layers | None = None  # private words from before a fork with INHERIT_SHARE made the memory shared
    below_base: int = 0


class Space:
    """One address space."""

    __slots__ = ("fog", "map", "members", "parents", "words", "written")

    def __init__(self) -> None:
        self.map: IntervalMap[Mapping] = IntervalMap()
        self.written = Layers()
        self.members: set[int] = set()  # LWPs here now
        self.words: set[int] = set()  # words of all LWPs that have ever been here
        self.fog: dict[int, int] = {}  # word -> memory born before this number may hold other values of it
        self.parents: list[tuple[int, int]] = []  # (operation, word): checks that hold if `word` is never in `words`

    def enter(self, lwp: int, word: int) -> None:
        """Let an LWP in."""
        self.members.add(lwp)
        self.words.add(word)


class Files:
    """What the files of a plan hold at the start."""

    def __init__(self, files: list[FilePlan]) -> None:
        self.pages = [f.pages for f in files]
        self.data = [_content(f.path) for f in files]

    def word(self, file: int, key: int, word: int) -> int:
        """Return a word of the file page with this key."""
        page = key - file_key(file)
        if not 0 <= page < self.pages[file]:
            return 0
        data = self.data[file]
        if data is None:
            return file_word(file, page, word)
        place = page * 4096 + word * 8
        return int.from_bytes(data[place : place + 8], "little", signed=place + 8 <= len(data))


def _content(path: str) -> bytes | mmap.mmap | None:
    """Return the bytes of a real file, None if there is no such file."""
    if not path or not Path(path).is_file():
        return None
    with open(path, "rb") as f:
        return mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) if Path(path).stat().st_size else b""


def file_key(file: int) -> int:
    """Return the key of the first page of a file."""
    return _FILE_KEYS + (file << _BORN_SHIFT)


class Memory:
    """All spaces' address-space operations; the words themselves are the oracle's business."""

    def __init__(self) -> None:
        self.born = 0
        self.shared: dict[int, int] = {}  # words of shared mappings and files

    def map(self, space: Space, start: int, end: int, prot: int, flags: int, file: int, file_page: int) -> None:
        """Map fresh memory at [start, end)."""
        kind = SHARED if flags & op.MAP_SHARED else PRIVATE
        base, file_base = self._fresh(), file_key(file) + file_page - start
        if kind == SHARED and file >= 0:
            base = file_base  # the file is the memory: every mapper finds the same words
        inherit = op.INHERIT_SHARE if kind == SHARED else op.INHERIT_COPY
        floor = end - STACK_PAGES if flags & op.MAP_STACK else NO_GROWTH
        space.map.assign(start, end, Mapping(kind, self.born, base, prot, inherit, file, file_base, floor))

    def grow(self, space: Space, page: int) -> tuple[Mapping | None, int]:
        """Let a stack above grow to a page that is not mapped; return what is new and the end of what was looked at.

        What is added is fresh memory, also where the stack had been before.
        """
        i = space.map.index_above(page)
        if i < 0 or page < space.map.values[i].floor:
            return None, page + 1
        lowest = space.map.starts[i]
        added = replace(space.map.values[i], kind=PRIVATE, base=self._fresh(), born=self.born, below=None)
        space.map.assign(page, lowest, added)
        return added, lowest + 1

    def protect(self, space: Space, start: int, end: int, prot: int) -> None:
        """Set the protection of all mappings in [start, end)."""
        for s, e, mapping in space.map.cut(start, end):
            space.map.assign(s, e, replace(mapping, prot=prot))

    def inherit(self, space: Space, start: int, end: int, inherit: int) -> None:
        """Set the inheritance of all mappings in [start, end).

        A copying fork tears a shared mapping loose from its other mappers at a moment that races with the touches of
        other LWPs; the mapping is OPAQUE from here on, because touches are ordered against this operation.
        """
        for s, e, mapping in space.map.cut(start, end):
            torn = inherit == op.INHERIT_COPY and mapping.kind == SHARED
            kind = OPAQUE if torn else mapping.kind
            space.map.assign(s, e, replace(mapping, inherit=inherit, kind=kind))

    def move(self, space: Space, start: int, end: int, new: int, new_end: int) -> None:
        """Move or resize [start, end) to [new, new_end); what is added is fresh."""
        pieces = space.map.cut(start, end)
        space.map.cut(new, new_end)
        shift = new - start
        for s, e, mapping in pieces:
            moved = _shifted(mapping, shift)
            space.map.assign(s + shift, min(e + shift, new_end), moved)
        if pieces and new_end > new + end - start:
            last = _shifted(pieces[-1][2], shift)
            file_shared = last.kind != PRIVATE and last.file >= 0 and last.below is None
            base = last.base if file_shared else self._fresh()
            added = replace(last, base=base, born=self.born, below=None)
            space.map.assign(new + end - start, new_end, added)

    def fork(self, parent: Space) -> Space:
        """Return a copy of the space, each mapping treated by its inheritance."""
        child = Space()
        frozen = parent.written.freeze()
        for i, (start, end) in enumerate(zip(parent.map.starts, parent.map.ends, strict=True)):
            mapping = parent.map.values[i]
            if mapping.inherit == op.INHERIT_NONE:
                continue
            if mapping.inherit == op.INHERIT_SHARE and mapping.kind == PRIVATE:
                mapping = self._share(mapping, frozen)
            parent.map.values[i] = mapping
            child.map.append(start, end, mapping)
        child.written = Layers(frozen.under)
        child.fog = dict(parent.fog)
        return child

    def _share(self, mapping: Mapping, frozen: Layers) -> Mapping:
        """Return the mapping as the shared one that it becomes."""
        return replace(mapping, kind=SHARED, base=self._fresh(), below=frozen, below_base=mapping.base)

    def _fresh(self) -> int:
        self.born += 1
        return self.born << _BORN_SHIFT


def _shifted(mapping: Mapping, shift: int) -> Mapping:
    """Return the mapping for use `shift` pages higher."""
    floor = mapping.floor if mapping.floor == NO_GROWTH else mapping.floor + shift
    return replace(
        mapping, base=mapping.base - shift, file_base=mapping.file_base - shift, below_base=mapping.below_base - shift,
        floor=floor,
    )  # fmt: skip
