"""One way of breaking the shared state by hand for each check at quiescence, and the rule that it breaks."""

import numpy as np
from helpers_hand import Hand

from vmconc.vm.structs import (
    ENTRY_IN_TRANSITION,
    ENTRY_NEEDS_COPY,
    OBJ_DEAD,
    OBJ_ONEMAPPING,
    PG_MAPPED,
    PG_WRITEABLE,
    PQ_ACTIVE,
    PTE_VALID,
    PTE_WRITE,
)

PAGE = 4096


def one_more(name, field, pick=Hand.alive):
    """Return a breaker that adds one to a field of a record."""

    def breaker(hand):
        place = pick(hand, name) if pick is Hand.alive else pick(hand)
        column = hand.view(name)
        for part in field.split("."):
            column = column[part]
        column[place] += 1

    return breaker


def nobody_has(name, field):
    """Return a breaker that leaves an allocated record without references."""

    def breaker(hand):
        hand.view(name)[field][hand.alive(name)] = 0

    return breaker


def layer_without_object(hand):
    table, _, place = hand.link()
    hand.view(table)[place]["object" if table == "Backing" else "backing_object"] = 12345


def ring(hand):
    table, field, place = hand.link()
    hand.view(table)[place][field] = hand.off(table, place)


def dead_object(hand):
    hand.view("VmObject")["flags"][hand.anonymous()] |= OBJ_DEAD


def page_of_another_index(hand):
    hand.view("VmPage")["pindex"][hand.page()] += 1


def page_in_no_tree(hand):
    page = hand.free_page()
    hand.view("VmPage")["object"][page] = hand.off("VmObject", hand.anonymous())


def lost_leaf(hand):
    node = hand.state.trees.nodes[0]
    slot = np.flatnonzero(hand.view("RadixNode")["slot"][node])[0]
    hand.view("RadixNode")[node]["slot"][slot] = 0


def mapped_free_page(hand):
    hand.view("VmPage")["flags"][hand.free_page()] |= PG_MAPPED


def one_mapping(hand):
    """Two spaces share the head of an entry after a fork."""
    heads = hand.layers.head[hand.state.entries]
    heads = heads[heads >= 0]
    vnode = hand.state["VmObject"]["vnode"][heads] != 0
    shared = [head for head in heads[~vnode].tolist() if (heads == head).sum() > 1]
    hand.view("VmObject")["flags"][shared] |= OBJ_ONEMAPPING


def writable_needs_copy(hand):
    entries = hand.view("VmMapEntry")
    node, slot = hand.translation(lambda entry, depth, word: entries[entry]["eflags"] & ENTRY_NEEDS_COPY != 0)
    hand.view("PageTable")[node]["pte"][slot] |= PTE_WRITE


def writable_deep_page(hand):
    node, slot = hand.translation(lambda entry, depth, word: depth > 0)
    hand.view("PageTable")[node]["pte"][slot] |= PTE_WRITE


def another_page_mapped(hand):
    node, slot = hand.translation(lambda entry, depth, word: depth == 0)
    pte = hand.view("PageTable")[node]["pte"]
    pte[slot] = pte[slot] & 4095 | hand.view("VmPage")["frame"][hand.free_page()]


def writable_beyond_protection(hand):
    entries = hand.view("VmMapEntry")
    node, slot = hand.translation(lambda entry, depth, word: depth == 0 and word & PTE_WRITE)
    hand.view("PageTable")[node]["pte"][slot] &= ~PTE_WRITE
    entries["protection"][:] = 0


def invalid_translation(hand):
    node, slot = hand.translation(lambda entry, depth, word: True)
    hand.view("PageTable")[node]["pte"][slot] &= ~PTE_VALID


def unmapped_entry(hand):
    """The map forgets an entry, whose translations stay."""
    spaces, index = hand.view("Vmspace"), hand.view("MapIndex")
    space = hand.alive("Vmspace")
    first = (spaces[space]["map"]["index"] - hand.state["MapIndex"].first) // 8
    count = spaces[space]["map"]["nentries"]
    index["entry"][first : first + count - 1] = index["entry"][first + 1 : first + count].copy()
    spaces["map"]["nentries"][space] -= 1


def overlapping_entries(hand):
    space, entries = hand.state.entry_space, hand.state.entries
    i = int(np.flatnonzero(space[1:] == space[:-1])[0])
    hand.view("VmMapEntry")["end"][entries[i]] = hand.view("VmMapEntry")["start"][entries[i + 1]] + PAGE


def unaligned_entry(hand):
    hand.view("VmMapEntry")["start"][hand.entry()] += 8


def beyond_object(hand):
    hand.view("VmObject")["size"][hand.anonymous()] = 0


def moving_entry(hand):
    hand.view("VmMapEntry")["eflags"][hand.entry()] |= ENTRY_IN_TRANSITION


def pv_elsewhere(hand):
    hand.view("PvEntry")["va"][hand.alive("PvEntry")] += 512 * PAGE


def lost_pv(hand):
    page = hand.page()
    hand.view("VmPage")["pv"][page] = 0


def lost_translation(hand):
    node, slot = hand.translation(lambda entry, depth, word: True)
    hand.view("PageTable")[node]["pte"][slot] = 0


