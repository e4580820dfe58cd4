"""The lock-order graph: each edge and each ring that there is, and a twin in which it is not."""

from itertools import pairwise

import msgspec
import pytest
from helpers_events import (
    BUSY,
    CHAIN_2,
    CHAIN_3,
    CHAIN_LOCK,
    CLASS,
    COUNT,
    MAP,
    MAP_2,
    MUTEX_1,
    MUTEX_2,
    OBJECT,
    RW,
    SPIN,
    S,
    X,
    gave,
    story,
    took,
    waited,
    waits,
    write_run,
)

from vmconc.analysis.check import check
from vmconc.analysis.order_told import ordered
from vmconc.cli import order as cli
from vmconc.coordinator.errors import UsageError
from vmconc.export.dot import dot_graph
from vmconc.locks.lockmgr import WAIT_UPGRADE
from vmconc.schedule.steps import (
    STEP_DOWNGRADE,
    STEP_FAIL,
    STEP_FREE,
    STEP_READ,
    STEP_READ_DONE,
    STEP_SLEEP,
    STEP_TRIED,
    STEP_UPGRADE,
    STEP_WAKE,
)


def story_with_sites(*steps):
    events = story(*steps)
    events.run["recording"]["sites"] = {"1": "here", "2": "there"}
    return events


def edges(*steps):
    """Return the edges of a story by class and mode, with their counts."""
    return {(e.held, e.held_mode[0], e.wanted, e.mode[0]): e.count for e in ordered(story(*steps), "").edges}


def sure(*steps, cpus=4):
    """Return how sure each ring of a story is."""
    return [ring.confidence for ring in ordered(story(*steps, cpus=cpus), "").rings]


def nested(cpu, *locks):
    """Take locks one inside the other, and give them all up; a lock, or a lock and a mode."""
    pairs = [lock if isinstance(lock, tuple) else (lock, X) for lock in locks]
    return [took(cpu, *pair) for pair in pairs] + [gave(cpu, *pair) for pair in reversed(pairs)]


def slept(cpu, lock, mode=X, site=0):
    return [waits(cpu, CLASS[lock], mode), (cpu, STEP_SLEEP, lock, mode, site), (cpu, STEP_WAKE, 0, mode)]


def test_an_edge_leads_from_each_lock_held_to_the_one_asked_for_and_has_its_first_example():
    steps = [took(0, MAP, S, 1), took(0, CHAIN_LOCK, S), took(0, BUSY, X, 2), gave(0, CHAIN_LOCK, S), took(0, SPIN)]
    told = ordered(story_with_sites(*steps, *nested(1, MAP, BUSY)), "")
    found = {(e.held, e.held_mode[0], e.wanted, e.mode[0]): e for e in told.edges}
    assert {key: edge.count for key, edge in found.items()} == {
        ("vm_map", "s", "chain", "s"): 1, ("vm_map", "s", "vm_page", "e"): 1, ("chain", "s", "vm_page", "e"): 1,
        ("vm_map", "s", "page_spin", "e"): 1, ("vm_page", "e", "page_spin", "e"): 1, ("vm_map", "e", "vm_page", "e"): 1,
    }  # fmt: skip
    example = found["vm_map", "s", "vm_page", "e"].example
    assert (example.cpu, example.held_site, example.site) == (0, "here", "there")
    assert (example.held_at_ms, example.at_ms) == (0, 2e-6)


def test_a_try_a_count_and_a_timed_request_that_failed_add_no_edge():
    assert edges(took(0, MAP), (0, STEP_TRIED, BUSY, X), took(0, COUNT, S)) == {}
    assert edges(took(0, BUSY), *slept(0, MAP), waited(0, CLASS[MAP]), (0, STEP_FAIL, 0, X, 0, CLASS[MAP])) == {}


