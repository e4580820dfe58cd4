"""At quiescence: address maps, page tables, translations and who is mapped where."""

from typing import Any

import numpy as np

from vmconc.checks.layers import Layers
from vmconc.checks.quiescent_report import Report, tally
from vmconc.checks.quiescent_state import BAD, Ints, State
from vmconc.vm.structs import (
    ENTRY_IN_TRANSITION,
    ENTRY_NEEDS_COPY,
    ENTRY_NEEDS_WAKEUP,
    OBJ_ONEMAPPING,
    OBJT_VNODE,
    PG_MAPPED,
    PG_WRITEABLE,
    PTE_VALID,
    PTE_WIRED,
    PTE_WRITE,
)

PROT_WRITE = 2
SPACE_BITS = 40


def check_entries(state: State, layers: Layers, report: Report) -> None:
    """Check that every entry is in one map, sorted, disjoint, aligned and at rest (22, 39)."""
    entries, spaces = state["VmMapEntry"], state["Vmspace"]
    space, placed = state.placed
    for i in np.flatnonzero(~state.entry_known):
        report.add("entry-order", f"Vmspace {space[i]} index", "an allocated entry", int(placed[i]))
    times = tally(state.entries, entries.count)
    report.same("entry-order", entries, "maps that have it", entries.alive, 1, times[entries.alive])
    listed, space = state.entries, state.entry_space
    start, end = entries["start"][listed], entries["end"][listed]
    bad = (start >= end) | (start & 4095 != 0) | (end & 4095 != 0) | (start < 0)
    report.each("entry-order", entries, "range", listed[bad], "a range of pages", start[bad])
    follows = (space[1:] == space[:-1]) & (start[1:] < end[:-1])
    for i in np.flatnonzero(follows):
        subject = f"VmMapEntry {listed[i + 1]} of Vmspace {space[i]}"
        report.add("entry-order", subject, f"a start from {end[i]:#x} on", f"{start[i + 1]:#x}")
    moving = listed[entries["eflags"][listed] & (ENTRY_IN_TRANSITION | ENTRY_NEEDS_WAKEUP) != 0]
    report.each("transition", entries, "eflags", moving, "not in transition", entries["eflags"][moving])
    lwps = tally(spaces.place(state["Lwp"]["space"]), spaces.count)
    report.same("space-refs", spaces, "refs", spaces.alive, lwps[spaces.alive], spaces["refs"][spaces.alive])


def check_sizes(state: State, layers: Layers, report: Report) -> None:
    """Check that anonymous entries end within their first object (39)."""
    entries, objects = state["VmMapEntry"], state["VmObject"]
    anonymous = state.entries[layers.head[state.entries] >= 0]
    anonymous = anonymous[objects["type"][layers.head[anonymous]] != OBJT_VNODE]
    last = entries["ba.offset"] + (entries["end"] - entries["start"] >> 12)
    over = (last[anonymous] > objects["size"][layers.head[anonymous]]) | (entries["ba.offset"][anonymous] < 0)
    for entry in anonymous[over]:
        size = objects["size"][layers.head[entry]]
        report.add("entry-size", f"VmMapEntry {entry}", f"an end within {size} pages", last[entry])


def check_tables(state: State, layers: Layers, report: Report) -> None:
    """Check that every page of a page table hangs below one root and that spaces count their translations."""
    tables, spaces, found = state["PageTable"], state["Vmspace"], state.translations
    times = tally(found.nodes, tables.count)
    report.same("page-table", tables, "reached", tables.alive, 1, times[tables.alive])
    resident = tally(found.owner, spaces.count)[spaces.alive]
    report.same("page-table", spaces, "pmap.resident", spaces.alive, resident, spaces["pmap.resident"][spaces.alive])
    for i in np.flatnonzero((state.translated == BAD) | (found.word & PTE_VALID == 0)):
        report.add("translation", where(state, i), "a valid translation of a frame", f"{found.word[i]:#x}")


def where(state: State, translation: int | np.integer[Any]) -> str:
    """Name a translation."""
    found = state.translations
    return f"Vmspace {found.owner[translation]} address {int(found.key[translation]) << 12:#x}"


def entry_of(state: State) -> Ints:
    """Return the entry in whose range each translation lies, BAD if there is none."""
    found, entries = state.translations, state["VmMapEntry"]
    result = np.full(len(found.owner), BAD)
    if not len(state.entries):
        return result
    keys = state.entry_space << SPACE_BITS | entries["start"][state.entries] >> 12
    order = np.argsort(keys, kind="stable")  # sorted already, unless an index is not
    at = np.searchsorted(keys[order], found.owner << SPACE_BITS | found.key, side="right") - 1
    entry = state.entries[order][np.maximum(at, 0)]
    inside = (at >= 0) & (state.entry_space[order][np.maximum(at, 0)] == found.owner)
    inside &= found.key < entries["end"][entry] >> 12
    result[inside] = entry[inside]
    return result


