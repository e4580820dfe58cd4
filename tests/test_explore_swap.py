"""The order of all steps of an execution, and the decisive swap in a failing one."""

import pytest

from vmconc.explore.explain import explain
from vmconc.explore.minimise import minimise, run_turns
from vmconc.explore.order import Made, Order, follow, observe, order_of
from vmconc.explore.search import PORTFOLIO, Budget, choices_of, search
from vmconc.explore.story import story
from vmconc.explore.swap import Move, conflict, find_move, moves
from vmconc.explore.target import Target, make
from vmconc.memory.jit import jit_off
from vmconc.program.programs import lock_program
from vmconc.schedule.records import FINISHED

ROUND = """
from vmconc.concurrent import after, check, shared, thread

@shared
class Counter:
    value: int

@thread(2)
def add(cpu, counter):
    for _ in range(3):
        counter.value += 1

@after
def ends_with_more_than_one(cpu, counter):
    check(cpu, counter.value > 1)
"""
PATIENT = """
from vmconc.concurrent import shared, thread, wait_a_turn

@shared
class Gate:
    flag: int

@thread
def waits(cpu, gate):
    while gate.flag == 0:
        wait_a_turn(cpu)

@thread
def also_waits(cpu, gate):
    while gate.flag == 0:
        wait_a_turn(cpu)

@thread
def opens(cpu, gate):
    gate.flag = 1
"""


def failing(program):
    """Return a watched machine of a built-in lock program, and the decisions of a simple failure of it."""
    target = Target(lock_program(program))
    lab = make(target)
    _, failure = search(lab, PORTFOLIO, Budget(3000), 1)
    return make(target, watched=True), minimise(lab, failure, 5.0).failure.turns


@pytest.mark.parametrize("program", ["lost_update", "dining", "bluetooth"])
def test_the_order_of_the_steps_alone_leads_to_the_same_execution(program):
    """Whether it fails or not; the steps between decisions, and those where nobody else could go on, included."""
    lab = make(Target(lock_program(program)), watched=True)
    lab.engine.strategy, lab.engine.random = choices_of("uniform", 2)[0].strategy, 7
    for _ in range(20):
        lab.prescribe([])
        lab.engine.strategy = choices_of("uniform", 2)[0].strategy
        lab.run(1)
        turns = lab.turns()
        observe(lab, turns, None)
        order, rows, ended = order_of(lab), story(lab), lab.engine.ended
        assert len(order.steps) == lab.engine.noted >= len(turns)
        follow(lab, [made.cpu for made in order.steps], [], None)
        again = order_of(lab)
        assert [made.place for made in again.steps] == list(range(len(order.steps)))
        assert [made[:3] for made in again.steps] == [made[:3] for made in order.steps]
        assert story(lab) == rows and lab.engine.ended == ended and lab.turns() == turns


def test_two_neighbouring_steps_decide_over_the_bluetooth_driver():
    """Whether it is asked to stop before or after it has looked whether it is to stop."""
    lab, turns = failing("bluetooth")
    told = explain(lab, turns, None)
    assert told.swap.found and told.swap.neighbours
    assert "`write stopping` come before cpu 0's `read stopping`" in told.swap.text
    numbered = {row.number: row for row in told.rows}
    sooner, later = numbered[told.swap.sooner[0]], numbered[told.swap.later[0]]
    assert (sooner.cpu, later.cpu) == (1, 0) and sooner.number == later.number + 1 and sooner.preempted


def test_a_lost_update_needs_a_step_to_be_moved_over_two():
    """No exchange of neighbours helps: between a read and its write there are always the other's."""
    lab, turns = failing("lost_update")
    told = explain(lab, turns, None)
    assert told.swap.found and not told.swap.neighbours and "`write value` come before" in told.swap.text
    assert [(word.name, word.first, word.failed, word.swapped) for word in told.state] == [("value", "0", "1", "2")]


def test_after_the_swap_that_is_named_the_program_ends_well_and_before_it_does_not():
    for program in ("lost_update", "dining", "bluetooth"):
        lab, turns = failing(program)
        assert observe(lab, turns, None) is not None
        order = order_of(lab)
        cpus = [made.cpu for made in order.steps]
        found = find_move(lab, order, None, 30.0)
        assert follow(lab, cpus, order.lucks, None) is not None
        assert follow(lab, found.move.applied(cpus), order.lucks, None) is None and lab.engine.ended == FINISHED


def test_of_a_deadlock_the_swap_may_be_a_step_that_was_never_made():
    lab, turns = failing("dining")
    told = explain(lab, turns, None)
    assert told.swap.found and told.swap.sooner == [] and "which it never came to" in told.swap.text
    assert {word.swapped for word in told.state} == {"nobody"} and "nobody" not in {word.failed for word in told.state}
    held = {row.cpu: row.held for row in told.rows}
    assert held == {0: (), 1: ("X mutex, fork_0",), 2: ("X mutex, fork_1",), 3: ("X mutex, fork_2",)}


def test_what_fails_in_every_order_has_no_swap():
    lab = make(Target(lock_program("bluetooth")), watched=True)
    complaint = {"rule": "count", "text": "count: one too many"}
    turns = run_turns(lab, [], lambda: [complaint]).turns
    told = explain(lab, turns, lambda: [complaint])
    assert not told.swap.found and told.swap.tried > 10 and "it still fails" in told.swap.text


def test_neighbours_from_the_end_come_first_then_the_last_conflict():
    """CPU 0 writes word 16, CPU 1 writes 24 and reads 16, CPU 0 reads 24; CPU 2 never came to write 24."""
    touched = [(0, 17), (1, 25), (1, 16), (0, 24)]
    order = Order([Made(cpu, what, False, -1, turn) for turn, (cpu, what) in enumerate(touched)], [], {2: 25}, True)
    tried = list(moves(order, 4))
    assert tried[:3] == [Move(3, 4, 4, 2), Move(2, 3, 4), Move(0, 1, 2)]
    assert tried[3:7] == [Move(1, 3, 4), Move(1, 4, 4, 2), Move(0, 1, 3), Move(2, 4, 4, 2)]
    assert Move(1, 3, 4).applied([0, 1, 1, 0]) == [0, 0, 1, 1]
    assert Move(1, 4, 4, 2).applied([0, 1, 1, 0]) == [0, 2, 1, 1, 0]
    assert conflict(17, 16) and conflict(17, 17)
    assert not conflict(16, 16) and not conflict(17, 25) and not conflict(1, 1)


@pytest.mark.skipif(not jit_off(), reason="the same decisions compiled; saves compiling a program")
def test_without_preemption_one_that_waits_its_turn_is_left_even_if_several_others_is_ready(tmp_path):
    path = tmp_path / "patient.py"
    path.write_text(PATIENT)
    lab = make(Target(str(path), limit=200))
    assert run_turns(lab, [], None) is None and lab.engine.ended == FINISHED


@pytest.mark.skipif(not jit_off(), reason="the same decisions compiled; saves compiling a program")
def test_round_robin_does_not_let_what_comes_last_begin_before_all_have_finished(tmp_path):
    path = tmp_path / "round.py"
    path.write_text(ROUND)
    lab = make(Target(str(path)), watched=True)
    _, failure = search(lab, choices_of("round-robin", 2), Budget(1), 0)
    assert failure is None and [row.cpu for row in story(lab)][-2:] != [2, 2]
    assert [row.cpu for row in story(lab)].index(2) == len(story(lab)) - 1
    assert 2 not in lab.turns()