def test_a_held_token_adds_an_edge_only_where_its_holder_spins():
    assert edges(*nested(0, OBJECT, MAP)) == {}
    assert edges(*nested(0, OBJECT, SPIN)) == {("vm_object", "e", "page_spin", "e"): 1}
    assert edges(*nested(0, MAP, OBJECT)) == {("vm_map", "e", "vm_object", "e"): 1}


def test_an_upgrade_asks_only_if_it_waited_and_has_given_its_own_share_up():
    upgrade = (0, STEP_UPGRADE, MAP, X)
    assert edges(took(0, BUSY), (0, STEP_TRIED, MAP, S), upgrade) == {}
    wait = [*slept(0, MAP), waited(0, CLASS[MAP])]
    assert edges(took(0, BUSY), (0, STEP_TRIED, MAP, S), *wait, upgrade) == {("vm_page", "e", "vm_map", "e"): 1}
    assert edges(took(0, MAP, S), *slept(0, MAP, X, WAIT_UPGRADE)) == {}  # for ever


def test_a_mode_that_changes_is_another_one_from_then_on():
    steps = [took(0, MAP, S), took(0, BUSY), gave(0, BUSY), (0, STEP_UPGRADE, MAP, X), took(0, BUSY), gave(0, BUSY)]
    both = {("vm_map", "s", "vm_page", "e"): 1, ("vm_map", "e", "vm_page", "e"): 1}
    assert edges(*steps) == both
    assert edges(*steps, (0, STEP_DOWNGRADE, MAP, S), took(0, BUSY)) == both | {("vm_map", "s", "vm_page", "e"): 2}


def test_sleeping_until_a_page_or_a_count_is_free_and_a_page_in_are_edges_and_so_is_a_wait_without_end():
    page = [*slept(0, BUSY), waited(0, CLASS[BUSY])]
    assert edges(took(0, MAP, S), *page) == {("vm_map", "s", "vm_page", "e"): 1}
    assert edges(took(0, MAP, S), *slept(0, COUNT, S), waited(0, CLASS[COUNT])) == {("vm_map", "s", "pip", "e"): 1}
    assert edges(took(0, MAP, S), *slept(0, BUSY)) == {("vm_map", "s", "vm_page", "e"): 1}
    assert edges(took(0, MAP, S), (0, STEP_READ, BUSY, X), (0, STEP_READ_DONE)) == {("vm_map", "s", "page-in", "e"): 1}


def test_an_inversion_by_two_cpus_is_a_ring_and_the_same_order_is_none():
    there, back = nested(0, MAP, BUSY), nested(1, BUSY, MAP)
    assert sure(*there, *back) == ["high"]
    assert sure(*there, *nested(1, MAP, BUSY)) == []
    ring = ordered(story(*there, *back), "").rings[0]
    assert [(e.held, e.wanted, e.example.cpu, e.violates) for e in ring.edges] == [
        ("vm_map", "vm_page", 0, False), ("vm_page", "vm_map", 1, True),
    ]  # fmt: skip


def test_an_inversion_by_one_cpu_alone_is_doubted():
    assert sure(*nested(0, MAP, BUSY), *nested(0, BUSY, MAP)) == ["low"]


def test_an_inversion_behind_a_gate_is_doubted_and_a_gate_that_is_shared_is_none():
    gate, half = (MAP_2, X), (MAP_2, S)
    there, back = (CHAIN_LOCK, CHAIN_2), (CHAIN_2, CHAIN_LOCK)
    told = ordered(story(*nested(0, gate, *there), *nested(1, half, *back)), "").rings
    assert [ring.confidence for ring in told] == ["low"] and "gate" in told[0].doubts[0]
    assert sure(*nested(0, half, *there), *nested(1, half, *back)) == ["high"]
    assert sure(*nested(0, gate, *there), *nested(1, gate, *back), *nested(1, *back)) == ["high"]  # not always held


def test_a_token_is_no_gate_for_it_is_given_up_while_its_holder_waits():
    assert sure(*nested(0, OBJECT, CHAIN_LOCK, CHAIN_2), *nested(1, OBJECT, CHAIN_2, CHAIN_LOCK)) == ["high"]


