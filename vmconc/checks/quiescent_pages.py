"""At quiescence: pages and their queues, locks, sleepers, and what must be gone when all spaces are."""

import numpy as np

from vmconc.checks.layers import Layers
from vmconc.checks.quiescent_report import Report, tally
from vmconc.checks.quiescent_state import NULL, State
from vmconc.locks.cpu import STATE_DONE
from vmconc.vm.structs import PG_MAPPED, PQ_FREE, PQ_NAMES, PQ_NONE, PQ_SETS


def check_free_pages(state: State, layers: Layers, report: Report) -> None:
    """Check that a page belongs to an object or is free, and what is free is at rest; that none is busy (30, 31)."""
    pages = state["VmPage"]
    free, owned = pages["queue"] == PQ_FREE, pages["object"] != 0
    both = np.flatnonzero(free == owned)
    report.each("free-page", pages, "", both, "in an object or free", "both or neither")
    for what in ("wire_count", "pv", "pv_count", "busy.word"):
        bad = np.flatnonzero(free & (pages[what] != 0))
        report.each("free-page", pages, what, bad, 0, pages[what][bad])
    mapped = np.flatnonzero(free & (pages["flags"] & PG_MAPPED != 0))
    report.each("free-page", pages, "flags", mapped, "not MAPPED", pages["flags"][mapped])
    for what in ("busy.word", "busy.owner"):
        busy = np.flatnonzero(pages[what] != 0)
        report.each("page-busy", pages, what, busy, 0, pages[what][busy])
    off = np.flatnonzero(owned & ((pages["queue"] == PQ_NONE) != (pages["wire_count"] > 0)))
    for page in off:
        queue, wired = PQ_NAMES.get(int(pages["queue"][page]), "?"), int(pages["wire_count"][page])
        report.add("wire-count", f"VmPage {page} queue", "none if and only if wired", f"{queue}, wired {wired} times")


def check_queues(state: State, layers: Layers, report: Report) -> None:
    """Walk every queue: links both ways, ends, counts, and that its pages say they are there."""
    pages, queues = state["VmPage"], state["PageQueue"]
    queue = np.arange(queues.count)
    page, before = pages.place(queues["head"]), np.full(queues.count, NULL)
    length, seen = np.zeros(queues.count, np.int64), np.zeros(pages.count, np.int64)
    last = before.copy()
    back, says = pages.place(pages["queue_prev"]), pages["queue"] * PQ_SETS + pages["color"]
    for _ in range(pages.count + 1):
        on = page >= 0
        queue, page, before = queue[on], page[on], before[on]
        if not len(page):
            break
        np.add.at(seen, page, 1)
        length[queue] += 1
        last[queue] = page
        report.same("page-queue", pages, "queue_prev", page, before, back[page])
        report.same("page-queue", pages, "queue and color", page, queue, says[page])
        again = seen[page] > 1
        report.each("page-queue", pages, "", page[again], "on one list, once", "on a ring or on two")
        queue, before, page = queue[~again], page[~again], pages.place(pages["queue_next"][page[~again]])
    everything = np.arange(queues.count)
    report.same("page-queue", queues, "count", everything, length, queues["count"])
    report.same("page-queue", queues, "tail", everything, last, pages.place(queues["tail"]))
    absent = np.flatnonzero((seen == 0) & (pages["queue"] != PQ_NONE))
    report.each("page-queue", pages, "", absent, "on the list of its queue", "on none")


LOCK_WORDS = (
    ("VmPage", "spin.owner"), ("PageQueue", "spin.owner"), ("VmObject", "token.word"), ("VmObject", "chain.word"),
    ("Vnode", "lock.word"), ("Vmspace", "map.lock.word"), ("Vmspace", "map.token.word"), ("Vmspace", "map.ranges.head"),
    ("Vmspace", "map.ranges.spin.owner"), ("Vmspace", "pmap.spin.owner"), ("PageTable", "spin.owner"),
    ("SleepQueue", "spin"), ("DiskQueue", "spin"), ("DiskQueue", "head"), ("DiskQueue", "tail"),
    ("DiskQueue", "inflight"),
)  # fmt: skip


def check_locks(state: State, layers: Layers, report: Report) -> None:
    """Check that the word of every lock of every live record is free."""
    for name, field in LOCK_WORDS:
        table = state[name]
        places = table.alive if "life" in table.view.dtype.names else np.arange(table.count)
        report.same("lock-free", table, field, places, 0, table[field][places])
    spaces = state["Vmspace"]
    slot = spaces.view["pmap"]["placemarker"][spaces.alive]
    for row, number in zip(*np.nonzero(slot), strict=True):
        report.add("lock-free", f"Vmspace {spaces.alive[row]} pmap.placemarker {number}", 0, slot[row, number])
    for name in ("RangeRecord", "IoRequest"):
        report.each("lock-free", state[name], "", state[name].alive, "free", "in use")


def check_sleepers(state: State, layers: Layers, report: Report) -> None:
    """Check that the CPUs have come to their end with empty hands; only the disk may still sleep (32)."""
    cpus, machine = state["Cpu"], state.machine
    workers = np.arange(machine.cpus)
    for what in ("token_count", "held_count", "channel", "user_pmap"):
        report.same("sleeper", cpus, what, workers, 0, cpus[what][workers])
    report.same("sleeper", cpus, "state", workers, STATE_DONE, cpus["state"][workers])
    queues = state["SleepQueue"]
    asleep = cpus.place(queues["head"])
    for _ in range(cpus.count + 1):
        asleep = asleep[asleep >= 0]
        report.each("sleeper", cpus, "", asleep[asleep < machine.cpus], "awake", "on a sleep queue")
        asleep = cpus.place(cpus["sleep_next"][asleep])
    if machine.memory_waiters:
        report.add("sleeper", "the machine's memory_waiters", 0, machine.memory_waiters)


def check_leaks(state: State, layers: Layers, report: Report) -> None:
    """Check that nothing is left when no space is: but for files, their objects and what these hold (45).

    And at any time no space or object that nobody refers to: other records are looked for where they belong.
    """
    for name, field in (("Vmspace", "refs"), ("VmObject", "ref_count")):
        table = state[name]
        lost = table.alive[table[field][table.alive] == 0]
        report.each("leak", table, "", lost, "free", "allocated, and nothing refers to it")
    if len(state["Vmspace"].alive):
        return
    for name in ("VmMapEntry", "Backing", "PageTable", "PvEntry"):
        report.each("leak", state[name], "", state[name].alive, "free", "allocated")
    objects, pages = state["VmObject"], state["VmPage"]
    files = tally(objects.place(state["Vnode"]["object"]), objects.count) > 0
    report.each("leak", objects, "", objects.alive[~files[objects.alive]], "free", "allocated")
    owner = objects.place(pages["object"])
    kept = np.flatnonzero(owner >= 0)
    report.each("leak", pages, "", kept[~files[owner[kept]]], "free", "in an anonymous object")
