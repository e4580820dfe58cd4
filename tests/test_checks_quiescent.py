"""What is checked at quiescence: silent on what programs leave; each check catches a state broken in its way."""

import time

import pytest
from helpers_breakers import BACKING_BREAKERS, BREAKERS
from helpers_hand import Hand
from helpers_machine import Machine

from vmconc.checks.layers import Layers
from vmconc.checks.quiescent import check_quiescent
from vmconc.checks.quiescent_report import KEPT, RULES
from vmconc.checks.quiescent_state import State
from vmconc.program import PlanBuilder
from vmconc.protocols import protocol_names
from vmconc.vm import opcodes as op

pytestmark = pytest.mark.timeout(600)  # the first test may have to compile every kernel

RW, PAGE, BASE = op.PROT_READ | op.PROT_WRITE, 4096, 1 << 30


def living_plan():
    """Return a plan that leaves three spaces with layers, holes, files, shared and wired memory behind."""
    build = PlanBuilder("living")
    file = build.file("file", 8)
    parent = build.spawn()
    build.mmap(parent, BASE, 16 * PAGE, RW, 0)
    build.mmap(parent, BASE + 64 * PAGE, 8 * PAGE, RW, 0, file)
    build.mmap(parent, BASE + 96 * PAGE, 4 * PAGE, RW, op.MAP_SHARED, file, 4 * PAGE)
    build.mmap(parent, BASE + 128 * PAGE, 4 * PAGE, RW, op.MAP_SHARED)
    build.mmap(parent, BASE + 192 * PAGE, 4 * PAGE, RW, 0)
    build.mlock(parent, BASE + 192 * PAGE, 4 * PAGE)
    for page in [*range(12), *range(64, 68), 96, 128]:
        build.touch(parent, BASE + page * PAGE, write=True)
    build.touch(parent, BASE + 69 * PAGE)
    children = [build.fork(parent), build.fork(parent)]
    for number, lwp in enumerate([parent, *children]):
        for page in [*range(number, 12, 3), 14 + number % 2, 64 + number, 97, 129]:
            build.touch(lwp, BASE + page * PAGE, write=True)
        for page in [*range(12), 70, 99, 130, 192]:
            build.touch(lwp, BASE + page * PAGE)
    build.munmap(children[0], BASE + 5 * PAGE, 2 * PAGE)
    build.mprotect(children[1], BASE + 2 * PAGE, 2 * PAGE, op.PROT_READ)
    grandchild = build.fork(children[0])
    build.touch(grandchild, BASE + PAGE, write=True)
    build.touch(children[0], BASE + 2 * PAGE, write=True)
    build.fork(grandchild)
    build.touch(grandchild, BASE + PAGE, write=True)
    return build.finish()


@pytest.fixture(scope="module", params=protocol_names())
def at_rest(request):
    """Run the plan once for all tests of this module; return the machine and its tables."""
    machine = Machine(living_plan(), request.param, cpus=2).run()
    return machine, bytes(machine.segment.map[: machine.machine.pool])


@pytest.fixture
def living(at_rest):
    """Return a machine at rest that may be broken: its tables are restored before the next test."""
    machine, tables = at_rest
    yield machine
    machine.segment.map[: machine.machine.pool] = tables


def test_the_living_machine_has_what_is_to_be_broken(living):
    state = State(living.segment, living.protocol)
    layers = Layers(state)
    depths = [len(list(layers.of(entry))) for entry in state.entries.tolist()]
    assert max(depths) >= 3 and len(state["Vmspace"].alive) >= 4
    assert (state["VmPage"]["wire_count"] > 0).sum() == 4
    assert living.check() == []


@pytest.mark.parametrize("name", BREAKERS)
def test_a_broken_state_is_caught(living, name):
    rule, breaker = BREAKERS[name]
    breaker(Hand(living))
    assert rule in living.rules()


@pytest.mark.parametrize("name", BACKING_BREAKERS)
def test_a_broken_ba_is_caught(living, name):
    if living.protocol != "backing":
        pytest.skip("only backing has heap bas")
    rule, breaker = BACKING_BREAKERS[name]
    breaker(Hand(living))
    assert rule in living.rules()


def test_every_rule_is_broken_by_a_test():
    broken = {rule for rule, _ in [*BREAKERS.values(), *BACKING_BREAKERS.values()]}
    assert broken | {"leak"} == set(RULES)


def test_a_violation_says_all_and_many_are_counted(living):
    living.segment.view("VmPage")["busy"]["word"] = 1
    found = check_quiescent(living.segment, living.protocol)
    first = next(v for v in found if v["rule"] == "page-busy")
    assert set(first) == {"rule", "invariant", "subject", "expected", "found", "text"}
    assert (first["subject"], first["expected"], first["found"]) == ("VmPage 0 busy.word", 0, 1)
    assert first["text"].startswith("page-busy: ") and "seed 0" in first["text"]
    assert sum(v["rule"] == "page-busy" for v in found) == KEPT + 1
    assert "2032 more" in [v for v in found if v["rule"] == "page-busy"][-1]["text"]


@pytest.mark.parametrize("protocol", protocol_names())
@pytest.mark.parametrize("table", ["VmMapEntry", "Backing", "PageTable", "PvEntry", "VmObject"])
def test_a_leak_is_caught(protocol, table):
    build = PlanBuilder("short")
    lwp = build.spawn()
    build.mmap(lwp, BASE, 4 * PAGE, RW, 0)
    build.touch(lwp, BASE, write=True)
    build.exit_(lwp)
    machine = Machine(build.finish(), protocol).run()
    assert machine.check() == []
    records = machine.segment.table(table)
    records.fresh = max(records.fresh, 1)
    machine.segment.view(table)["life"][0] |= 1
    assert "leak" in machine.rules()


@pytest.mark.parametrize("protocol", protocol_names())
def test_a_large_machine_is_checked_quickly(protocol):
    build = PlanBuilder("large")
    lwp = build.spawn()
    for i in range(100):
        build.mmap(lwp, BASE + i * 32 * PAGE, 8 * PAGE, RW, op.MAP_SHARED)
        build.touch(lwp, BASE + i * 32 * PAGE, write=True)
    for _ in range(20):
        build.fork(lwp)
    machine = Machine(build.finish(), protocol, frames=65536, entries=65536, map_entries=2048, objects=16384).run()
    check_quiescent(machine.segment, protocol)
    begun = time.perf_counter()
    assert check_quiescent(machine.segment, protocol) == []
    assert time.perf_counter() - begun < 0.3
