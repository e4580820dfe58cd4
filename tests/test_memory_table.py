"""Tables: type-stable records, handed out once, poisoned when freed, exhausted without a crash."""

import pytest
from conftest import CPUS, make_segment, run_cpus
from helpers_memory import churn, free_in_step, give_node, node_alive, take_node

from vmconc.memory.jit import jit_off
from vmconc.memory.table import BATCH, POISON, SPARE


def segment_of(nodes: int, cpus: int = CPUS):
    """Return a segment with a table of nodes, and its CPUs."""
    segment = make_segment({"Node": nodes, "Owner": 1}, cpus=cpus)
    return segment, [segment.nth("Cpu", i) for i in range(cpus)]


def take_all(cpu) -> list[int]:
    """Take until the table refuses."""
    taken = []
    while off := take_node(cpu):
        taken.append(off)
    return taken


def test_every_record_is_handed_out_once_and_then_none():
    """Exhaustion is a result: 0, counted, and again 0."""
    segment, cpus = segment_of(20)
    taken = take_all(cpus[0])
    first, stride = segment.table("Node").first, segment.table("Node").stride
    assert sorted(taken) == [first + i * stride for i in range(20)]
    assert segment.table("Node").refused == 1
    assert take_node(cpus[0]) == 0 == take_node(cpus[1])
    assert segment.table("Node").refused == 3
    assert give_node(cpus[0], taken[7]) and take_node(cpus[0]) == taken[7]


@pytest.mark.parametrize("capacity", [1, BATCH - 1, BATCH, BATCH + 1])
def test_small_tables_do_not_run_over_their_end(capacity):
    """Batches of fresh records stop at the last one."""
    segment, cpus = segment_of(capacity)
    assert len(take_all(cpus[0])) == capacity
    owner = segment.nth("Owner", 0)
    assert not segment.view("Owner")["words"].any() and owner.gate == 0


def test_a_new_record_is_zero_but_its_life():
    """Also one that was used before."""
    segment, cpus = segment_of(1)
    for life in (1, 3, 5):
        node = segment.ref("Node", take_node(cpus[0]))
        assert node_alive(node) and node.life == life
        assert [node.number, node.inner.one, node.words[4], node.last] == [0] * 4 and not node.link
        node.number = node.last = node.words[4] = 9
        assert give_node(cpus[0], node.off)


def test_a_freed_record_is_poisoned_and_not_alive():
    """A use after free is a value that everybody recognises; life says even."""
    segment, cpus = segment_of(4)
    node = segment.ref("Node", take_node(cpus[0]))
    assert give_node(cpus[0], node.off)
    assert not node_alive(node) and node.life == 2
    assert [node.number, node.link.off, node.inner.two, node.words[0], node.last] == [POISON] * 5


def test_double_free_is_refused_by_whoever_does_it():
    """False, and the free list is as before: no record is handed out twice."""
    _segment, cpus = segment_of(16)
    off = take_node(cpus[0])
    assert give_node(cpus[0], off)
    assert not give_node(cpus[0], off) and not give_node(cpus[1], off)
    taken = take_all(cpus[0])
    assert len(taken) == len(set(taken)) == 16


def test_a_record_freed_by_another_cpu_is_used_again():
    """Past its spare ones a CPU gives records back to everybody."""
    count = SPARE + 2 * BATCH
    _segment, cpus = segment_of(count)
    for off in take_all(cpus[0]):
        assert give_node(cpus[1], off)
    again = take_all(cpus[2])
    assert len(again) >= BATCH and len(set(again)) == len(again)
    rest = take_all(cpus[1])
    assert len(again) + len(rest) == count and not set(again) & set(rest)


def test_free_records_are_not_refused():
    """Exhaustion is when nothing is free: records that another CPU has in reserve are free."""
    _segment, cpus = segment_of(BATCH)
    assert take_node(cpus[0])
    assert take_node(cpus[1]) != 0, f"refused with {BATCH - 1} of {BATCH} records free"


@pytest.mark.parametrize("capacity", [64, 400])
def test_no_record_is_owned_twice_under_stress(capacity):
    """Four CPUs take and give; a small table is exhausted now and then."""
    rounds = 60 if jit_off() else 20_000
    segment, cpus = segment_of(capacity)
    owner = segment.nth("Owner", 0)
    answers = run_cpus(segment, *[(churn, cpu, owner, rounds, 40) for cpu in cpus], seconds=30)
    assert owner.bad == 0 and sum(answers) > rounds
    rows = segment.view("Node")
    assert (rows["life"] % 2 == 0).all()
    left = [off for cpu in cpus for off in take_all(cpu)]
    assert len(left) == len(set(left)) == capacity, "records were lost or doubled"


@pytest.mark.parallel
def test_one_of_two_simultaneous_frees_is_refused():
    """A double free is caught also when both come at the same instant: the record must not get on two free lists."""
    rounds = 20_000
    segment, cpus = segment_of(1, cpus=2)
    node = segment.ref("Node", take_node(cpus[0]))
    owner = segment.nth("Owner", 0)
    answers = run_cpus(segment, *[(free_in_step, cpu, owner, node, rounds) for cpu in cpus], seconds=30)
    assert sum(answers) == rounds, f"{sum(answers) - rounds} of {rounds} double frees went through"


def test_tables_do_not_share_free_lists():
    """Two structs in one segment; each CPU keeps one list for each."""
    segment = make_segment({"Node": 8, "RangeRecord": 8})
    cpu = segment.nth("Cpu", 0)
    take_all(cpu)
    assert segment.table("RangeRecord").fresh == 0 and segment.table("RangeRecord").slot != segment.table("Node").slot
