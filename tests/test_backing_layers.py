"""What `backing` does to layers: they accumulate by design, are shared, and go when nobody reaches them any more."""

import pytest
from helpers_machine import Machine

from vmconc.checks.layers import Layers
from vmconc.checks.quiescent_state import State
from vmconc.program import PlanBuilder
from vmconc.protocols import protocol_names
from vmconc.vm import opcodes as op

pytestmark = pytest.mark.timeout(600)  # the first test may have to compile every kernel

RW, PAGE, BASE = op.PROT_READ | op.PROT_WRITE, 4096, 1 << 30


def started(pages=4, **more):
    """Return a builder, and its first LWP with that many pages written."""
    build = PlanBuilder("layers")
    lwp = build.spawn()
    build.mmap(lwp, BASE, pages * PAGE, RW, 0, **more)
    for page in range(pages):
        build.touch(lwp, BASE + page * PAGE, write=True)
    return build, lwp


def depths(machine):
    """Return for each space, in the order they were made, how many layers lie below its first entry."""
    state = State(machine.segment, machine.protocol)
    layers = Layers(state)
    first = {int(space): int(entry) for space, entry in zip(state.entry_space[::-1], state.entries[::-1], strict=True)}
    return [len(list(layers.of(first[space]))) - 1 for space in sorted(first)]


@pytest.mark.parametrize("forks", [1, 2, 5, 12])
def test_children_that_live_add_a_layer_at_each_write_of_the_parent(forks):
    build, parent = started()
    for _ in range(forks):
        build.fork(parent)
        build.touch(parent, BASE, write=True)
    build.touch(parent, BASE + 3 * PAGE, write=True)
    machine = Machine(build.finish(), "backing").run()
    assert machine.check() == []
    assert depths(machine) == [forks, *range(forks)]
    assert machine.ops()["depth"][-1] == forks
    assert machine.event("shadows") == forks


def test_depth_does_not_shrink_when_children_exit():
    build, parent = started()
    children = []
    for _ in range(4):
        children.append(build.fork(parent))
        build.touch(parent, BASE, write=True)
    for child in children:
        build.exit_(child)
    machine = Machine(build.finish(), "backing").run()
    assert machine.check() == []
    assert depths(machine) == [4]


def test_a_child_that_exits_before_the_write_costs_no_layer():
    build, parent = started()
    for _ in range(4):
        build.exit_(build.fork(parent))
        build.touch(parent, BASE, write=True)
    machine = Machine(build.finish(), "backing").run()
    assert machine.check() == []
    assert depths(machine) == [0]
    assert not machine.segment.table("Backing").fresh


def test_each_generation_that_writes_is_one_deeper_and_siblings_share_what_lies_below():
    build, lwp = started()
    for _ in range(5):
        lwp = build.fork(lwp)
        build.touch(lwp, BASE + PAGE, write=True)
    build.fork(lwp)
    machine = Machine(build.finish(), "backing").run()
    assert machine.check() == []
    assert depths(machine) == [0, 1, 2, 3, 4, 5, 5]
    refs = machine.segment.view("Backing")["refs"][State(machine.segment, "backing")["Backing"].alive]
    assert refs.max() == 2 and len(refs) == 5


def test_everything_goes_when_the_last_space_goes():
    build, parent = started()
    everybody = [parent]
    for _ in range(5):
        everybody.append(build.fork(everybody[-1]))
        build.touch(everybody[-1], BASE, write=True)
    for lwp in everybody:
        build.exit_(lwp)
    assert Machine(build.finish(), "backing").run().check() == []


def test_a_clip_shares_the_list():
    build, parent = started(pages=8)
    child = build.fork(parent)
    build.touch(parent, BASE, write=True)
    build.munmap(parent, BASE + 2 * PAGE, PAGE)
    for page in (1, 3, 7):
        build.touch(parent, BASE + page * PAGE)
    build.touch(child, BASE + 2 * PAGE)
    machine = Machine(build.finish(), "backing").run()
    assert machine.check() == []
    assert machine.segment.view("Backing")["refs"][State(machine.segment, "backing")["Backing"].alive] == [2]


@pytest.mark.parametrize(("heuristic", "attempts"), [(False, 20), (True, 11)])
def test_the_heuristic_saves_an_attempt(heuristic, attempts):
    build, _ = started(pages=10)
    machine = Machine(build.finish(), "backing", heuristic=heuristic).run()
    assert machine.check() == []
    assert machine.event("attempts") == attempts
    assert machine.retried("first object needed exclusive") == attempts - 10


