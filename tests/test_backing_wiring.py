"""mlock, and what programs do to wired memory: nothing is lost, counts stay right."""

import numpy as np
import pytest
from helpers_machine import Machine
from test_backing_layers import BASE, PAGE, RW, depths, started

from vmconc.program import PlanBuilder
from vmconc.protocols import protocol_names
from vmconc.vm import opcodes as op

pytestmark = pytest.mark.timeout(600)  # the first test may have to compile every kernel


@pytest.mark.parametrize("protocol", protocol_names())
def test_a_child_of_a_wired_parent_sees_the_newest_pages(protocol):
    """B42: the copy of a wired entry keeps nothing of the parent's layers."""
    build, grandparent = started()
    parent = build.fork(grandparent)
    build.touch(parent, BASE + PAGE, write=True)
    build.mlock(parent, BASE, 4 * PAGE)
    child = build.fork(parent)
    for page in range(4):
        build.touch(child, BASE + page * PAGE)
        build.touch(parent, BASE + page * PAGE, write=True)
        build.touch(child, BASE + page * PAGE, write=True)
    machine = Machine(build.finish(), protocol).run()
    assert machine.check() == []
    assert depths(machine)[2] == 0
    ops = machine.ops()
    assert 8 in ops["expect_parent"][ops["lwp"] == child]  # what the parent wrote into page 1 before the fork


@pytest.mark.parametrize("protocol", protocol_names())
@pytest.mark.parametrize("then", ["mprotect", "unmap", "none", "mremap", "munlock", "fork", "late write"])
def test_wiring_survives_what_programs_do(protocol, then):
    build, lwp = started()
    if then == "late write":
        build.mprotect(lwp, BASE, 4 * PAGE, op.PROT_READ)
        build.fork(lwp)
    build.mlock(lwp, BASE, 4 * PAGE)
    if then in ("mprotect", "none", "late write"):
        build.mprotect(lwp, BASE, 4 * PAGE, 0 if then == "none" else op.PROT_READ)
        build.mprotect(lwp, BASE, 4 * PAGE, RW)
    moved = BASE + 64 * PAGE if then == "mremap" else BASE
    if then == "unmap":
        build.munmap(lwp, BASE + PAGE, PAGE)
    elif then == "mremap":
        build.mremap(lwp, BASE, 4 * PAGE, moved, 4 * PAGE)
    elif then == "munlock":
        build.munlock(lwp, BASE + PAGE, 2 * PAGE)
    build.touch(lwp, moved, write=True)
    child = build.fork(lwp)
    for who in (lwp, child):
        build.touch(who, moved + 3 * PAGE, write=True)
        build.touch(who, moved)
    machine = Machine(build.finish(), protocol).run()
    assert machine.check() == []
    for who in (child, lwp):
        build.munlock(who, BASE, 4 * PAGE)
    for who in build.live():
        build.exit_(who)
    assert Machine(build.finish(), protocol).run().check() == []


@pytest.mark.parametrize("protocol", protocol_names())
def test_wiring_a_file_twice_wires_its_pages_twice(protocol):
    build = PlanBuilder("file")
    file = build.file("file", 8)
    lwps = [build.spawn(), build.spawn()]
    for lwp in lwps:
        build.mmap(lwp, BASE, 4 * PAGE, op.PROT_READ, op.MAP_SHARED, file)
        build.mlock(lwp, BASE, 4 * PAGE)
    third = build.spawn()
    build.mmap(third, BASE, 4 * PAGE, op.PROT_READ, op.MAP_SHARED, file)
    build.touch(third, BASE)
    machine = Machine(build.finish(), protocol).run()
    assert machine.check() == []
    assert sorted(np.unique(machine.segment.view("VmPage")["wire_count"], return_counts=True)[1].tolist()) == [4, 2044]
    build.munlock(lwps[0], BASE, 4 * PAGE)
    build.exit_(lwps[1])
    assert Machine(build.finish(), protocol).run().check() == []
