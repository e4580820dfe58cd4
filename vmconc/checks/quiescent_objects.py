"""At quiescence: references of objects and layers, and what objects contain."""

import numpy as np

from vmconc.checks.layers import PINDEX_BITS, Layers
from vmconc.checks.quiescent_report import Report, tally
from vmconc.checks.quiescent_state import BAD, NULL, Ints, State
from vmconc.vm.structs import OBJ_DEAD, OBJ_ONEMAPPING


def check_references(state: State, layers: Layers, report: Report) -> None:
    """Check the reference-count equations of objects: entries, layers, files (23)."""
    objects, vnodes = state["VmObject"], state["Vnode"]
    links = live_links(state, layers)
    size = objects.count
    expected = tally(layers.head[state.entries], size)
    expected += tally(layers.links.target[links], size)
    expected += tally(objects.place(vnodes["object"]), size)
    alive = objects.alive
    report.same("ref-count", objects, "ref_count", alive, expected[alive], objects["ref_count"][alive])
    dead = np.flatnonzero((expected > 0) & ~objects.live)
    report.each("layer-object", objects, "", dead, "a live object", "a free record that is pointed to")
    report.same("pip", objects, "pip", alive, 0, objects["pip.word"][alive])
    report.same("hold-count", objects, "hold_count", alive, 0, objects["hold_count"][alive])
    gone = alive[objects["flags"][alive] & OBJ_DEAD != 0]
    report.each("dead-object", objects, "flags", gone, "no DEAD object", objects["flags"][gone])


def live_links(state: State, layers: Layers) -> Ints:
    """List the links that exist: those of allocated records."""
    table = state[layers.links.table]
    alive: Ints = table.alive[layers.links.target[table.alive] != NULL]
    return alive


def check_layers(state: State, layers: Layers, report: Report) -> None:
    """Check that layers have objects and that their lists end (26, 38)."""
    table = state[layers.links.table]
    links = live_links(state, layers)
    lost = links[layers.links.target[links] == BAD]
    report.each("layer-object", table, "", lost, "a live object", "no object")
    report.each("acyclic", table, "", links[layers.endless[links]], "a list that ends", "a ring")
    heads = state.entries[layers.head[state.entries] == BAD]
    report.each("layer-object", state["VmMapEntry"], "object", heads, "a live object", "no object")
    objectless = state.entries[(layers.head[state.entries] == NULL) & (layers.links.first[state.entries] != NULL)]
    report.each("layer-object", state["VmMapEntry"], "object", objectless, "a live object", "layers below none")


def check_backings(state: State, layers: Layers, report: Report) -> None:
    """Check heap bas: refs, reachability, contents as at creation; heads have no refs (12, 23, 24, 25)."""
    bas, entries = state["Backing"], state["VmMapEntry"]
    expected = tally(bas.place(entries["ba.backing_ba"][state.entries]), bas.count)
    expected += tally(bas.place(bas["backing_ba"][bas.alive]), bas.count)
    alive = bas.alive
    report.same("ba-refs", bas, "refs", alive, expected[alive], bas["refs"][alive])
    report.each("ba-reachable", bas, "", alive[expected[alive] == 0], "a pointer to it", "none")
    freed = np.flatnonzero((expected > 0) & ~bas.live)
    report.each("ba-reachable", bas, "", freed, "an allocated record", "a free record that is pointed to")
    objectless = alive[bas["object"][alive] == 0]
    report.each("layer-object", bas, "object", objectless, "an object", "none")
    digest = bas["object"] * 31 + bas["offset"] * 7 + bas["backing_ba"]  # entries.freeze
    report.same("frozen-layer", bas, "frozen", alive, digest[alive], bas["frozen"][alive])
    report.same("head-refs", entries, "ba.refs", state.entries, 0, entries["ba.refs"][state.entries])


def check_contents(state: State, layers: Layers, report: Report) -> None:
    """Check that pages and the objects' trees say the same, index by index (29)."""
    pages, objects, trees = state["VmPage"], state["VmObject"], state.trees
    held = pages.place(trees.word)
    for i in np.flatnonzero(held < 0):
        report.add("page-identity", f"VmObject {trees.owner[i]} index {trees.key[i]}", "a page", trees.word[i])
    known = held >= 0
    held, owner, key = held[known], trees.owner[known], trees.key[known]
    wrong = (objects.place(pages["object"])[held] != owner) | (pages["pindex"][held] != key)
    for i in np.flatnonzero(wrong):
        says = f"object {objects.place(pages['object'][held[i : i + 1]])[0]} index {pages['pindex'][held[i]]}"
        report.add("page-identity", f"VmPage {held[i]}", f"object {owner[i]} index {key[i]}, whose tree holds it", says)
    times = tally(held, pages.count)
    report.each("page-identity", pages, "", np.flatnonzero(times > 1), "in one place", "in several")
    lost = np.flatnonzero((times == 0) & (pages["object"] != 0))
    report.each("page-identity", pages, "", lost, "in the tree of its object", "in no tree")
    counts = tally(owner, objects.count)
    alive, noted = objects.alive, objects["resident_page_count"]
    report.same("resident-count", objects, "resident_page_count", alive, counts[alive], noted[alive])


def check_trees(state: State, layers: Layers, report: Report) -> None:
    """Check the nodes of the page trees: every live node reached once, linked upwards, counted right."""
    nodes, objects, trees = state["RadixNode"], state["VmObject"], state.trees
    times = tally(trees.nodes, nodes.count)
    alive = nodes.alive
    report.same("radix-tree", nodes, "reached", alive, 1, times[alive])
    parent = nodes.place(nodes["parent"])[trees.nodes]
    report.same("radix-tree", nodes, "parent", trees.nodes, trees.parent, parent)
    inner = trees.parent >= 0
    report.same("radix-tree", nodes, "place", trees.nodes[inner], trees.slot[inner], nodes["place"][trees.nodes[inner]])
    used = (nodes.view["slot"][trees.nodes] != 0).sum(axis=1)
    report.same("radix-tree", nodes, "used", trees.nodes, used, nodes["used"][trees.nodes])
    empty = objects["pages.root"][objects.alive] == 0
    flat = objects["pages.height"][objects.alive] == 0
    odd = objects.alive[empty != flat]
    report.each("radix-tree", objects, "height", odd, "0 if and only if there is no root", objects["pages.height"][odd])


def check_one_mapping(state: State, layers: Layers, report: Report) -> None:
    """Check that no two entries reach one index of an object with ONEMAPPING, through whatever layer (35)."""
    objects, entries = state["VmObject"], state["VmMapEntry"]
    length = (entries["end"] - entries["start"])[state.entries] >> 12
    columns = []
    walk = layers.walk(state.entries)
    while len(walk.which):
        one = walk.target >= 0
        one[one] = objects["flags"][walk.target[one]] & OBJ_ONEMAPPING != 0
        columns.append((walk.target[one], walk.index[one], walk.index[one] + length[walk.which[one]]))
        walk.down()
    if not columns:
        return
    target, first, last = (np.concatenate(column) for column in zip(*columns, strict=True))
    order = np.lexsort((first, target))
    target, first, last = target[order], first[order], last[order]
    furthest = np.maximum.accumulate(target << PINDEX_BITS | last)  # of all that begin no later in the same object
    for i in np.flatnonzero((target << PINDEX_BITS | first)[1:] < furthest[:-1]):
        report.add("one-mapping", f"VmObject {target[i + 1]} index {first[i + 1]}", "one entry", "two")
