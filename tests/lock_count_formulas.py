"""What one fault costs in explicit lock acquisitions, from the tables of the specification (dragonfly.md 3.8).

Two independent ways: `cost` walks the protocol of one fault over a list of layers and counts; `TABLE` holds the closed
formulas of each case.  Nothing here knows of the emulator.
"""

from collections import Counter


class Fault:
    """One fault on layers 0..d, front first: 'D' default, 'V' vnode.  `page`: the layer that has the page."""

    def __init__(self, protocol, layers, page, write, heuristic=False, needs_copy=False, paged_out=False):
        self.chained = protocol == "chained"
        self.layers, self.bottom = layers, len(layers) - 1
        self.resident = set() if page is None or paged_out else {page}
        self.on_disk = {page} if paged_out else set()
        self.write, self.needs_copy = write, needs_copy
        self.heuristic = heuristic and not self.chained
        self.first_shared = self.shared = True
        self.counts = Counter()

    def cost(self):
        """Count attempts until one ends in a mapped page."""
        while not self.attempt():
            assert self.counts["attempts"] < 10
        return self.counts

    def token(self, shared):
        self.counts["tok_S" if shared else "tok_X"] += 1

    def chain(self, layer):
        if self.chained and self.layers[layer] == "D":
            self.counts["chain_S" if self.shared else "chain_X"] += 1

    def prologue(self):
        """Look the map up, lock the first object, the file and the first chain element."""
        count = self.counts
        count["attempts"] += 1
        count["map_S"] += 1
        if self.needs_copy and self.write:
            count["map_upgrade"] += 1
            count["map_downgrade"] += 1
            self.needs_copy = False
        if self.heuristic:
            self.first_shared = False
        self.token(self.first_shared)
        walked = self.bottom if self.chained else min(1, self.bottom)  # tokens to find the file at the bottom
        count["tok_S"] += walked
        count["tok_vnwalk"] += walked
        count["vnode_S"] += self.layers[-1] == "V"
        self.chain(0)
        count["pip"] += 1

    def attempt(self):
        """Return whether this attempt maps the page."""
        self.prologue()
        self.map_held, junk = True, False
        for layer in range(self.bottom + 1):
            if layer:
                self.token(self.shared)
                self.chain(layer)
                self.counts["pip"] += 1
            if layer in self.resident:
                self.counts["busy"] += 1
                self.heuristic = False
                return self.finish(layer, junk)
            if layer == 0 or self.layers[layer] == "V":
                result = self.make_page(layer, junk)
                if result is not None:
                    return result
                junk = junk or layer == 0
        self.counts["zfill"] += 1
        self.resident.add(0)
        return self.finish(0, False)

    def make_page(self, layer, junk):
        """Allocate a page and ask the pager.  None: go on below."""
        self.heuristic = not self.chained
        if layer == 0 and self.first_shared:
            self.first_shared = False
            return False
        if layer and self.shared:
            self.first_shared = self.shared = False
            self.counts["page_free"] += junk
            return False
        self.counts["page_alloc"] += 1
        self.counts["busy"] += 1
        if self.layers[layer] != "V":
            return None
        if self.chained and self.map_held:
            self.map_held = False
            self.counts["map_unlock_for_io"] += 1
        self.counts["getpage"] += 1
        if layer not in self.on_disk:
            self.counts["page_free"] += layer > 0
            return None
        self.counts["io"] += 1
        self.resident.add(layer)
        if self.chained:
            return self.finish(layer, junk)
        self.counts["page_free"] += junk
        return False

    def finish(self, layer, junk):
        """Copy or map what was found."""
        if layer and self.write:
            self.counts["copy"] += 1
            junk = False
        self.counts["map_relock_timed"] += not self.map_held
        self.counts["page_free"] += junk
        self.counts["pmap_enter"] += 1
        return True


def cost(protocol, layers, page, write, **flags):
    """Return the counts of one fault, without zeros."""
    return +Fault(protocol, layers, page, write, **flags).cost()


# Closed formulas by case, functions of the depth d: (layers, page, paged_out); then for BEFORE, AFTER and AFTER with
# the heuristic set: map locks shared, tokens (shared + exclusive), chain locks, vnode locks, timed relocks.
TABLE = {
    "a hit in L0": (
        lambda d: ("D" * (d + 1), 0, False), lambda d: (1, 1 + d, 1, 0, 0),
        lambda d: (1, 1 + min(1, d), 0, 0, 0), lambda d: (1, 1 + min(1, d), 0, 0, 0),
    ),
    "a' hit in a file": (
        lambda d: ("V", 0, False), lambda d: (1, 1, 0, 1, 0), lambda d: (1, 1, 0, 1, 0), lambda d: (1, 1, 0, 1, 0),
    ),
    "b zero-fill": (
        lambda d: ("D" * (d + 1), None, False), lambda d: (2, 2 + 3 * d, 2 + d, 0, 0),
        lambda d: (2, 2 if d == 0 else 4 + d, 0, 0, 0), lambda d: (1, 1 if d == 0 else 2 + d, 0, 0, 0),
    ),
    "c page of Ld": (
        lambda d: ("D" * (d + 1), d, False) if d else None, lambda d: (2, 2 + 3 * d, 2 + d, 0, 0),
        lambda d: (2, 4 + d, 0, 0, 0), lambda d: (1, 2 + d, 0, 0, 0),
    ),
    "d page-in": (
        lambda d: ("V", 0, True), lambda d: (2, 2, 0, 2, 1), lambda d: (3, 3, 0, 3, 0), lambda d: (2, 2, 0, 2, 0),
    ),
    "d' page-in below": (
        lambda d: ("D" * d + "V", d, True) if d else None, lambda d: (3, 3 + 5 * d, 1 + 2 * d, 3, 1),
        lambda d: (4, 8 + 3 * d, 0, 4, 0), lambda d: (3, 6 + 3 * d, 0, 3, 0),
    ),
}  # fmt: skip


def brief(counts):
    """Reduce counts to what the closed formulas speak of."""
    tokens, chains = counts["tok_S"] + counts["tok_X"], counts["chain_S"] + counts["chain_X"]
    return counts["map_S"], tokens, chains, counts["vnode_S"], counts["map_relock_timed"]
