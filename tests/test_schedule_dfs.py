"""Depth-first search goes through every execution within its bound, each once, and stops."""

import pytest
from helpers_classics import FOLDER, SHAPES
from helpers_schedule import add_bare, flip_twice, laboratory, spin_for_ever, wait_for_last

from vmconc.explore.lockprogram import load_file, lock_laboratory
from vmconc.explore.meaning import meaning
from vmconc.explore.order import follow
from vmconc.explore.search import Budget, choices_of, search
from vmconc.explore.target import Target, make
from vmconc.memory.jit import jit_off
from vmconc.schedule.records import DEADLOCK, FINISHED, LIVELOCK, TOO_LONG, VIOLATED
from vmconc.schedule.strategies import DFS

FEW = 30 if jit_off() else 20_000  # executions
MANY = 1 << 20


def count_orders(program, bound, state=None, last=None, spent=0):
    """Count the orders of a program's steps with at most `bound` preemptions (-1: any number)."""
    state = state or program.beginning
    ready = program.ready(state)
    count = 0 if ready else 1
    for thread in ready:
        preempts = last in ready and thread != last
        if bound < 0 or spent + preempts <= bound:
            after = program.after(state, thread)
            count += 1 if after is None else count_orders(program, bound, after, thread, spent + preempts)
    return count


def run_all(lab, bound=-1):
    """Run all executions, also after one that fails; return how many there were and the ends that they came to."""
    lab.engine.strategy, lab.engine.bound, count, ends = DFS, bound, 0, set()
    while not lab.engine.exhausted:
        count += lab.run(MANY)
        ends.add(int(lab.engine.ended))
    return count, ends


@pytest.mark.parametrize("bound", [0, 1, 2, 3, -1])
@pytest.mark.parametrize("name", ["lost_update", "dining", "bluetooth"])
def test_every_order_is_run_once(name, bound):
    """As many as an enumeration in plain Python finds, which knows nothing of the engine."""
    expected = count_orders(SHAPES[name], bound)
    if expected > FEW:
        pytest.skip("too many executions")
    lab = lock_laboratory(load_file(FOLDER / f"{name}.py"))
    count, ends = run_all(lab, bound)
    assert count == expected
    bad = DEADLOCK if name == "dining" else VIOLATED
    assert ends == ({FINISHED, bad} if bound != 0 else {FINISHED})


def test_a_bug_of_one_preemption_is_not_found_with_none():
    lab = laboratory(add_bare, 2)
    assert run_all(lab, 0) == (2, {FINISHED}) and lab.argument.value == 2
    lab.begin_again()
    values = set()
    lab.engine.bound = 1
    while not lab.engine.exhausted:
        lab.run(1)
        values.add(lab.argument.value)
    assert values == {1, 2}


def test_the_order_of_two_free_steps_each_is_one_of_six():
    lab = laboratory(add_bare, 2)
    assert run_all(lab)[0] == 6


def test_chance_comes_out_either_way():
    """Two flips of one CPU: four executions; nobody is preempted."""
    lab = laboratory(flip_twice, 1)
    lab.engine.strategy, seen = DFS, []
    while not lab.engine.exhausted:
        assert lab.run(1) == 1
        seen.append((lab.argument.log[0], lab.argument.log[1]))
    assert seen == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_where_an_order_says_nothing_of_chance_nothing_happens():
    lab = laboratory(flip_twice, 1)
    for lucks, found in (([1, 1], (1, 1)), ([1], (1, 0)), ([], (0, 0))):
        assert follow(lab, [0, 0, 0], lucks, None) is None
        assert (lab.argument.log[0], lab.argument.log[1]) == found


@pytest.mark.parametrize(("body", "cpus"), [(wait_for_last, 2), (wait_for_last, 3)])
def test_a_search_of_a_loop_that_waits_for_others_ends(body, cpus):
    """Without fairness two that wait would look in turn for ever, and the one they wait for never go on."""
    lab = laboratory(body, cpus)
    lab.argument.rounds = cpus - 1
    lab.segment.memory.notes.take_copy()
    count, ends = run_all(lab)
    assert ends == {FINISHED} and cpus < count < 500
    assert lab.engine.longest < 40


def test_what_waits_for_ever_is_reported_and_not_searched():
    lab = laboratory(spin_for_ever, 1, strategy=DFS, bound=-1)
    assert lab.run(MANY) == 1 and lab.engine.ended == LIVELOCK
    lab = laboratory(spin_for_ever, 2, strategy=DFS, bound=-1, limit=500)
    assert lab.run(MANY) == 1 and lab.engine.ended == TOO_LONG


def explored(name, executions, preemptions, **options):
    """Search a classic program; return the tally and what it means."""
    lab = make(Target(str(FOLDER / f"{name}.py"), options=options))
    choices = choices_of("dfs", preemptions=preemptions)
    tally, failure = search(lab, choices, Budget(executions))
    return tally, failure, meaning(tally, lab.engine.fibers, choice=choices[0])


def test_a_search_says_what_it_has_been_through():
    tally, failure, said = explored("lost_update", 0, 2, fixed="1")
    assert failure is None and tally.exhausted and tally.by_strategy == {"dfs 2": 5}
    assert said[0] == "every execution with at most 2 preemptions was run: 5 executions" and "fair" in said[1]
    tally, failure, said = explored("lost_update", 0, -1, fixed="1")
    assert failure is None and said[0] == "every execution was run: 5 executions"
    tally, failure, said = explored("lost_update", 3, 2, fixed="1")
    assert failure is None and tally.executions == 3 and not tally.exhausted
    assert said[0] == "not every execution with at most 2 preemptions was run: the search was stopped after 3"


def test_a_search_that_begins_again_begins_with_the_first():
    found = [explored("lost_update", 0, 1)[1] for _ in range(2)]
    assert found[0].rule == "check" and found[0].execution == found[1].execution and found[0].preemptions == 1
