"""Programs and random plans on several CPUs: nothing broken while they run, nothing wrong when they are done."""

import pytest
from helpers_machine import FakeDisk, Machine
from helpers_plans import every_operation, predicted_but_unmapped

from vmconc.memory.jit import jit_off
from vmconc.program.programs import load_program
from vmconc.protocols import protocol_names

pytestmark = pytest.mark.timeout(600)  # the first test may have to compile every kernel

SMALL = {
    "hot_page": {"touches": "80", "refault": "10"},
    "private_heap": {"pages": "4", "rounds": "9"},
    "shared_text": {"spaces": "3", "pages": "12", "rounds": "2"},
    "zero_fill": {"pages": "8", "rounds": "2"},
    "cow_fan": {"children": "4", "pages": "12", "between": "5", "rounds": "1"},
    "fork_chain": {"generations": "6", "pages": "12", "writes": "5", "chains": "2"},
    "mmap_churn": {"pages": "3", "rounds": "8"},
}
LARGE = {
    "hot_page": {"touches": "20000", "refault": "50"},
    "private_heap": {"rounds": "40"},
    "shared_text": {"rounds": "6"},
    "zero_fill": {"rounds": "16"},
    "cow_fan": {"pages": "128"},
    "fork_chain": {},
    "mmap_churn": {},
}
VARIANTS = [("hot_page", {"spaces": "1"}), ("shared_text", {"shared": "1"}), ("fork_chain", {"keep": "0"})]
STORMS = [*((name, {}) for name in SMALL), *VARIANTS]
ORDERS = 4
BIG = {"frames": 16384, "objects": 4096, "entries": 8192, "backings": 8192, "page_tables": 4096, "radix_nodes": 16384,
       "spaces": 128, "map_entries": 512, "requests": 256}  # fmt: skip


@pytest.mark.parametrize("cpus", [1, 2, 4])
@pytest.mark.parametrize(("name", "more"), STORMS, ids=[f"{name}{''.join(more)}" for name, more in STORMS])
@pytest.mark.parametrize("protocol", protocol_names())
def test_a_program_leaves_nothing_wrong(protocol, name, more, cpus):
    machine = Machine(load_program(name, cpus, {**SMALL[name], **more}), protocol, cpus)
    for _ in machine.orders(ORDERS if cpus > 1 else 1):
        assert machine.check() == []
        assert machine.event("faults") > 0


@pytest.mark.parallel
@pytest.mark.slow
@pytest.mark.parametrize(("name", "more"), STORMS, ids=[f"{name}{''.join(more)}" for name, more in STORMS])
@pytest.mark.parametrize("protocol", protocol_names())
def test_a_large_program_in_parallel_leaves_nothing_wrong(protocol, name, more):
    plan = load_program(name, 3, {**LARGE[name], **more})
    assert Machine(plan, protocol, 3, **BIG).run(100).check() == []


@pytest.mark.parametrize("first", range(0, 120, 10))
@pytest.mark.parametrize("protocol", protocol_names())
def test_random_plans_leave_nothing_wrong(protocol, first):
    for seed in range(first, first + (10 if jit_off() else 3)):
        plan = every_operation(seed)
        machine = Machine(plan, protocol, 1 + seed % 3, frames=1024).run()
        assert machine.check() == [], seed
        assert predicted_but_unmapped(plan, machine.ops()) == [], seed


@pytest.mark.parametrize("protocol", protocol_names())
def test_few_frames_are_enough_when_programs_give_them_back(protocol):
    plan = load_program("mmap_churn", 2, {"pages": "16", "rounds": "6"})
    machine = Machine(plan, protocol, 2, frames=34).run()
    assert machine.check() == []


@pytest.mark.parametrize("protocol", protocol_names())
def test_every_second_read_fails_and_programs_go_on(protocol):
    plan = load_program("shared_text", 2, SMALL["shared_text"])
    machine = Machine(plan, protocol, 2, FakeDisk(every=2)).run()
    assert machine.check() == []
    assert machine.event("io_errors") > 0 and machine.machine.failures == 0
