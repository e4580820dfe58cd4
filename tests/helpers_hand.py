"""A hand that picks records of a machine at rest, to break them."""

import numpy as np

from vmconc.checks.layers import Layers
from vmconc.checks.quiescent_maps import entry_of
from vmconc.checks.quiescent_state import State
from vmconc.vm.structs import PQ_FREE


class Hand:
    """Picks records of a machine and breaks them."""

    def __init__(self, machine):
        self.machine, self.segment = machine, machine.segment
        self.state = State(machine.segment, machine.protocol)
        self.layers = Layers(self.state)

    def view(self, name):
        """Return a table over the live memory."""
        return self.segment.view(name)

    def off(self, name, place):
        """Return the byte offset of a record."""
        return self.state[name].offset(int(place))

    def alive(self, name, number=0):
        """Return an allocated record."""
        return int(self.state[name].alive[number])

    def anonymous(self):
        """Return a live object without a file that has resident pages."""
        objects = self.state["VmObject"]
        return next(i for i in objects.alive.tolist() if not objects["vnode"][i] and objects["resident_page_count"][i])

    def page(self):
        """Return a mapped page of such an object."""
        pages = self.state["VmPage"]
        return int(np.flatnonzero((pages["object"] == self.off("VmObject", self.anonymous())) & (pages["pv"] != 0))[0])

    def free_page(self):
        """Return a free page."""
        return int(np.flatnonzero(self.state["VmPage"]["queue"] == PQ_FREE)[5])

    def link(self):
        """Return (table, field of the next layer, record) of a layer that lies above another."""
        links = self.layers.links
        field = "backing_ba" if links.table == "Backing" else "backing_object"
        deep = self.state[links.table].alive[links.following[self.state[links.table].alive] >= 0]
        return links.table, field, int(deep[0])

    def translation(self, wanted):
        """Return (page table, slot) of the first translation for which `wanted(its entry, depth, word)` is true."""
        found, entry = self.state.translations, entry_of(self.state)
        start = self.state["VmMapEntry"]["start"][entry] >> 12
        _, depth = self.layers.resolve(entry, found.key - start)
        i = next(i for i in range(len(entry)) if wanted(int(entry[i]), int(depth[i]), int(found.word[i])))
        for node in self.state["PageTable"].alive.tolist():
            slot = int(found.key[i]) & 511
            if self.view("PageTable")["pte"][node, slot] == found.word[i] and self.space_of(node) == found.owner[i]:
                return node, slot
        raise AssertionError("no such translation")

    def space_of(self, node):
        """Return the space to which a page of a page table belongs."""
        found = self.state.translations
        return int(found.node_owner[np.flatnonzero(found.nodes == node)[0]])

    def entry(self, wanted=lambda entry: True):
        """Return the first entry for which `wanted` is true."""
        return next(e for e in self.state.entries.tolist() if wanted(self.view("VmMapEntry")[e]))