def test_finding_a_page_clears_the_heuristic():
    build, lwp = started(pages=2)
    build.mprotect(lwp, BASE, 2 * PAGE, op.PROT_READ)
    build.mprotect(lwp, BASE, 2 * PAGE, RW)
    build.touch(lwp, BASE, write=True)
    machine = Machine(build.finish(), "backing").run()
    assert not machine.segment.view("VmMapEntry")["ba"]["flags"].any()


@pytest.mark.parametrize("protocol", protocol_names())
def test_inheritance(protocol):
    build, parent = started(pages=3)
    build.minherit(parent, BASE, PAGE, op.INHERIT_SHARE)
    build.minherit(parent, BASE + PAGE, PAGE, op.INHERIT_NONE)
    child = build.fork(parent)
    build.touch(parent, BASE, write=True)
    build.touch(parent, BASE + 2 * PAGE, write=True)
    build.touch(child, BASE, write=True)
    build.touch(child, BASE + PAGE, kernel=True)
    build.touch(child, BASE + 2 * PAGE)
    build.touch(parent, BASE)
    machine = Machine(build.finish(), protocol).run()
    assert machine.check() == []
    frames, ops = machine.segment.frames(), machine.ops()
    both = [ops["stamp"][5 + 3], ops["stamp"][5 + 5]]
    assert any((frame[:2] == both).all() for frame in frames), "both see the page that both wrote"
    assert ops["outcome"].tolist()[11] == op.OUTCOME_UNMAPPED
    assert ops["seen_parent"][12] == ops["stamp"][4]


@pytest.mark.parametrize("protocol", protocol_names())
def test_a_sharer_keeps_an_old_page_that_it_has_mapped_as_in_the_kernel(protocol):
    """Copy-on-write into an object that is shared unmaps the page below from the writer's own space only."""
    build, first = started(pages=2)
    build.fork(first)
    build.touch(first, BASE + PAGE, write=True)
    build.minherit(first, BASE, 2 * PAGE, op.INHERIT_SHARE)
    sharer = build.fork(first)
    build.touch(sharer, BASE)
    build.touch(first, BASE, write=True)
    build.touch(sharer, BASE)
    build.mprotect(sharer, BASE, 2 * PAGE, 0)
    build.mprotect(sharer, BASE, 2 * PAGE, RW)
    build.touch(sharer, BASE)
    machine = Machine(build.finish(), protocol).run()
    assert machine.check() == []
    ops = machine.ops()
    seen = ops["seen_parent"][(ops["kind"] == op.TOUCH) & (ops["lwp"] == sharer)].tolist()
    assert seen == [3, 3, 10]


@pytest.mark.parametrize("protocol", protocol_names())
def test_a_stack_grows(protocol):
    build = PlanBuilder("stack")
    lwp = build.spawn()
    build.mmap(lwp, BASE + 512 * PAGE, 4 * PAGE, RW, op.MAP_STACK)
    for page in (514, 511, 500, 505, 300):
        build.touch(lwp, BASE + page * PAGE, write=True)
    child = build.fork(lwp)
    build.touch(child, BASE + 200 * PAGE, write=True)
    build.touch(child, BASE + 300 * PAGE)
    build.touch(lwp, BASE + 200 * PAGE, kernel=False)
    machine = Machine(build.finish(), protocol).run()
    assert machine.check() == []


@pytest.mark.parametrize("protocol", protocol_names())
def test_mremap_moves_pages_and_grows(protocol):
    build, lwp = started()
    build.mmap(lwp, BASE + 4 * PAGE, 2 * PAGE, op.PROT_READ, 0)
    build.mremap(lwp, BASE, 4 * PAGE, BASE + 64 * PAGE, 8 * PAGE)
    for page in range(64, 72):
        build.touch(lwp, BASE + page * PAGE, write=True)
    build.mremap(lwp, BASE + 64 * PAGE, 8 * PAGE, BASE + 64 * PAGE, 2 * PAGE)
    build.mmap(lwp, BASE + 67 * PAGE, PAGE, op.PROT_READ, 0)
    build.mremap(lwp, BASE + 64 * PAGE, 2 * PAGE, BASE + 64 * PAGE, 6 * PAGE)  # over what is in its way
    for page in (64, 65, 66, 67, 69):
        build.touch(lwp, BASE + page * PAGE, write=True)
    machine = Machine(build.finish(), protocol).run()
    assert machine.check() == []
    assert machine.ops()["seen_own"].tolist()[-5:] == [9, 10, 0, 0, 0]
