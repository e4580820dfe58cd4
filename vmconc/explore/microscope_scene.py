"""Sets the scene of the microscope: a space, an entry, its layers, one page, one touch; has the touch executed.

Everything is written by hand into a fresh segment, so that the fault under the lens is the first thing that happens.
"""

import dataclasses
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from vmconc.coordinator.errors import EmulatorError
from vmconc.explore.laboratory import Laboratory, engine_tables
from vmconc.explore.microscope import Scene
from vmconc.explore.microscope_steps import counts_of, steps_of
from vmconc.locks.classes import MAP_TOKEN, VM_MAP, VM_OBJECT
from vmconc.locks.cpu import STATE_DONE
from vmconc.memory.build import Build
from vmconc.memory.jit import jit_off
from vmconc.memory.segment import create
from vmconc.memory.system import processor_yield
from vmconc.program.plan import OP_DTYPE, WAIT_DTYPE, FilePlan, LwpPlan, Plan, file_word
from vmconc.protocols import load_protocol
from vmconc.schedule.strategies import STAY
from vmconc.vm import structs as s
from vmconc.vm.boot import MachineOptions, boot, sizes_for
from vmconc.vm.opcodes import CHECK_OWN, INHERIT_COPY, TOUCH, TOUCH_WRITE

SMALL = MachineOptions(
    frames=128, objects=64, entries=64, map_entries=8, spaces=4, backings=64, page_tables=64, radix_nodes=64, requests=8
)
STEPS = 8192
BASE, PAGE_SIZE = 0x10_0000_0000, 4096
PAGES = 8  # of the entry
FAULT = 3  # the page of the entry that is touched
FILE_PAGES, FILE_FIRST = 16, 2  # of the file, and the page of it at which the entry begins
CONTENT = 0x5EE000  # what the page holds in its first word, plus the number of its layer
PROT_RW, PROT_ALL = 3, 7


def look(scene: Scene, protocol: str, mode: str = "controlled") -> dict[str, Any]:
    """Execute the fault of a scene; return its counts and, in mode `controlled`, its steps."""
    stage = Stage(scene, protocol, mode)
    stage.touch()
    stage.verify()
    steps = steps_of(stage.segment, protocol, stage.entry) if mode == "controlled" else []
    return {"counts": counts_of(stage.segment, steps), "steps": steps}


def one_touch(scene: Scene) -> Plan:
    """Return a plan of one touch by one LWP, which must read what the scene says."""
    ops = np.zeros(1, dtype=OP_DTYPE)
    op = ops[0]
    op["kind"], op["va"], op["length"] = TOUCH, BASE + FAULT * PAGE_SIZE, PAGE_SIZE
    op["flags"], op["stamp"], op["file"] = TOUCH_WRITE if scene.write else 0, 1, -1
    op["check"], op["expect_own"] = CHECK_OWN, content(scene)
    file = FilePlan("layer", FILE_PAGES)
    return Plan("microscope", ops, np.zeros(0, dtype=WAIT_DTYPE), [LwpPlan(0), LwpPlan(1)], [file])


def content(scene: Scene) -> int:
    """Return what the first word of the page must hold before the touch."""
    if scene.page is None:
        return 0
    return file_word(0, FILE_FIRST + FAULT, 0) if scene.paged_out else CONTENT + scene.page


