"""What is checked at quiescence: silent on what programs leave; each check catches a state broken in its way."""

import time

import numpy as np
import pytest
from helpers_machine import Machine

from vmconc.checks.layers import Layers
from vmconc.checks.quiescent import check_quiescent
from vmconc.checks.quiescent_report import KEPT, RULES
from vmconc.checks.quiescent_state import State
from vmconc.program import PlanBuilder
from vmconc.protocols import protocol_names
from vmconc.vm import opcodes as op
from vmconc.vm.structs import (
    ENTRY_IN_TRANSITION,
    ENTRY_NEEDS_COPY,
    OBJ_DEAD,
    OBJ_ONEMAPPING,
    PG_MAPPED,
    PG_WRITEABLE,
    PQ_ACTIVE,
    PQ_FREE,
    PTE_VALID,
    PTE_WRITE,
)

pytestmark = pytest.mark.timeout(600)  # the first test may have to compile every kernel

RW, PAGE, BASE = op.PROT_READ | op.PROT_WRITE, 4096, 1 << 30


def living_plan():
    """Return a plan that leaves three spaces with layers, holes, files, shared and wired memory behind."""
    build = PlanBuilder("living")
    file = build.file("file", 8)
    parent = build.spawn()
    build.mmap(parent, BASE, 16 * PAGE, RW, 0)
    build.mmap(parent, BASE + 64 * PAGE, 8 * PAGE, RW, 0, file)
    build.mmap(parent, BASE + 96 * PAGE, 4 * PAGE, RW, op.MAP_SHARED, file, 4 * PAGE)
    build.mmap(parent, BASE + 128 * PAGE, 4 * PAGE, RW, op.MAP_SHARED)
    build.mmap(parent, BASE + 192 * PAGE, 4 * PAGE, RW, 0)
    build.mlock(parent, BASE + 192 * PAGE, 4 * PAGE)
    for page in [*range(12), *range(64, 68), 96, 128]:
        build.touch(parent, BASE + page * PAGE, write=True)
    build.touch(parent, BASE + 69 * PAGE)
    children = [build.fork(parent), build.fork(parent)]
    for number, lwp in enumerate([parent, *children]):
        for page in [*range(number, 12, 3), 14 + number % 2, 64 + number, 97, 129]:
            build.touch(lwp, BASE + page * PAGE, write=True)
        for page in [*range(12), 70, 99, 130, 192]:
            build.touch(lwp, BASE + page * PAGE)
    build.munmap(children[0], BASE + 5 * PAGE, 2 * PAGE)
    build.mprotect(children[1], BASE + 2 * PAGE, 2 * PAGE, op.PROT_READ)
    grandchild = build.fork(children[0])
    build.touch(grandchild, BASE + PAGE, write=True)
    build.touch(children[0], BASE + 2 * PAGE, write=True)
    build.fork(grandchild)
    build.touch(grandchild, BASE + PAGE, write=True)
    return build.finish()


MACHINES: dict = {}


@pytest.fixture(params=protocol_names())
def living(request):
    """Return a machine at rest that may be broken: its tables are restored before the next test."""
    if request.param not in MACHINES:
        machine = Machine(living_plan(), request.param, cpus=2).run()
        MACHINES[request.param] = machine, bytes(machine.segment.map[: machine.machine.pool])
    machine, tables = MACHINES[request.param]
    yield machine
    machine.segment.map[: machine.machine.pool] = tables


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
        from vmconc.checks.quiescent_maps import entry_of

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


def one_more(name, field, pick=Hand.alive):
    """Return a breaker that adds one to a field of a record."""

    def breaker(hand):
        place = pick(hand, name) if pick is Hand.alive else pick(hand)
        column = hand.view(name)
        for part in field.split("."):
            column = column[part]
        column[place] += 1

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


def test_the_living_machine_has_what_is_to_be_broken(living):
    state = State(living.segment, living.protocol)
    layers = Layers(state)
    depths = [len(list(layers.of(entry))) for entry in state.entries.tolist()]
    assert max(depths) >= 3 and len(state["Vmspace"].alive) >= 4
    assert (state["VmPage"]["wire_count"] > 0).sum() == 4
    assert living.check() == []


@pytest.mark.parametrize("name", BREAKERS)
def test_a_broken_state_is_caught(living, name):
    rule, breaker = BREAKERS[name]
    breaker(Hand(living))
    assert rule in living.rules()


@pytest.mark.parametrize("name", BACKING_BREAKERS)
def test_a_broken_ba_is_caught(living, name):
    if living.protocol != "backing":
        pytest.skip("only backing has heap bas")
    rule, breaker = BACKING_BREAKERS[name]
    breaker(Hand(living))
    assert rule in living.rules()


def test_every_rule_is_broken_by_a_test():
    broken = {rule for rule, _ in [*BREAKERS.values(), *BACKING_BREAKERS.values()]}
    assert broken | {"leak"} == set(RULES)


def test_a_violation_says_all_and_many_are_counted(living):
    living.segment.view("VmPage")["busy"]["word"] = 1
    found = check_quiescent(living.segment, living.protocol)
    first = next(v for v in found if v["rule"] == "page-busy")
    assert set(first) == {"rule", "invariant", "subject", "expected", "found", "text"}
    assert (first["subject"], first["expected"], first["found"]) == ("VmPage 0 busy.word", 0, 1)
    assert first["text"].startswith("page-busy: ") and "seed 0" in first["text"]
    assert sum(v["rule"] == "page-busy" for v in found) == KEPT + 1
    assert "2032 more" in [v for v in found if v["rule"] == "page-busy"][-1]["text"]


@pytest.mark.parametrize("protocol", protocol_names())
@pytest.mark.parametrize("table", ["VmMapEntry", "Backing", "PageTable", "PvEntry", "VmObject"])
def test_a_leak_is_caught(protocol, table):
    build = PlanBuilder("short")
    lwp = build.spawn()
    build.mmap(lwp, BASE, 4 * PAGE, RW, 0)
    build.touch(lwp, BASE, write=True)
    build.exit_(lwp)
    machine = Machine(build.finish(), protocol).run()
    assert machine.check() == []
    records = machine.segment.table(table)
    records.fresh = max(records.fresh, 1)
    machine.segment.view(table)["life"][0] |= 1
    assert "leak" in machine.rules()


@pytest.mark.parametrize("protocol", protocol_names())
def test_a_large_machine_is_checked_quickly(protocol):
    build = PlanBuilder("large")
    lwp = build.spawn()
    for i in range(100):
        build.mmap(lwp, BASE + i * 32 * PAGE, 8 * PAGE, RW, op.MAP_SHARED)
        build.touch(lwp, BASE + i * 32 * PAGE, write=True)
    for _ in range(20):
        build.fork(lwp)
    machine = Machine(build.finish(), protocol, frames=65536, entries=65536, map_entries=2048, objects=16384).run()
    check_quiescent(machine.segment, protocol)
    begun = time.perf_counter()
    assert check_quiescent(machine.segment, protocol) == []
    assert time.perf_counter() - begun < 0.3
