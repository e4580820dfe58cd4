"""Which layers a map entry's pages may be in, front first: the one thing that a checker has to know of a protocol.

Every protocol gives the same four answers as arrays: which *links* there are, to which object each leads, how many
pages a step over it adds to the index, and which link comes next.  Under `backing` a link is a heap ba, under `chained`
it is an object that has a backing object.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from vmconc.checks.quiescent_state import BAD, NULL, Ints, State
from vmconc.protocols import load_protocol

PINDEX_BITS = 40


class Links(NamedTuple):
    """The steps from layer to layer; places as in `Records`, NULL at the end of a list."""

    table: str  # what a link is a record of
    first: Ints  # of each map entry
    target: Ints  # of each link: the object it leads to
    added: Ints  # of each link: pages added to the index by the step
    following: Ints  # of each link


def backing_links(state: State) -> Links:
    """Link by heap bas, from the head embedded in the entry."""
    bas, entries, objects = state["Backing"], state["VmMapEntry"], state["VmObject"]
    first = bas.place(entries["ba.backing_ba"])
    return Links("Backing", first, objects.place(bas["object"]), bas["offset"], bas.place(bas["backing_ba"]))


def chained_links(state: State) -> Links:
    """Link by the objects that have a backing object."""
    entries, objects = state["VmMapEntry"], state["VmObject"]
    target = objects.place(objects["backing_object"])
    own = np.where(target == NULL, NULL, np.arange(objects.count))  # the link that an object is, if it is one
    first, following = objects.place(entries["ba.object"]), target.copy()
    first[first >= 0] = own[first[first >= 0]]
    following[following >= 0] = own[following[following >= 0]]
    return Links("VmObject", first, target, objects["backing_offset"], following)


LINKED_BY: dict[str, Callable[[State], Links]] = {"backing_ba": backing_links, "backing_object": chained_links}


class Layers:
    """The layers of every entry."""

    def __init__(self, state: State):
        self.state = state
        self.links = LINKED_BY[load_protocol(state.protocol).LINKED_BY](state)
        entries = state["VmMapEntry"]
        self.head: Ints = state["VmObject"].place(entries["ba.object"])
        self.endless = in_rings(self.links.following)

    def of(self, entry: int) -> Iterator[tuple[int, int]]:
        """Iterate over the layers of one entry: (object, index in it of the entry's first page)."""
        index = int(self.state["VmMapEntry"]["ba.offset"][entry])
        yield int(self.head[entry]), index
        link, steps = int(self.links.first[entry]), 0
        while link >= 0 and steps <= len(self.links.target):
            index += int(self.links.added[link])
            yield int(self.links.target[link]), index
            link, steps = int(self.links.following[link]), steps + 1

    def walk(self, entries: Ints) -> "Walk":
        """Return a walk down the layers of many entries at once."""
        return Walk(self, entries)

    def resolve(self, entries: Ints, pages: Ints) -> tuple[Ints, Ints]:
        """Return, for page number `pages` of each of `entries`, the resident page found and its depth; BAD if none."""
        keys, resident = self.resident
        found, depths = np.full(len(entries), BAD), np.zeros(len(entries), np.int64)
        walk, depth = self.walk(entries), 0
        while len(walk.which) and len(keys):
            wanted = walk.target << PINDEX_BITS | walk.index + pages[walk.which]
            at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            hit = keys[at] == wanted
            found[walk.which[hit]] = resident[at[hit]]
            depths[walk.which[hit]] = depth
            walk.down(~hit)
            depth += 1
        return found, depths

    @cached_property
    def resident(self) -> tuple[Ints, Ints]:
        """Return the sorted keys (object, index) of all resident pages, and the pages in the same order."""
        records = self.state["VmPage"]
        pages = np.flatnonzero(records["object"])
        keys = self.state["VmObject"].place(records["object"][pages]) << PINDEX_BITS | records["pindex"][pages]
        order = np.argsort(keys, kind="stable")
        return keys[order], pages[order]


class Walk:
    """Where walks down the layers of some entries stand: entry `which` in layer `target`, its first page at `index`."""

    def __init__(self, layers: Layers, entries: Ints):
        self.links, self.endless = layers.links, layers.endless
        self.which = np.arange(len(entries))
        self.target, self.link = layers.head[entries], self.links.first[entries]
        self.index = layers.state["VmMapEntry"]["ba.offset"][entries]

    def down(self, wanted: "np.ndarray[Any, np.dtype[np.bool_]] | None" = None) -> None:
        """Step down one layer; those not `wanted`, at the bottom or on a ring end here."""
        on = self.link >= 0
        on[on] = ~self.endless[self.link[on]]
        if wanted is not None:
            on &= wanted
        self.which, link = self.which[on], self.link[on]
        self.index = self.index[on] + self.links.added[link]
        self.target, self.link = self.links.target[link], self.links.following[link]


def in_rings(following: Ints) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Tell which links lead into a ring: those that still lead somewhere after more steps than there are links."""
    following = following.copy()
    for _ in range(max(len(following), 1).bit_length()):
        on = following >= 0
        following[on] = following[following[on]]
    return following >= 0