def check_translations(state: State, layers: Layers, report: Report) -> None:
    """Check each translation: the page its entry resolves to, with no more rights than it may have (15, 36, 37)."""
    found, entries = state.translations, state["VmMapEntry"]
    entry = entry_of(state)
    for i in np.flatnonzero(entry == BAD):
        report.add("translation", where(state, i), "nothing, for no entry is there", f"page {state.translated[i]}")
    there = np.flatnonzero(entry >= 0)
    entry = entry[there]
    page, depth = layers.resolve(entry, found.key[there] - (entries["start"][entry] >> 12))
    for i in np.flatnonzero(page != state.translated[there]):
        if left_by_sharing(state, layers, int(entry[i]), int(there[i])):
            continue
        expected = f"page {page[i]} of layer {depth[i]}" if page[i] >= 0 else "no page"
        report.add("translation", where(state, there[i]), expected, f"page {state.translated[there[i]]}")
    writable = found.word[there] & PTE_WRITE != 0
    for i in np.flatnonzero(writable & (depth > 0) & (page >= 0)):
        report.add("deep-writable", where(state, there[i]), "read-only", f"writable, page of layer {depth[i]}")
    for i in np.flatnonzero(writable & (entries["eflags"][entry] & ENTRY_NEEDS_COPY != 0)):
        report.add("needs-copy", where(state, there[i]), "read-only", f"writable, in VmMapEntry {entry[i]}")
    rights = entries["protection"][entry]
    for i in np.flatnonzero((rights == 0) | (writable & (rights & PROT_WRITE == 0))):
        report.add("translation", where(state, there[i]), f"rights {rights[i]}", f"{found.word[there[i]] & 4095:#x}")


def left_by_sharing(state: State, layers: Layers, entry: int, translation: int) -> bool:
    """Tell whether a read-only translation may still map a page of a deeper layer though the first has one by now.

    A first object that was ever shared (INHERIT_SHARE) may get the page by another space's copy-on-write, which both
    eras of the kernel unmap from that space only.
    """
    found, entries, pages = state.translations, state["VmMapEntry"], state["VmPage"]
    objects = state["VmObject"]
    page, head = int(state.translated[translation]), int(layers.head[entry])
    if page < 0 or head < 0 or found.word[translation] & PTE_WRITE or objects["flags"][head] & OBJ_ONEMAPPING:
        return False
    distance = int(found.key[translation]) - (int(entries["start"][entry]) >> 12)
    owner = pages["object"][page]
    deeper = list(layers.of(entry))[1:]
    return any(
        layer >= 0 and objects.offset(layer) == owner and first + distance == pages["pindex"][page]
        for layer, first in deeper
    )


def check_mappings(state: State, layers: Layers, report: Report) -> None:
    """Check that the pv lists are exactly the translations, and the pages' flags and counts with them."""
    pvs, pages, spaces = state["PvEntry"], state["VmPage"], state["Vmspace"]
    lists, found, page = state.mappings, state.translations, state.translated
    pmap = spaces.view.dtype.fields["pmap"][1]
    space = spaces.place(pvs["pmap"][lists.record] - pmap)
    noted = np.stack([lists.owner, space, pvs["va"][lists.record] >> 12])
    mapped = np.stack([page, found.owner, found.key])
    either, times = np.unique(np.concatenate([noted, mapped], axis=1), axis=1, return_counts=True)
    for i in np.flatnonzero(times != 2):
        subject = f"VmPage {either[0, i]} in Vmspace {either[1, i]} at {int(either[2, i]) << 12:#x}"
        report.add("pv-list", subject, "one pv entry and one translation", f"{times[i]} of them in all")
    reached = tally(lists.record, pvs.count)
    report.same("pv-list", pvs, "lists it is on", pvs.alive, 1, reached[pvs.alive])
    everything = np.arange(pages.count)
    counts = tally(lists.owner, pages.count)
    report.same("pv-list", pages, "pv_count", everything, counts, pages["pv_count"])
    flagged = (pages["flags"] & PG_MAPPED != 0).astype(np.int64)
    report.same("page-flags", pages, "MAPPED", everything, (counts > 0).astype(np.int64), flagged)
    written = tally(page[found.word & PTE_WRITE != 0], pages.count)
    missing = np.flatnonzero((written > 0) & (pages["flags"] & PG_WRITEABLE == 0))
    report.each("page-flags", pages, "WRITEABLE", missing, "set", "not set")
    wired = tally(page[found.word & PTE_WIRED != 0], pages.count)
    report.same("wire-count", pages, "wire_count", everything, wired, pages["wire_count"])
