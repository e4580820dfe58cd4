"""Two CPUs meet under `chained`: the map is unlocked while a page is read, chains change while somebody walks them."""

import time
from collections.abc import Iterator

import pytest
from conftest import MODE, orders
from helpers_chained import (
    BASE,
    PAGE,
    RW,
    SHIFT,
    Chain,
    busy_until_wanted,
    collapse_now,
    collapse_when_asleep,
    fault_once,
    fault_when_owned,
    fork_when_busy,
    objects,
    own_until_asleep,
    page_of,
    put_page,
    run_meanwhile,
)
from helpers_machine import FakeDisk, Machine

from vmconc.locks.classes import CHAIN
from vmconc.locks.cpu import STATE_BLOCKED, STATE_DONE
from vmconc.locks.sleep import PATIENCE, look_later
from vmconc.memory.jit import jit_off
from vmconc.program import PlanBuilder
from vmconc.program.plan import file_word
from vmconc.vm.page import VM_WAIT
from vmconc.vm.run import run_cpu

ORDERS = 100
only_in_turns = pytest.mark.skipif(not jit_off(), reason="only CPUs that take turns meet in many ways")


class PatientDisk(FakeDisk):
    """Does not transfer page 7 before CPU 1 is done, or sleeps for a chain lock."""

    def __init__(self, ready):
        super().__init__()
        self.ready = ready

    def transfer(self, segment, request):
        """Wait, then transfer."""
        end, late = time.monotonic() + 10, segment.ref("IoRequest", request).page == 7
        while late and time.monotonic() < end and not self.ready(segment.nth("Cpu", 1)):
            look_later(segment.nth("Cpu", 2), PATIENCE) if MODE == "controlled" else time.sleep(0.0002)
        return super().transfer(segment, request)


def done(cpu) -> bool:
    """Tell whether a CPU has nothing left to do."""
    return cpu.state == STATE_DONE


def wants_chain(cpu) -> bool:
    """Tell whether a CPU sleeps for a chain lock."""
    return cpu.state == STATE_BLOCKED and cpu.wait_class == CHAIN


def race(plan, ready) -> Iterator[Machine]:
    """Run a plan whose fifth operation on CPU 0 reads page 7 in: all of CPU 1's run meanwhile, until `ready`."""
    machine = Machine(plan, "chained", 2, PatientDisk(ready))
    first, second = (machine.segment.nth("Cpu", i) for i in range(2))
    machine.machine.go = 1
    for _ in orders(machine.segment, (run_cpu, first), (run_meanwhile, second, first, 4), machine.serve, count=ORDERS):
        yield machine


def two_threads(change, write):
    """Return a plan: one thread reads a page of a file in while the other does `change`."""
    build = PlanBuilder("two")
    file = build.file("file", 16)
    lwp = build.spawn()
    build.mmap(lwp, BASE, 8 * PAGE, RW, 0, file)
    build.touch(lwp, BASE, write=True)  # an object in front of the file
    other = build.vfork(lwp)
    build.touch(lwp, BASE + 7 * PAGE, write=write)
    change(build, other)
    return build.finish()


def read_in(machine) -> None:
    """Assert what is true of every such run."""
    assert machine.check() == []
    assert machine.event("pageins_map_held") == 0
    assert machine.event("map_relock_timed") == machine.event("map_unlock_for_io") >= 2


@pytest.mark.parametrize("write", [False, True])
def test_timestamp_has_changed(write):
    """Another thread has mapped something meanwhile: everything is released and the fault begins anew."""
    plan = two_threads(lambda build, other: build.mmap(other, BASE + 64 * PAGE, PAGE, RW, 0), write)
    for machine in race(plan, done):
        read_in(machine)
        assert machine.retried("map timestamp changed") == machine.event("ts_fail") == 1
        assert machine.retried("map relock timed out") == 0


@pytest.mark.parametrize("write", [False, True])
def test_relock_times_out(write):
    """Another thread holds the map and waits for the chain lock: who waits for the map with a chain lock gives way."""
    plan = two_threads(lambda build, other: build.munmap(other, BASE + 2 * PAGE, PAGE), write)
    for machine in race(plan, wants_chain):
        read_in(machine)
        assert machine.retried("map relock timed out") == 1 and machine.event("ts_fail") == 0


def test_fork_waits_for_a_page_in():
    """A fork needs the chain lock of the object in front, too."""
    build = PlanBuilder("fork")
    file = build.file("file", 16)
    lwp = build.spawn()
    build.mmap(lwp, BASE, 8 * PAGE, RW, 0, file)
    build.touch(lwp, BASE, write=True)
    other = build.vfork(lwp)
    build.touch(lwp, BASE + 7 * PAGE, write=True)
    child = build.fork(other)
    build.touch(child, BASE + 7 * PAGE)
    for machine in race(build.finish(), wants_chain):
        read_in(machine)
        assert machine.retried("map relock timed out") >= 1