class Stage:
    """A segment with one scene in it."""

    def __init__(self, scene: Scene, protocol: str, mode: str):
        load_protocol(protocol)
        self.scene, self.protocol = scene, protocol
        plan = one_touch(scene)
        sizes = sizes_for(plan, SMALL, 1)
        more = {"Step": STEPS, **engine_tables(2, 0)} if mode == "controlled" else {"Step": 1}
        sizes = dataclasses.replace(sizes, tables={**sizes.tables, **more})
        self.segment: Any = create(sizes, Build(mode, protocol), Path("/dev/shm"), 1)
        boot(self.segment, plan, SMALL, 1)
        self.segment.table("Step").capacity *= mode == "controlled"
        self.build_layers()

    def take(self, name: str) -> Any:
        """Allocate a fresh record."""
        table = self.segment.table(name)
        record = self.segment.nth(name, table.fresh)
        table.fresh += 1
        record.life = 1
        return record

    def build_layers(self) -> None:
        """Make the space, its entry and the layers; put the page where it belongs."""
        scene = self.scene
        letters = scene.layers[1:] if scene.missing else scene.layers
        above = len(scene.layers) - len(letters)
        objects = [self.build_object(letter) for letter in letters]
        if scene.page is None:
            self.segment.nth("Vnode", 0).pages = 0  # the file has a hole there
        elif not scene.paged_out:
            self.build_page(objects[scene.page - above], CONTENT + scene.page)
        self.entry = self.build_entry(self.build_space(), objects)
        if scene.missing and objects:  # somebody else has the same layers, or there is nothing to copy for
            self.build_entry(self.build_space(), objects)
        self.entry.ba.flags = s.BACK_EXCL_HEUR if scene.heuristic and self.protocol == "backing" else 0

    def build_object(self, letter: str) -> Any:
        """Make the object of one layer."""
        if letter == "V":
            return self.segment.nth("Vnode", 0).object
        record = self.take("VmObject")
        record.token.cls = VM_OBJECT
        record.type, record.size = s.OBJT_DEFAULT, PAGES
        return record

    def build_page(self, owner: Any, word: int) -> None:
        """Put a valid page with a word of content into an object."""
        queue = self.segment.nth("PageQueue", s.PQ_FREE * s.PQ_SETS)
        page = queue.head
        behind = page.queue_next
        queue.head, behind.queue_prev = behind, self.segment.ref("VmPage", 0)
        queue.count -= 1
        active = self.segment.nth("PageQueue", s.PQ_ACTIVE * s.PQ_SETS)
        active.head = active.tail = page
        active.count = 1
        page.queue, page.queue_next = s.PQ_ACTIVE, self.segment.ref("VmPage", 0)
        page.object, page.valid = owner, s.VALID_ALL
        page.pindex = FAULT + (FILE_FIRST if owner.type == s.OBJT_VNODE else 0)
        self.segment.frames()[0, 0] = word
        node = self.take("RadixNode")
        node.slot[page.pindex], node.used = page.off, 1
        owner.pages.root, owner.pages.height, owner.resident_page_count = node, 1, 1

    def build_space(self) -> Any:
        """Make an empty space with one LWP in it; only the first of them is ever executed."""
        space = self.take("Vmspace")
        number = self.segment.table("Vmspace").fresh - 1
        space.map.lock.cls, space.map.token.cls = VM_MAP, MAP_TOKEN
        space.map.capacity = SMALL.map_entries
        space.map.index = self.segment.table("MapIndex").first + number * SMALL.map_entries * 8
        space.refs = 1
        self.segment.nth("Lwp", number).space = space
        return space

    def build_entry(self, space: Any, objects: list[Any]) -> Any:
        """Make the space's one entry over the layers; an earlier entry shares them."""
        entry = self.take("VmMapEntry")
        entry.start, entry.end = BASE, BASE + PAGES * PAGE_SIZE
        entry.protection, entry.max_protection, entry.inheritance = PROT_RW, PROT_ALL, INHERIT_COPY
        if self.scene.needs_copy:
            entry.eflags = s.ENTRY_COW | s.ENTRY_NEEDS_COPY
        elif len(self.scene.layers) > 1:
            entry.eflags = s.ENTRY_COW
        self.segment.ref("MapIndex", space.map.index).entry = entry
        space.map.nentries = 1
        if objects:
            entry.object, entry.offset = objects[0], self.first_index(objects[0])
            objects[0].ref_count += 1
            self.link(entry, objects)
        return entry

    def first_index(self, owner: Any) -> int:
        """Return where in an object the entry begins."""
        return FILE_FIRST if owner.type == s.OBJT_VNODE else 0

    def link(self, entry: Any, objects: list[Any]) -> None:
        """Hang the layers one below the other, as the protocol does, unless an earlier entry has done so."""
        if objects[0].ref_count == 1 and not objects[1:]:
            objects[0].flags = s.OBJ_ONEMAPPING
        if self.protocol == "chained":
            self.link_objects(objects)
        elif objects[1:]:
            self.link_backings(entry, objects)

    def link_objects(self, objects: list[Any]) -> None:
        """Let each object point to the next."""
        for upper, lower in pairwise(objects):
            if not upper.backing_object:
                upper.backing_object, upper.backing_offset = lower, self.first_index(lower)
                lower.ref_count += 1

    def link_backings(self, entry: Any, objects: list[Any]) -> None:
        """Hang a list of heap bas off the entry, or share that of the first entry."""
        if self.segment.table("Backing").fresh:
            entry.ba.backing_ba = self.entry.ba.backing_ba
            entry.ba.backing_ba.refs += 1
            return
        above = entry.ba
        for lower in objects[1:]:
            ba = self.take("Backing")
            ba.object, ba.offset, ba.refs = lower, self.first_index(lower), 1
            lower.ref_count += 1
            above.backing_ba, above = ba, ba
        self.freeze(entry.ba.backing_ba)

    def freeze(self, ba: Any) -> None:
        """Note what the heap bas must stay."""
        from vmconc.protocols.backing.entries import freeze

        while ba:
            ba.frozen = freeze(ba)
            ba = ba.backing_ba

    def touch(self) -> None:
        """Execute the touch, with a disk beside it."""
        from vmconc.vm.disk import disk_serve
        from vmconc.vm.run import run_cpu

        cpu = self.segment.nth("Cpu", 0)
        self.segment.machine.go = 1
        if jit_off():
            lab = Laboratory(self.segment, [run_cpu, disk_serve], daemons=1)
            lab.engine.strategy = STAY  # the disk goes on when the CPU sleeps
            lab.run(1)
            return
        disk = threading.Thread(target=self.serve, daemon=True)
        disk.start()
        run_cpu(cpu)
        disk.join()

    def serve(self) -> None:
        """Be the disk until the CPU is done."""
        from vmconc.vm.disk import disk_complete, disk_wait

        cpu, disk = self.segment.nth("Cpu", 0), self.segment.nth("Cpu", 1)
        while cpu.state != STATE_DONE:
            request = disk_wait(disk, 0)
            if request:
                record = self.segment.ref("IoRequest", request)
                frame = (record.frame - self.segment.machine.pool) // PAGE_SIZE
                self.segment.frames()[frame] = [file_word(0, record.page, word) for word in range(512)]
                disk_complete(disk, request, 0)
            else:
                processor_yield()

    def verify(self) -> None:
        """Raise EmulatorError unless the touch read what it had to and the machine is as it must be."""
        from vmconc.checks.quiescent import check_quiescent
        from vmconc.checks.violations import inline_violations

        found = inline_violations(self.segment) + check_quiescent(self.segment, self.protocol)
        if found:
            raise EmulatorError(f"{self.protocol}: {found[0]['text']}")
