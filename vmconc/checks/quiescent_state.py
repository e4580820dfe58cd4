"""Shared state as columns of numbers: tables, the trees and lists in them, read once while nothing runs.

Records are named by their place in the table.  A reference becomes a place: NULL for the null reference, BAD for
a byte offset at which no record of that table stands.
"""

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vmconc.memory.struct import STRUCTS
from vmconc.vm.structs import PAGE_TABLE_SLOTS, RADIX_SLOTS

Ints = NDArray[np.int64]
NULL, BAD = -1, -2
PTE_FLAGS = 4095
TREE_LEVELS, TABLE_LEVELS = 11, 4  # more levels than that no 64-bit index has


def exclusive(counts: Ints) -> Ints:
    """Return how many elements stand before each of some runs of these lengths."""
    return np.cumsum(counts) - counts


class Records:
    """One table of the segment."""

    def __init__(self, segment: Any, name: str):
        table = segment.table(name)
        counted = "life" in STRUCTS[name].fields  # of such a table only the records ever handed out are looked at
        self.name, self.first, self.stride = name, table.first, table.stride
        self.count = min(table.fresh, table.capacity) if counted else table.capacity
        self.view: Any = segment.view(name)[: self.count]
        self.columns: dict[str, Ints] = {}

    def __getitem__(self, path: str) -> Ints:
        """Return a field of every record; dots lead into embedded records."""
        if path not in self.columns:
            column = self.view
            for part in path.split("."):
                column = column[part]
            self.columns[path] = np.ascontiguousarray(column)
        return self.columns[path]

    @cached_property
    def live(self) -> NDArray[np.bool_]:
        """Tell which records are allocated."""
        return (self["life"] & 1).astype(bool)

    @cached_property
    def alive(self) -> Ints:
        """List the allocated records."""
        return np.flatnonzero(self.live)

    def place(self, offsets: Ints) -> Ints:
        """Turn references into places."""
        number, rest = np.divmod(offsets - self.first, self.stride)
        known = (rest == 0) & (number >= 0) & (number < self.count)
        return np.where(offsets == 0, NULL, np.where(known, number, BAD)).astype(np.int64)

    def offset(self, place: int) -> int:
        """Return the byte offset of a record."""
        return int(self.first + place * self.stride)


class Tree(NamedTuple):
    """What a forest holds: for each leaf word its owner, key and value; and every node, with how it was reached."""

    owner: Ints
    key: Ints
    word: Ints
    nodes: Ints  # place of each node reached, once for each way
    node_owner: Ints
    parent: Ints  # place of the node above, NULL for a root
    slot: Ints  # its slot there


def walk_forest(nodes: Records, field: str, slots: int, owner: Ints, roots: Ints, height: Ints) -> Tree:
    """Walk trees of `nodes` from their roots; `height` counts levels.  Words that name no live node lead nowhere."""
    bits, zeros = slots.bit_length() - 1, np.zeros_like(owner)
    frontier = [owner, nodes.place(roots), height - 1, zeros, zeros + NULL, zeros]
    leaves: list[tuple[Ints, ...]] = []
    reached: list[tuple[Ints, ...]] = []
    while len(frontier[0]):
        known = frontier[1] >= 0
        known[known] = nodes.live[frontier[1][known]]
        who, node, level, prefix, above, place = (column[known] for column in frontier)
        reached.append((node, who, above, place))
        content = nodes.view[field][node]
        row, slot = np.nonzero(content)
        word, key = content[row, slot], prefix[row] << bits | slot
        leaf = level[row] == 0
        leaves.append((who[row][leaf], key[leaf], word[leaf]))
        down = row[~leaf]
        frontier = [who[down], nodes.place(word[~leaf]), level[down] - 1, key[~leaf], node[down], slot[~leaf]]
    return Tree(*joined(leaves, 3), *joined(reached, 4))