def test_read_error_gives_everything_back():
    """A page that cannot be read, in front and below: the touch is tried again and succeeds in the end."""
    plan = two_threads(lambda build, other: None, True)
    machine = Machine(plan, "chained", 2, FakeDisk(errors=3)).run()
    assert machine.check() == [] and machine.event("io_errors") == 3


def busy_chain():
    """Return a chain over a file, some of its pages, and a second CPU."""
    chain = Chain("DDDDV", cpus=2)
    for layer in (1, 2, 3):
        put_page(chain.cpu, chain.objects[layer], 7 + layer * SHIFT, 100 + layer)
    return chain


def complaints(chain) -> list[str]:
    """Say what is wrong: the fault shall have found the page of the file, and nobody still use an object."""
    found = chain.machine.broken()
    if chain.word() != file_word(0, chain.index + 4, 0):
        found.append(f"the page that is mapped begins with {chain.word()}")
    for object in objects(chain.machine):
        use = object.pip.word, object.chain.word, object.hold_count
        if use != (0, 0, 0):
            found.append(f"pip, chain lock and holds of object {object.off} are {use}")
    return found


@pytest.mark.parametrize("write", [0, 1])
def test_fault_and_collapse(write):
    """The walk to the file holds no chain lock: an object may go while it stands there."""
    chain = busy_chain()
    other = chain.machine.segment.nth("Cpu", 1)
    other.state, chain.cpu.state = STATE_DONE, 0
    fault = fault_once, chain.cpu, chain.space, chain.va, write
    collapse = collapse_now, other, chain.entry.object
    for _ in orders(chain.machine.segment, fault, collapse, chain.machine.serve, count=ORDERS):
        assert complaints(chain) == []
        assert chain.machine.event("collapses") == 3 or chain.machine.event("renames") > 0


@only_in_turns
def test_walk_to_the_file_begins_anew():
    """The object that a walk stands on goes while it waits for the next: it starts at the front again."""
    chain, taken = Chain("DDDDV", cpus=3), set()
    first, second, third = (chain.machine.segment.nth("Cpu", i) for i in range(3))
    first.state, second.state, third.state = 0, STATE_DONE, STATE_DONE
    middle, front = chain.objects[2], chain.entry.object
    bodies = (
        (fault_when_owned, first, chain.space, chain.va, 1, middle.token),
        (collapse_when_asleep, second, front, first),
        (own_until_asleep, third, middle, first, second),
        chain.machine.serve,
    )
    for _ in orders(chain.machine.segment, *bodies, count=ORDERS):
        assert complaints(chain) == []
        taken.add(chain.machine.event("tok_vnwalk") - 4 * (chain.machine.event("attempts") - 1))
    assert len(taken) > 1


def test_split_waits_for_a_busy_page():
    """Nothing is lost."""
    chain = Chain("D", resident=[0], cpus=2)
    chain.entry.object.ref_count += 1  # as if a neighbour mapped another part
    page, other = page_of(chain.entry.object, chain.index), chain.machine.segment.nth("Cpu", 1)
    bodies = (fork_when_busy, chain.cpu, chain.space, page), (busy_until_wanted, other, page, chain.cpu)
    for _ in orders(chain.machine.segment, *bodies):
        assert chain.machine.event("splits") == 1 and page.object == chain.entry.object != chain.objects[0]
        assert chain.machine.broken() == [] and chain.cpu.tokens_lost > 0


def test_fault_waits_for_memory():
    """No frame is free: everything is released until there is one."""
    build = PlanBuilder("memory")
    file, lwp, other = build.file("file", 16), build.spawn(), build.spawn()
    build.mmap(lwp, BASE, 64 * PAGE, RW, 0)
    build.mmap(other, BASE, 64 * PAGE, RW, 0)
    build.mmap(lwp, BASE + 64 * PAGE, 8 * PAGE, RW, 0, file)
    for page in range(40):
        build.touch(lwp, BASE + page * PAGE, write=True)
    build.touch(lwp, BASE + 71 * PAGE)
    build.exit_(lwp)
    for page in range(30):
        build.touch(other, BASE + page * PAGE, write=True)
    plan = build.finish()
    machine = Machine(plan, "chained", 2, PatientDisk(wants_memory), frames=64)
    first, second = (machine.segment.nth("Cpu", i) for i in range(2))
    machine.machine.go = 1
    for _ in orders(machine.segment, (run_cpu, first), (run_meanwhile, second, first, 43), machine.serve, count=10):
        assert machine.check() == [] and machine.retried("allocation failed or raced") > 0


def wants_memory(cpu) -> bool:
    """Tell whether a CPU sleeps for a free frame."""
    return cpu.state == STATE_BLOCKED and cpu.reason == VM_WAIT