def flag_gone(flag):
    def breaker(hand):
        node, slot = hand.translation(lambda entry, depth, word: word & PTE_WRITE)
        frame = hand.view("PageTable")[node]["pte"][slot] & ~4095
        hand.view("VmPage")["flags"][(frame - hand.segment.machine.pool) // PAGE] &= ~flag

    return breaker


def wrong_queue(hand):
    hand.view("VmPage")["queue"][hand.free_page()] = PQ_ACTIVE


def queue_ring(hand):
    page = hand.free_page()
    hand.view("VmPage")["queue_next"][page] = hand.off("VmPage", page)


def cut_queue(hand):
    hand.view("VmPage")["queue_next"][hand.free_page()] = 0


def sleeper(hand):
    hand.view("SleepQueue")["head"][3] = hand.off("Cpu", 0)


def placemarker(hand):
    hand.view("Vmspace")["pmap"]["placemarker"][hand.alive("Vmspace"), 7] = 1


def lock_word(name, *path):
    def breaker(hand):
        column = hand.view(name)
        for part in path:
            column = column[part]
        column[hand.alive(name) if "life" in hand.view(name).dtype.names else 0] |= 1

    return breaker


BREAKERS = {
    "a reference too many": ("ref-count", one_more("VmObject", "ref_count")),
    "a layer without object": ("layer-object", layer_without_object),
    "a ring of layers": ("acyclic", ring),
    "an object that nobody has": ("leak", nobody_has("VmObject", "ref_count")),
    "a space that nobody is in": ("leak", nobody_has("Vmspace", "refs")),
    "pip left": ("pip", one_more("VmObject", "pip.word")),
    "hold left": ("hold-count", one_more("VmObject", "hold_count")),
    "a dead object": ("dead-object", dead_object),
    "a page that says another index": ("page-identity", page_of_another_index),
    "a page in no tree": ("page-identity", page_in_no_tree),
    "a leaf lost": ("page-identity", lost_leaf),
    "resident count": ("resident-count", one_more("VmObject", "resident_page_count")),
    "node count": ("radix-tree", one_more("RadixNode", "used", lambda hand: hand.state.trees.nodes[0])),
    "free page mapped": ("free-page", mapped_free_page),
    "free page wired": ("free-page", one_more("VmPage", "wire_count", Hand.free_page)),
    "page busy": ("page-busy", one_more("VmPage", "busy.word", Hand.page)),
    "page owner left": ("page-busy", one_more("VmPage", "busy.owner", Hand.page)),
    "one mapping": ("one-mapping", one_mapping),
    "writable needs-copy": ("needs-copy", writable_needs_copy),
    "writable deep page": ("deep-writable", writable_deep_page),
    "another page mapped": ("translation", another_page_mapped),
    "more rights than the entry": ("translation", writable_beyond_protection),
    "invalid translation": ("translation", invalid_translation),
    "entry forgotten": ("entry-order", unmapped_entry),
    "translation without entry": ("translation", unmapped_entry),
    "entries overlap": ("entry-order", overlapping_entries),
    "entry unaligned": ("entry-order", unaligned_entry),
    "entry beyond object": ("entry-size", beyond_object),
    "entry in transition": ("transition", moving_entry),
    "pv elsewhere": ("pv-list", pv_elsewhere),
    "pv lost": ("pv-list", lost_pv),
    "pv count": ("pv-list", one_more("VmPage", "pv_count", Hand.page)),
    "translation lost": ("pv-list", lost_translation),
    "resident translations": ("page-table", one_more("Vmspace", "pmap.resident")),
    "mapped flag gone": ("page-flags", flag_gone(PG_MAPPED)),
    "writeable flag gone": ("page-flags", flag_gone(PG_WRITEABLE)),
    "wired once too often": ("wire-count", one_more("VmPage", "wire_count", Hand.page)),
    "page on another queue": ("page-queue", wrong_queue),
    "queue with a ring": ("page-queue", queue_ring),
    "queue cut": ("page-queue", cut_queue),
    "queue count": ("page-queue", one_more("PageQueue", "count", lambda hand: 70)),
    "space refs": ("space-refs", one_more("Vmspace", "refs")),
    "sleeper": ("sleeper", sleeper),
    "lock held": ("sleeper", one_more("Cpu", "held_count", lambda hand: 0)),
    "token held": ("sleeper", one_more("Cpu", "token_count", lambda hand: 1)),
    "not done": ("sleeper", one_more("Cpu", "state", lambda hand: 1)),
    "map lock": ("lock-free", lock_word("Vmspace", "map", "lock", "word")),
    "map token": ("lock-free", lock_word("Vmspace", "map", "token", "word")),
    "object token": ("lock-free", lock_word("VmObject", "token", "word")),
    "chain lock": ("lock-free", lock_word("VmObject", "chain", "word")),
    "vnode lock": ("lock-free", lock_word("Vnode", "lock", "word")),
    "page spinlock": ("lock-free", lock_word("VmPage", "spin", "owner")),
    "queue spinlock": ("lock-free", lock_word("PageQueue", "spin", "owner")),
    "pmap spinlock": ("lock-free", lock_word("Vmspace", "pmap", "spin", "owner")),
    "page-table spinlock": ("lock-free", lock_word("PageTable", "spin", "owner")),
    "translation slot": ("lock-free", placemarker),
    "request in flight": ("lock-free", lock_word("DiskQueue", "inflight")),
}

BACKING_BREAKERS = {
    "ba refs": ("ba-refs", one_more("Backing", "refs")),
    "ba freed": ("ba-reachable", one_more("Backing", "life")),
    "head refs": ("head-refs", one_more("VmMapEntry", "ba.refs", Hand.entry)),
    "layer changed": ("frozen-layer", one_more("Backing", "offset")),
}
