"""Chains built by hand, CPUs that take turns at random, programs made at random: for the tests of `chained`."""

import random

import numpy as np
from conftest import run_cpus
from helpers_machine import Machine
from helpers_turns import Turns

from vmconc.locks.busy import busy_release, busy_try
from vmconc.locks.classes import CHAIN, COUNT_COLUMNS, EXCLUSIVE, PIP, SHARED, VM_MAP, VM_OBJECT, VNODE
from vmconc.locks.cpu import STATE_BLOCKED, STATE_DONE
from vmconc.locks.sites import site
from vmconc.locks.sleep import PATIENCE, look_later
from vmconc.memory.jit import kernel
from vmconc.memory.refs import at, words_at
from vmconc.program import PlanBuilder
from vmconc.protocols.chained.collapse import collapse
from vmconc.protocols.chained.links import chain_object_acquire, chain_object_release
from vmconc.vm import opcodes as op
from vmconc.vm.disk import DISK_IO
from vmconc.vm.events import EVENT_NAMES
from vmconc.vm.fault import resolve_fault
from vmconc.vm.fork import space_fork
from vmconc.vm.map import map_lookup_entry
from vmconc.vm.object import object_allocate, object_drop, object_hold
from vmconc.vm.page import page_alloc, page_free
from vmconc.vm.queue import page_activate
from vmconc.vm.radix import radix_get
from vmconc.vm.run import run_cpu
from vmconc.vm.structs import OBJT_DEFAULT, OBJT_VNODE, VALID_ALL

PAGE, BASE, RW = 4096, 1 << 30, op.PROT_READ | op.PROT_WRITE
HERE = site("test.chained")
PAGES = 16  # of each object built by hand
SHIFT = 1  # pages added by each step down
CELLS = ("tok", "chain", "map", "vnode")


@kernel
def put_page(cpu, object, index, value):
    """Make a valid page whose first word is `value`."""
    object_hold(cpu, object, EXCLUSIVE, HERE)
    page = page_alloc(cpu, object, index)
    words_at(cpu, page.frame)[0] = value
    page.valid = VALID_ALL
    page_activate(cpu, page)
    busy_release(cpu, page.busy)
    object_drop(cpu, object)


@kernel
def fault_once(cpu, space, va, write):
    """Resolve one fault; say that the CPU is done, which ends the disk."""
    status = resolve_fault(cpu, space, va, write, 0)
    cpu.state = STATE_DONE
    return status