def test_classes_in_a_ring_that_never_are_the_same_locks_are_doubted():
    assert sure(*nested(0, MAP, BUSY), *nested(1, BUSY, MAP_2)) == ["low"]


def test_one_class_is_ordered_by_its_single_locks():
    deeper = [step for pair in pairwise((CHAIN_LOCK, CHAIN_2, CHAIN_3)) for step in nested(0, *pair)]
    assert sure(*deeper) == []
    assert sure(*deeper, *nested(1, CHAIN_3, CHAIN_LOCK)) == ["high"]
    assert sure(*nested(0, MUTEX_1, MUTEX_2), *nested(1, MUTEX_2, MUTEX_1)) == ["high"]


@pytest.mark.parametrize(
    ("held", "asked", "other", "back", "only_behind_a_writer"),
    [
        (X, X, X, X, False), (S, X, S, X, False), (X, S, X, S, False), (S, S, X, X, False), (X, X, S, S, False),
        (S, X, X, S, True), (X, S, S, X, True), (S, S, S, X, True), (S, X, S, S, True), (S, S, S, S, True),
    ],
)  # fmt: skip
def test_readers_are_in_the_way_of_readers_only_behind_a_writer(held, asked, other, back, only_behind_a_writer):
    steps = [*nested(0, (CHAIN_LOCK, held), (CHAIN_2, asked)), *nested(1, (CHAIN_2, other), (CHAIN_LOCK, back))]
    assert sure(*steps) == ["low" if only_behind_a_writer else "high"]
    writers = [*nested(2, CHAIN_LOCK), *nested(2, CHAIN_2)]
    assert sure(*steps, *writers) == ["with a waiting writer" if only_behind_a_writer else "high"]


def test_readers_of_a_page_are_never_in_each_others_way():
    assert sure(*nested(0, (MAP, X), (BUSY, S)), *nested(1, (BUSY, S), (MAP, X))) == []


def test_a_share_taken_twice_waits_behind_a_writer_between():
    twice = nested(0, (CHAIN_LOCK, S), (CHAIN_LOCK, S))
    assert sure(*twice) == ["low"]
    assert sure(*twice, *nested(1, CHAIN_LOCK)) == ["with a waiting writer"]
    assert sure(took(0, MUTEX_1), *slept(0, MUTEX_1)) == ["high"]


def test_a_ring_of_three_is_found_once_and_a_chord_makes_another():
    steps = [*nested(0, CHAIN_LOCK, CHAIN_2), *nested(1, CHAIN_2, CHAIN_3), *nested(2, CHAIN_3, CHAIN_LOCK)]
    assert [len(ring.edges) for ring in ordered(story(*steps, cpus=4), "").rings] == [3]
    steps += nested(3, CHAIN_2, CHAIN_LOCK)
    assert sorted(len(ring.edges) for ring in ordered(story(*steps, cpus=4), "").rings) == [2, 3]


def test_readers_who_need_a_writer_do_not_hide_a_ring_that_needs_none():
    locks = (CHAIN_LOCK, CHAIN_2, CHAIN_3)
    pairs = list(zip(locks, (*locks[1:], locks[0]), strict=True))
    steps = [step for cpu, (one, other) in enumerate(pairs) for step in nested(cpu, (one, X), (other, S))]
    steps += [step for one, other in pairs for step in nested(3, (other, S), (one, S))]
    assert sure(*steps) == ["high"] + ["with a waiting writer"] * 3


def test_locks_of_a_program_about_locks_are_told_apart_whatever_their_class():
    assert sure(*nested(0, MUTEX_1, RW), *nested(1, RW, MUTEX_2)) == []
    assert sure(*nested(0, MUTEX_1, RW), *nested(1, RW, MUTEX_1)) == ["high"]


