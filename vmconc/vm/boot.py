"""Lays a plan out in a fresh segment: the only place that knows how the tables begin.  No kernels here.

The first record of each CPU, page and queue is written through NumPy views, before any worker exists.
"""

from dataclasses import dataclass

import numpy as np

from vmconc.locks.classes import VM_OBJECT, VNODE
from vmconc.locks.rules import MESSAGES
from vmconc.locks.sleep import QUEUES
from vmconc.locks.times import times_tables
from vmconc.memory.pagebytes import PAGE_SIZE
from vmconc.memory.rings import lay_out_rings, ring_tables
from vmconc.memory.segment import Segment, Sizes
from vmconc.vm import disk, fault, ops, structs  # noqa: F401 (their structs)
from vmconc.vm.structs import OBJT_VNODE, PQ_FREE, PQ_KINDS, PQ_SETS

FRAMES_MAX = 1 << 20
OP_COLUMNS = (
    "kind", "lwp", "va", "length", "prot", "flags", "file", "offset", "new_length", "target", "stamp",
    "wait_first", "wait_count", "check", "expect_own", "expect_parent", "recorded",
)  # fmt: skip


@dataclass(frozen=True)
class MachineOptions:
    """Sizes of the machine; each is also a command-line option of the same name."""

    frames: int = 65536  # 4 KiB frames in the pool
    objects: int = 16384  # VM objects
    entries: int = 65536  # map entries in all spaces together
    map_entries: int = 2048  # entries in one map
    spaces: int = 1024  # address spaces alive at a time
    backings: int = 65536  # layers below map entries (backing)
    page_tables: int = 16384  # pages of page tables
    pv_entries: int = 0  # translations; 0: two for each frame
    radix_nodes: int = 65536  # nodes of the objects' page trees
    requests: int = 1024  # disk requests in flight
    heuristic: bool = True  # backing: begin exclusively where the last fault had to allocate
    ring: int = 0  # mode recorded: events in each CPU's ring, a power of two
    ring_stops: bool = True  # a full ring stops its CPU; else events are dropped, and counted
    timed: bool = False  # mode timed: there are histograms
    fail_fast: bool = False  # stop at the first violation
    seed: int = 0


def sizes_for(plan, options: MachineOptions, cpus: int) -> Sizes:
    """Return how large each table must be for a plan on `cpus` CPUs."""
    tables = {
        "Cpu": cpus + 1,
        "SleepQueue": QUEUES,
        "Violation": MESSAGES,
        "RangeRecord": 256,
        "Fault": cpus + 1,
        "PageQueue": PQ_KINDS * PQ_SETS,
        "DiskQueue": 1,
        "IoRequest": options.requests,
        "VmPage": options.frames,
        "VmObject": options.objects + len(plan.files),
        "RadixNode": options.radix_nodes,
        "Backing": options.backings,
        "VmMapEntry": options.entries,
        "Vmspace": options.spaces,
        "MapIndex": options.spaces * options.map_entries,
        "PageTable": options.page_tables,
        "PvEntry": options.pv_entries or 2 * options.frames,
        "Vnode": max(1, len(plan.files)),
        "Op": max(1, len(plan.ops)),
        "Wait": max(1, len(plan.waits)),
        "Lwp": max(1, len(plan.lwps)),
        **ring_tables(cpus + 1, options.ring),
        **(times_tables(cpus + 1) if options.timed else {}),
    }
    return Sizes(tables, options.frames)


def boot(segment: Segment, plan, options: MachineOptions, cpus: int) -> None:
    """Fill a fresh segment: CPUs, frames, queues, files, LWPs, operations."""
    machine = segment.machine
    machine.heuristic, machine.fail_fast = int(options.heuristic), int(options.fail_fast)
    machine.map_entries = options.map_entries
    boot_cpus(segment, cpus)
    lay_out_rings(segment, options.ring, options.ring_stops)
    boot_frames(segment)
    boot_files(segment, plan)
    boot_program(segment, plan, cpus)


def boot_cpus(segment: Segment, cpus: int) -> None:
    """Number the CPUs; the last record is the disk's."""
    view = segment.view("Cpu")
    view["index"] = np.arange(cpus + 1)
    view["lwp"] = view["op"] = -1


def boot_frames(segment: Segment) -> None:
    """Number the frames and put every page on its free queue, lowest first."""
    pages, table = segment.view("VmPage"), segment.table("VmPage")
    count = len(pages)
    numbers = np.arange(count)
    pages["frame"] = segment.machine.pool + numbers * PAGE_SIZE
    pages["color"] = numbers % PQ_SETS
    pages["queue"] = PQ_FREE
    offsets = table.first + numbers * table.stride
    later = numbers + PQ_SETS < count
    pages["queue_next"] = np.where(later, offsets + PQ_SETS * table.stride, 0)
    pages["queue_prev"] = np.where(numbers >= PQ_SETS, offsets - PQ_SETS * table.stride, 0)
    queues = segment.view("PageQueue")
    for color in range(min(PQ_SETS, count)):
        queue = queues[PQ_FREE * PQ_SETS + color]
        queue["head"] = offsets[color]
        queue["tail"] = offsets[color::PQ_SETS][-1]
        queue["count"] = len(offsets[color::PQ_SETS])


def boot_files(segment: Segment, plan) -> None:
    """Give every file of the plan a vnode and the vnode its object, which holds one reference of its own."""
    objects = segment.table("VmObject")
    for number, file in enumerate(plan.files):
        vnode, record = segment.nth("Vnode", number), segment.nth("VmObject", number)
        vnode.index, vnode.pages, vnode.lock.cls, vnode.object = number, file.pages, VNODE, record
        record.life, record.type, record.size, record.ref_count = 1, OBJT_VNODE, file.pages, 1
        record.token.cls, record.vnode = VM_OBJECT, vnode
    objects.fresh = len(plan.files)


def boot_program(segment: Segment, plan, cpus: int) -> None:
    """Copy the operations, sorted by CPU and in program order on each; bind LWPs to CPUs in turn."""
    lwps = segment.view("Lwp")
    numbers = np.arange(len(plan.lwps))
    lwps["index"][: len(numbers)] = numbers
    lwps["cpu"][: len(numbers)] = numbers % cpus
    lwps["word"][: len(numbers)] = [lwp.word for lwp in plan.lwps]
    lwps["parent_word"][: len(numbers)] = [lwp.parent_word for lwp in plan.lwps]
    owner = plan.ops["lwp"] % cpus
    order = program_order(plan, cpus)
    records = segment.view("Op")
    for column in OP_COLUMNS:
        records[column][: len(order)] = plan.ops[column][order]
    waits = segment.view("Wait")
    waits["lwp"][: len(plan.waits)] = plan.waits["lwp"]
    waits["count"][: len(plan.waits)] = plan.waits["count"]
    bounds = np.searchsorted(owner[order], np.arange(cpus + 1))
    view = segment.view("Cpu")
    view["first_op"][:cpus], view["last_op"][:cpus] = bounds[:-1], bounds[1:]


def program_order(plan, cpus: int) -> np.ndarray:
    """Return, for each record of the Op table, which operation of the plan it is."""
    return np.argsort(plan.ops["lwp"] % cpus, kind="stable")