class Chain:
    """One space with one entry over a chain of objects: `types` from the front, 'D' or at the end 'V'."""

    def __init__(self, types: str, resident=(), index=3, cpus=1):
        build = PlanBuilder("chain")
        build.file("file", 64)
        lwp = build.spawn()
        build.mmap(lwp, BASE, PAGES * PAGE, RW, 0)
        build.touch(lwp, BASE, write=True)
        self.machine = Machine(build.finish(), "chained", cpus)
        self.cpu = self.machine.segment.nth("Cpu", 0)
        self.machine.machine.go = 1
        run_cpu(self.cpu)
        self.index, self.va = index, BASE + index * PAGE
        self.space = self.machine.segment.nth("Lwp", 0).space
        self.entry = map_lookup_entry(self.space.map, BASE)
        self.objects = self.link(types)
        for layer in resident:
            put_page(self.cpu, self.objects[layer], index + layer * SHIFT, 1000 + layer)

    def link(self, types: str) -> list:
        """Put the objects below one another."""
        objects = [self.entry.object]
        if types[0] == "V":
            self.entry.object = self.machine.segment.nth("Vnode", 0).object
            return [self.entry.object]
        for kind in types[1:]:
            if kind == "V":
                below = self.machine.segment.nth("Vnode", 0).object
                below.ref_count += 1
            else:
                below = object_allocate(self.cpu, OBJT_DEFAULT, PAGES + len(types))
            objects[-1].backing_object, objects[-1].backing_offset = below, SHIFT
            objects.append(below)
        return objects

    def fault(self, write: bool) -> dict[str, int]:
        """Resolve a fault at the chosen page; return what it counted."""
        cpu = self.machine.segment.view("Cpu")[0]
        for name in ("counts", "events", "retries"):
            cpu[name][:] = 0
        self.cpu.state = 0
        bodies = [(fault_once, self.cpu, self.space, self.va, int(write))]
        status = run_cpus(self.machine.segment, *bodies, self.machine.serve)[0]
        assert status == 0
        return counted(cpu)

    def word(self) -> int:
        """Return the first word of the page that is mapped at the chosen address."""
        return int(self.frame()[0])

    def frame(self) -> np.ndarray:
        """Return the words of the page that is mapped at the chosen address."""
        from vmconc.vm.pmap import pmap_extract

        pte = pmap_extract(self.space.pmap, self.va)
        machine = self.machine.segment.machine
        return self.machine.segment.frames()[((pte & ~0xFFF) - machine.pool) // PAGE]

    def writable(self) -> bool:
        """Tell whether the chosen address is mapped writable."""
        from vmconc.vm.pmap import pmap_extract

        return pmap_extract(self.space.pmap, self.va) & 2 != 0


def counted(cpu) -> dict[str, int]:
    """Name what a CPU's record counted, as the calculator does; what is zero is left out."""
    counts = cpu["counts"].reshape(-1, COUNT_COLUMNS)
    found = {name: int(cpu["events"][number]) for number, name in EVENT_NAMES.items()}
    for name, cls in (("tok", VM_OBJECT), ("chain", CHAIN), ("map", VM_MAP), ("vnode", VNODE)):
        found[f"{name}_S"], found[f"{name}_X"] = int(counts[cls][SHARED]), int(counts[cls][EXCLUSIVE])
    found["map_S"] -= found["map_relock_timed"]
    assert int(counts[PIP][SHARED]) == found["pip"]
    for name in ("shootdowns", "pageins", "pageins_map_released", "faults"):
        found.pop(name)
    return {name: number for name, number in found.items() if number}


def run_at_random(machine: Machine, seed: int) -> Machine:
    """Run a machine's plan with CPUs that take turns at random (JIT off)."""
    machine.machine.go = 1
    bodies = [(run_cpu, machine.segment.nth("Cpu", i)) for i in range(machine.cpus)]
    next(Turns(machine.segment, [*bodies, machine.serve]).some(1, seed))
    return machine


def objects(machine: Machine) -> list:
    """Return the objects that exist and are no file's."""
    view = machine.segment.view("VmObject")
    places = np.flatnonzero((view["life"] & 1 == 1) & (view["type"] != OBJT_VNODE))
    return [machine.segment.nth("VmObject", int(i)) for i in places]


def depths(machine: Machine) -> list[int]:
    """Return, for each map entry with an object, how many objects lie below its first."""
    view = machine.segment.view("VmMapEntry")
    found = []
    for i in np.flatnonzero((view["life"] & 1 == 1) & (view["ba"]["object"] != 0)):
        object, depth = machine.segment.nth("VmMapEntry", int(i)).object, 0
        while object.backing_object:
            object, depth = object.backing_object, depth + 1
        found.append(depth)
    return found


class Storm:
    """A program made at random: processes that fork, write, unmap, map again and exit, with files below some of it."""

    def __init__(self, seed: int, steps: int, roots: int = 2, most: int = 8, rare: bool = True):
        self.build = PlanBuilder(f"storm{seed}", seed)
        self.random, self.most, self.rare = random.Random(seed), most, rare
        files = [self.build.file(f"file{i}", 16) for i in range(2)]
        self.alive = [self.build.spawn() for _ in range(roots)]
        self.alone = set(self.alive)  # the only LWP of its space
        for number, lwp in enumerate(self.alive):
            self.build.mmap(lwp, BASE, 24 * PAGE, RW, 0)
            self.build.mmap(lwp, BASE + 32 * PAGE, 8 * PAGE, RW, 0, files[number % 2], 2 * PAGE)
            self.build.mmap(lwp, BASE + 48 * PAGE, 4 * PAGE, RW, op.MAP_SHARED, files[0])
            self.build.mmap(lwp, BASE + 56 * PAGE, 4 * PAGE, RW, op.MAP_SHARED)
        for _ in range(steps):
            self.step()
        for lwp in list(self.alive):
            self.exit(lwp)

    def page(self) -> int:
        """Choose a page, most often of the anonymous range."""
        start, length = self.random.choice([(0, 24), (0, 24), (0, 6), (32, 8), (32, 8), (48, 4), (56, 4)])
        return start + self.random.randrange(length)

    def part(self, start: int = 0, length: int = 24) -> tuple[int, int]:
        """Choose a part of a range: address and bytes."""
        first = self.random.randrange(length)
        return BASE + (start + first) * PAGE, self.random.randint(1, min(8, length - first)) * PAGE

    def step(self) -> None:
        """Let one LWP do something."""
        lwp, dice = self.random.choice(self.alive), self.random.random()
        if dice < 0.72:
            for _ in range(self.random.randint(1, 8)):
                self.build.touch(lwp, BASE + self.page() * PAGE, write=self.random.random() < 0.6)
        elif dice < 0.82 and len(self.alive) < self.most:
            self.fork(lwp)
        elif dice < 0.87 and len(self.alive) > 1:
            self.exit(lwp)
        else:
            self.change(lwp)

    def fork(self, lwp: int) -> None:
        """Start a process or, seldom, a thread."""
        if self.random.random() < 0.8:
            child = self.build.fork(lwp)
        else:
            child = self.build.vfork(lwp)
        self.alive.append(child)

    def exit(self, lwp: int) -> None:
        """End an LWP."""
        self.alive.remove(lwp)
        self.build.exit_(lwp)

    def change(self, lwp: int) -> None:
        """Change the map of an LWP: what is unmapped is mapped again, so that every touch finds something."""
        build, (va, length), dice = self.build, self.part(), self.random.random()
        if dice < 0.45:
            build.munmap(lwp, va, length)
            build.mmap(lwp, va, length, RW, 0)
        elif dice < 0.6:
            build.mprotect(lwp, va, length, op.PROT_READ)
            build.touch(lwp, va)
            build.mprotect(lwp, va, length, RW)
        elif dice < 0.7:
            va, length = self.part(32, 8)
            build.munmap(lwp, va, length)
            build.mmap(lwp, va, length, RW, 0, 0, va - BASE - 30 * PAGE)
        elif dice < 0.8:
            build.madvise(lwp, va, length, op.ADVICE_DONTNEED)
            build.msync(lwp, BASE + 48 * PAGE, 4 * PAGE)
        elif dice < 0.9:
            far = va + (1 << 24)
            build.mremap(lwp, va, length, far, length)
            build.touch(lwp, far, write=True)
            build.mremap(lwp, far, length, va, length)
        elif self.rare:
            build.mlock(lwp, va, length)
            build.touch(lwp, va, write=True)
            build.munlock(lwp, va, length)


@kernel
def collapse_now(cpu, object):
    """Shorten the chain below an object as its callers do; say that the CPU is done."""
    object_hold(cpu, object, EXCLUSIVE, HERE)
    chain_object_acquire(cpu, object, EXCLUSIVE, HERE)
    collapse(cpu, object)
    chain_object_release(cpu, object)
    object_drop(cpu, object)
    cpu.state = STATE_DONE


@kernel
def collapse_when_busy(cpu, object, page):
    """The same once somebody has the page busy."""
    while page.busy.word == 0:
        look_later(cpu, PATIENCE)
    collapse_now(cpu, object)


@kernel
def busy_until_wanted(cpu, page, other):
    """Keep a page busy until the other CPU sleeps."""
    busy_try(cpu, page.busy, True, HERE)
    while other.state != STATE_BLOCKED:
        look_later(cpu, PATIENCE)
    busy_release(cpu, page.busy)


@kernel
def page_of(object, index):
    """Return the page at an index."""
    return at(object, "VmPage", radix_get(object.pages, index))


@kernel
def free_page(cpu, object, page):
    """Free a page that is not hard-busy, whether or not somebody has it soft-busy."""
    object_hold(cpu, object, EXCLUSIVE, HERE)
    busy_try(cpu, page.busy, False, HERE)
    page_free(cpu, page)
    object_drop(cpu, object)


@kernel
def run_meanwhile(cpu, other, number):
    """Execute a CPU's operations, but not before the other one sleeps for the disk in its operation `number`."""
    while other.op != number or other.state != STATE_BLOCKED or other.reason != DISK_IO:
        look_later(cpu, PATIENCE)
    run_cpu(cpu)


@kernel
def own_until_asleep(cpu, object, one, other):
    """Own an object's token until two CPUs sleep."""
    object_hold(cpu, object, EXCLUSIVE, HERE)
    while one.state != STATE_BLOCKED or other.state != STATE_BLOCKED:
        look_later(cpu, PATIENCE)
    object_drop(cpu, object)
    cpu.state = STATE_DONE


@kernel
def fault_when_owned(cpu, space, va, write, token):
    """Resolve a fault once somebody owns a token."""
    while token.word == 0:
        look_later(cpu, PATIENCE)
    return fault_once(cpu, space, va, write)


@kernel
def collapse_when_asleep(cpu, object, other):
    """Shorten the chain below an object once another CPU sleeps."""
    while other.state != STATE_BLOCKED:
        look_later(cpu, PATIENCE)
    collapse_now(cpu, object)


@kernel
def fork_when_busy(cpu, space, page):
    """Copy a space once somebody has a page busy."""
    while page.busy.word == 0:
        look_later(cpu, PATIENCE)
    space_fork(cpu, space)