def test_the_check_counts_rings_that_can_close_and_only_mentions_others():
    there, back = nested(0, CHAIN_LOCK, CHAIN_2), nested(1, CHAIN_2, CHAIN_LOCK)
    found = check(story(*there, *back), "")
    assert [(one.rule, one.count) for one in found.broken] == [("order-cycle", 1)]
    alone = check(story(*there, *nested(0, CHAIN_2, CHAIN_LOCK)), "")
    assert not alone.broken and "1 ring" in alone.notes[0]
    assert not check(story(*there), "").notes


def test_the_graph_for_graphviz_marks_what_goes_against_the_order():
    drawn = dot_graph(ordered(story(took(0, BUSY), took(0, MAP), took(0, CHAIN_LOCK, S)), ""))
    assert '"vm_page" -> "vm_map" [label="X -> X\\n1, cpu 0", color=red];' in drawn
    assert '"vm_map" -> "chain" [label="X -> S\\n1, cpu 0"];' in drawn


def test_the_command_prints_rings_and_edges_and_writes_the_graph(tmp_path, capsys):
    run = write_run(tmp_path / "run", story(*nested(0, CHAIN_LOCK, CHAIN_2), *nested(1, CHAIN_2, CHAIN_LOCK)))
    assert cli.order(run, True, tmp_path / "order.dot") == 1
    out = capsys.readouterr().out
    assert "confidence high" in out and (tmp_path / "order.dot").read_text().startswith("digraph")
    cli.order(run, json=True)
    assert msgspec.json.decode(capsys.readouterr().out)["rings"][0]["confidence"] == "high"
    with pytest.raises(UsageError, match="--dot"):
        cli.order(run, dot=tmp_path / "nowhere" / "order.dot")


def test_nothing_is_said_of_events_of_which_some_were_lost():
    events = story(*nested(0, MAP, BUSY), *nested(1, BUSY, MAP))
    events.run["recording"]["dropped"] = [2]
    told = ordered(events, "")
    assert not told.rings and not told.edges and "2 events were lost" in told.notes[0]


FREED = (0, STEP_FREE, MAP)


def test_a_lock_of_a_record_that_was_freed_is_another_one_afterwards():
    one, other = nested(0, MAP, MAP_2), nested(1, MAP_2, MAP)
    assert sure(*one, *other) == ["high"]
    assert sure(*one, FREED, *other) == []
    assert sure(FREED, *one, *other) == ["high"]
    assert sure(*one, FREED, *other, *nested(2, MAP, MAP_2)) == ["high"]


def test_in_which_life_a_lock_was_is_said_by_number_and_not_by_time():
    events = story(*nested(0, MAP, MAP_2), FREED, *nested(1, MAP_2, MAP), cpus=4)
    events.raw["time"][events.cpu == 1] = 0
    assert ordered(events, "").rings == []


def test_a_wait_without_a_number_has_its_life_by_time():
    asks = [took(1, MAP_2), *slept(1, MAP)]
    assert sure(*nested(0, MAP, MAP_2), *asks) == ["high"]
    assert sure(*nested(0, MAP, MAP_2), FREED, *asks) == []


def test_a_freed_record_ends_no_life_of_one_beside_it():
    first, second = MAP, MAP + 64  # one count is of both
    steps = [took(0, first), took(0, MAP_2), gave(0, MAP_2), gave(0, first)]
    against = [took(1, MAP_2), took(1, first)]
    for freed, found in ((first, []), (second, ["high"])):
        events = story(*steps, (0, STEP_FREE, freed), *against, cpus=4)
        events.run["recording"]["tables"] = {"Record": {"first": MAP, "stride": 64, "capacity": 2, "parts": {}}}
        assert [ring.confidence for ring in ordered(events, "").rings] == found


def test_a_lock_is_named_with_its_life_from_the_second_on():
    events = story(FREED, *nested(0, MAP, MAP_2), *nested(1, MAP_2, MAP), cpus=4)
    names = {edge.held for edge in ordered(events, "", instances=True).single_locks}
    assert names == {f"vm_map (offset {MAP:#x} in its life 2)", f"vm_map (offset {MAP_2:#x})"}
