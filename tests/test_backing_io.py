"""Page-ins and page-outs: who holds the map meanwhile, what an error leaves, what reaches the file."""

import pytest
from helpers_machine import FakeDisk, Machine

from vmconc.program import PlanBuilder
from vmconc.protocols import protocol_names
from vmconc.vm import opcodes as op
from vmconc.vm.disk import WRITE
from vmconc.vm.kern import KERN_FAILURE

pytestmark = pytest.mark.timeout(600)  # the first test may have to compile every kernel

RW, PAGE, BASE = op.PROT_READ | op.PROT_WRITE, 4096, 1 << 30


def reader(layers=0, write=False, pages=3, flags=0):
    """Return a plan that reads pages of a file below some layers of anonymous memory, then leaves."""
    build = PlanBuilder("reader")
    file = build.file("file", 8)
    lwp = build.spawn()
    build.mmap(lwp, BASE, 8 * PAGE, RW, flags, file)
    for _ in range(layers):
        build.touch(lwp, BASE + 7 * PAGE, write=True)
        build.fork(lwp)
    for page in range(pages):
        build.touch(lwp, BASE + page * PAGE, write=write)
    return build.finish()


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("layers", [0, 1, 3])
def test_backing_holds_the_map_and_retries_after_each_page_in(layers, write):
    machine = Machine(reader(layers, write), "backing", heuristic=False).run()
    assert machine.check() == []
    reads = machine.event("pageins")
    assert reads == 3 + (layers > 0)
    assert machine.retried("paged in") == machine.event("pageins_map_held") == reads
    assert machine.event("pageins_map_released") == 0
    below = layers > 0 or write
    assert machine.ops()["attempts"].tolist()[-2:] == [4 if below else 3] * 2


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_chained_unlocks_the_map_and_does_not_retry(layers):
    machine = Machine(reader(layers), "chained").run()
    assert machine.check() == []
    assert machine.event("pageins_map_released") == machine.event("pageins") == 3 + (layers > 0)
    assert machine.event("pageins_map_held") == machine.retried("paged in") == 0


@pytest.mark.parametrize("layers", [0, 2])
@pytest.mark.parametrize("protocol", protocol_names())
def test_one_error_and_then_success(protocol, layers):
    machine = Machine(reader(layers, write=True), protocol, disk=FakeDisk(errors=1)).run()
    assert machine.check() == []
    assert machine.event("io_errors") == 1 and machine.machine.failures == 0
    assert op.OUTCOME_UNMAPPED not in machine.ops()["outcome"]


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("layers", [0, 1, 2])
@pytest.mark.parametrize("protocol", protocol_names())
def test_errors_without_end_leave_nothing_held(protocol, layers, write):
    """B5: pip of the first object and of the deeper one are both zero after errors; no page, no lock is left."""
    machine = Machine(reader(layers, write), protocol, disk=FakeDisk(errors=-1)).run()
    assert machine.check() == []
    ops = machine.ops()
    failed = ops["outcome"] == op.OUTCOME_UNMAPPED
    assert failed.sum() == machine.machine.failures == 3 + layers and set(ops["status"][failed]) == {KERN_FAILURE}
    assert not machine.segment.view("VmObject")["resident_page_count"].any()


@pytest.mark.parametrize("protocol", protocol_names())
def test_wiring_what_cannot_be_read_wires_nothing(protocol):
    build = PlanBuilder("wire")
    file = build.file("file", 8)
    lwp = build.spawn()
    build.mmap(lwp, BASE, 8 * PAGE, RW, 0, file)
    build.mlock(lwp, BASE, 4 * PAGE)
    build.touch(build.fork(lwp), BASE)
    machine = Machine(build.finish(), protocol, disk=FakeDisk(errors=1)).run()
    assert machine.check() == []
    assert not machine.segment.view("VmPage")["wire_count"].any()
    assert machine.ops()["outcome"][-1] != op.OUTCOME_ZERO


@pytest.mark.parametrize("protocol", protocol_names())
def test_msync_writes_what_was_written(protocol):
    build = PlanBuilder("msync")
    file = build.file("file", 8)
    lwp = build.spawn()
    build.mmap(lwp, BASE, 8 * PAGE, RW, op.MAP_SHARED, file)
    for page in (1, 2, 5):
        build.touch(lwp, BASE + page * PAGE, write=page != 2)
    build.msync(lwp, BASE, 4 * PAGE)
    machine = Machine(build.finish(), protocol).run()
    assert machine.check() == []
    written = [page for kind, _, page in machine.disk.served if kind == WRITE]
    assert 1 in written and 5 not in written
    assert machine.disk.content(file, 1)[0] == machine.ops()["stamp"][2]


@pytest.mark.parametrize("protocol", protocol_names())
def test_a_private_page_never_reaches_the_file(protocol):
    build = PlanBuilder("private")
    file = build.file("file", 4)
    lwp = build.spawn()
    build.mmap(lwp, BASE, 4 * PAGE, RW, 0, file)
    build.touch(lwp, BASE, write=True)
    build.msync(lwp, BASE, 4 * PAGE)
    machine = Machine(build.finish(), protocol).run()
    assert machine.check() == []
    assert not [row for row in machine.disk.served if row[0] == WRITE]