def joined(rows: list[tuple[Ints, ...]], count: int) -> list[Ints]:
    """Join tuples of `count` columns column by column."""
    return [np.concatenate([np.zeros(0, np.int64), *(row[i] for row in rows)]) for i in range(count)]


class Chained(NamedTuple):
    """What linked lists hold: which list, which record, in order along each list."""

    owner: Ints
    record: Ints


def walk_lists(table: Records, field: str, owner: Ints, heads: Ints) -> Chained:
    """Follow `field` from each head.  A list longer than the table ends there: it is a ring."""
    owners, found, steps = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
    place = table.place(heads)
    while len(place) and steps <= table.count:
        known = place >= 0
        owner, place = owner[known], place[known]
        owners.append(owner)
        found.append(place)
        place = table.place(table[field][place])
        steps += 1
    return Chained(np.concatenate(owners), np.concatenate(found))


class State:
    """Everything the checks look at."""

    def __init__(self, segment: Any, protocol: str):
        self.segment, self.protocol = segment, protocol
        self.machine = segment.machine
        self.tables: dict[str, Records] = {}

    def __getitem__(self, name: str) -> Records:
        """Return a table."""
        if name not in self.tables:
            self.tables[name] = Records(self.segment, name)
        return self.tables[name]

    @cached_property
    def placed(self) -> tuple[Ints, Ints]:
        """Return (space, entry) of every place of every map's index, in the order of the maps and of their indexes."""
        spaces, index = self["Vmspace"], self["MapIndex"]
        alive = spaces.alive
        counts = np.clip(spaces["map.nentries"][alive], 0, self.machine.map_entries)
        first = (spaces["map.index"][alive] - index.first) // 8
        space = np.repeat(alive, counts)
        places = np.repeat(first - exclusive(counts), counts) + np.arange(len(space))
        inside = (places >= 0) & (places < index.count)
        return space[inside], self["VmMapEntry"].place(index.view["entry"][places[inside]])

    @cached_property
    def entries(self) -> Ints:
        """List the allocated entries that stand in a map, in the order of the maps and of their indexes."""
        entry = self.placed[1]
        return entry[self.entry_known]

    @cached_property
    def entry_known(self) -> NDArray[np.bool_]:
        """Tell which places of the indexes name an allocated entry."""
        entry = self.placed[1]
        known = entry >= 0
        known[known] = self["VmMapEntry"].live[entry[known]]
        return known

    @cached_property
    def entry_space(self) -> Ints:
        """Return the space of each of `entries`."""
        return self.placed[0][self.entry_known]

    @cached_property
    def trees(self) -> Tree:
        """Return what the page trees of all live objects hold: owner is the object, key the index, word the page."""
        objects = self["VmObject"]
        alive = objects.alive
        height = objects["pages.height"][alive]
        sane = (height > 0) & (height <= TREE_LEVELS)
        owner = alive[sane]
        return walk_forest(self["RadixNode"], "slot", RADIX_SLOTS, owner, objects["pages.root"][owner], height[sane])

    @cached_property
    def translations(self) -> Tree:
        """Return what all page tables hold: owner is the space, key the page number, word the translation."""
        spaces = self["Vmspace"]
        owner = spaces.alive
        height = np.full_like(owner, TABLE_LEVELS)
        return walk_forest(self["PageTable"], "pte", PAGE_TABLE_SLOTS, owner, spaces["pmap.root"][owner], height)

    @cached_property
    def translated(self) -> Ints:
        """Return the page that each translation maps, BAD for a frame outside of the pool."""
        frame, rest = np.divmod((self.translations.word & ~PTE_FLAGS) - self.machine.pool, PTE_FLAGS + 1)
        return np.where((rest == 0) & (frame >= 0) & (frame < self.machine.frames), frame, BAD)

    @cached_property
    def mappings(self) -> Chained:
        """Return the pv lists of all pages: owner is the page, record the pv entry."""
        pages = self["VmPage"]
        mapped = np.flatnonzero(pages["pv"])
        return walk_lists(self["PvEntry"], "following", mapped, pages["pv"][mapped])
