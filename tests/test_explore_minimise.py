"""Failures are made as simple as they can be, and what is said of simpler ones is true."""

import time
from itertools import pairwise, permutations

import msgspec
import pytest
from helpers_schedule import add_bare, laboratory, look_for_each_other, write_log
from msgspec.structs import replace

from vmconc.explore.bugs import BUGS, CATALOGUE
from vmconc.explore.failure import Artifact, Failure
from vmconc.explore.fewest import fewest_preemptions, other_failures, search_all
from vmconc.explore.minimise import minimise, run_turns
from vmconc.explore.moves import left_out, simplify
from vmconc.explore.search import PORTFOLIO, Budget, search
from vmconc.explore.session import Watcher, at_rest, explore, replay
from vmconc.explore.smaller import Small, lower_options, make_smaller, smaller_plans, written_down
from vmconc.explore.target import Target, make
from vmconc.explore.trials import Trials, size, turns_of
from vmconc.memory.jit import jit_off
from vmconc.program.programs import lock_program
from vmconc.program.written import Written, plan_of, said, without, write_down
from vmconc.schedule.records import ANY, FINISHED
from vmconc.schedule.strategies import DFS, STAY

ENOUGH = 1000.0  # seconds: all these come to an end by themselves
interpreted = pytest.mark.skipif(not jit_off(), reason="each lock program takes 15 s to compile")
# The exact minimum of preemptions of the classic programs, from a search of all their states.
FEWEST = {
    "account": 0, "lazy01": 0, "uneven": 0, "dining": 1, "lost_update": 1, "bluetooth": 1, "twostage": 1, "reorder": 1,
    "stringbuffer": 2,
}  # fmt: skip


def all_orders(cpus, bound):
    """Run the complete search on CPUs that write two numbers each; return the orders in which they did."""
    lab, orders = laboratory(write_log, cpus, strategy=DFS, bound=bound), []
    while not lab.engine.exhausted:
        lab.run(1)
        assert lab.engine.ended == FINISHED
        orders.append((lab.engine.preemptions, tuple(lab.argument.log[i] for i in range(2 * cpus))))
    return orders


def preemptions(order):
    """Count the places where an order leaves a CPU that has something to do yet."""
    return sum(one != other and one in order[i + 1 :] for i, (one, other) in enumerate(pairwise(order)))


@pytest.mark.parametrize("cpus", [2, 3])
def test_the_search_runs_each_order_with_no_more_preemptions_once(cpus):
    every = set(permutations([cpu for cpu in range(cpus) for _ in range(2)]))
    for bound in range(4):
        wanted = {(preemptions(order), order) for order in every if preemptions(order) <= bound}
        found = all_orders(cpus, bound)
        assert set(found) == wanted and len(found) == len(wanted)


def test_where_an_execution_has_more_decisions_than_there_is_room_for_nothing_is_proven(monkeypatch):
    monkeypatch.setattr("vmconc.explore.laboratory.BRANCHES", 1)
    lab = laboratory(write_log, 2)
    failure = Failure("check", [], [0, 1], 2, 2)
    trials = Trials(lab, failure, time.monotonic() + ENOUGH, None, lambda best: None)
    assert search_all(trials, 9, time.monotonic() + ENOUGH) == (None, False) and lab.engine.exhausted


def test_with_more_cpus_than_a_complete_search_takes_none_is_made():
    lab = laboratory(add_bare, 70)
    trials = Trials(lab, Failure("check", [], [0, 1], 2, 2), time.monotonic() + ENOUGH, None, lambda best: None)
    assert search_all(trials, 1, time.monotonic() + ENOUGH) == (None, False) and lab.engine.executions == 0


def test_where_there_was_no_room_for_all_states_nothing_is_proven():
    """Those that are known are found again, those that are not are not looked at."""
    lab = laboratory(write_log, 2, states=4)
    lab.distinguish("Bench", "Scheduler")
    lab.engine.strategy, lab.engine.bound = DFS, 9
    seen = []
    while not lab.engine.exhausted:
        lab.run(1)
        seen.append(lab.engine.is_new)
    assert seen == [1, 1, 0, 0, 0, 0] and lab.states_full()
    lab.segment.view("Seen")["bad"] = 1
    lab.begin_again()
    lab.run(1)
    assert lab.engine.is_new == 1
    trials = Trials(lab, Failure("check", [], [0, 1], 2, 2), time.monotonic() + ENOUGH, None, lambda best: None)
    assert search_all(trials, 9, time.monotonic() + ENOUGH) == (None, False) and lab.engine.exhausted


def test_without_preemption_those_who_look_in_vain_take_turns():
    """Two that look for each other do not keep the third, whom they wait for, from his turn."""
    lab = laboratory(look_for_each_other, 3, strategy=STAY)
    assert lab.run(1) == 1 and lab.engine.ended == FINISHED


def test_what_is_not_prescribed_is_decided_by_the_strategy():
    lab = laboratory(write_log, 2, strategy=STAY)
    lab.prescribe([ANY, 1])
    lab.run(1)
    assert [lab.argument.log[i] for i in range(4)] == [0, 1, 1, 0] and lab.engine.diverged == 0


def found_in(name, seed=0):
    """Return the engine of a classic program and a failure of it."""
    lab = make(Target(lock_program(name)))
    _, failure = search(lab, PORTFOLIO, Budget(20_000), seed)
    return lab, failure


@interpreted
@pytest.mark.parametrize("name", FEWEST)
def test_a_classic_bug_is_brought_down_to_its_fewest_preemptions_and_that_is_said(name):
    for seed in range(3):
        lab, failure = found_in(name, seed)
        best, known, proven = minimise(lab, failure, ENOUGH)
        assert best.preemptions == FEWEST[name] and best.rule == failure.rule and proven
        assert known.startswith("no failure with fewer" if FEWEST[name] else "it needs no preemption")
        assert run_turns(lab, best.turns, None) == with_origin(best)


def with_origin(failure):
    """Return a failure without what only a search knows."""
    failure.strategy, failure.execution = "", 0
    return failure


@interpreted
def test_where_not_all_can_be_run_it_is_not_said_that_none_exists():
    """The time is up before the first search; what can be left out is left out all the same when there is time."""
    lab, failure = found_in("reorder")
    best, known, proven = minimise(lab, failure, 0.0)
    assert best == failure and not proven
    assert known.startswith(f"none with fewer than {failure.preemptions} was found in")


@interpreted
@pytest.mark.parametrize("name", ["dining", "reorder"])
def test_other_failures_are_made_simple_too(name):
    """PCT finds others, until one has no more preemptions than are enough."""
    lab, failure = found_in(name, 5)
    trials = Trials(lab, failure, time.monotonic() + ENOUGH, None, lambda best: None)
    other_failures(trials, FEWEST[name])
    assert trials.best.preemptions == FEWEST[name] and trials.best.rule == failure.rule


@interpreted
def test_each_step_of_making_simple_leaves_a_simpler_one():
    lab, failure = found_in("dining")
    noted = [failure]
    trials = Trials(lab, failure, time.monotonic() + ENOUGH, None, noted.append)
    simplify(trials)
    assert all(size(after) < size(before) for before, after in pairwise(noted)) and noted[-1] == trials.best
    assert fewest_preemptions(trials).preemptions == trials.best.preemptions == 1


def test_halves_are_left_out_first_then_each_alone():
    deviations = {2: 1, 5: 0, 7: 1, 9: 0}
    tried = [sum(cpu != ANY for cpu in turns) for turns in left_out(deviations)]
    assert tried == [0, 2, 2, 3, 3, 3, 3]
    assert turns_of({2: 1}) == [ANY, ANY, 1] and turns_of({}) == []


ROUNDABOUT = '''"""Two pages and another process, which all come to nothing: one page and one child show B15."""
OPTIONS = {}


def program(build, cpus, options):
    parent, other = build.spawn(), build.spawn()
    build.mmap(parent, 0x1000_0000, 2 * 4096, 3, 0)
    for page in range(2):
        build.touch(parent, 0x1000_0000 + page * 4096, write=True)
    child = build.fork(parent)
    for page in range(2):
        build.touch(parent, 0x1000_0000 + page * 4096, write=True)
        build.touch(child, 0x1000_0000 + page * 4096)
    build.exit_(other)
'''


@interpreted
def test_a_program_is_made_smaller_and_the_same_rule_still_broken(tmp_path):
    """B15 needs a page that was written before a fork and is written again after it, on one CPU."""
    path = tmp_path / "roundabout.py"
    path.write_text(ROUNDABOUT)
    target = Target(str(path), "chained", 2, bugs=["B15"])
    small = made_smaller(target)
    assert small.failure.rule == "oracle" and small.target.cpus == 1 and len(small.target.written.operations) == 6
    artifact = Artifact(msgspec.json.decode(msgspec.json.encode(small.target), type=Target), small.failure, "")
    path.unlink()
    replayed = replay(artifact)
    assert replayed.reproduced and replayed.failure.turns == small.failure.turns
    correct = replace(small.target, bugs=[])
    lab = make(correct)
    assert run_turns(lab, small.failure.turns, at_rest(lab, correct)) is None


def made_smaller(target):
    """Return the smallest program of a target that fails; there is time enough."""
    lab = make(target)
    _, failure = search(lab, PORTFOLIO, Budget(20_000), 0, at_rest(lab, target))
    return make_smaller(Small(target, lab, failure), ENOUGH, at_rest, lambda best: None)


@pytest.mark.parametrize("bug", CATALOGUE, ids=[bug.name for bug in CATALOGUE])
def test_a_program_written_down_is_the_same_program(bug):
    plan = bug.plan()
    written = write_down(plan)
    again, missing = plan_of(msgspec.json.decode(msgspec.json.encode(written), type=Written), "again")
    assert (again.ops == plan.ops).all() and (again.waits == plan.waits).all() and missing == 0
    assert [(lwp.word, lwp.parent_word) for lwp in again.lwps] == [(lwp.word, lwp.parent_word) for lwp in plan.lwps]
    assert again.files == plan.files


def test_what_an_lwp_does_is_left_out_with_its_start():
    """And what those do that it starts; a page that nobody has mapped any more is missed."""
    written = write_down(BUGS["B19"].plan())
    kinds = [each.kind for each in written.operations]
    first = kinds.index("fork")
    left = without(written, {first})
    assert [each.kind for each in left.operations] == ["spawn", "mmap", "touch", "exit"]
    assert not without(written, {0}).operations
    assert plan_of(without(written, {kinds.index("mmap")}), "").missing == kinds.count("touch")


def test_smaller_programs_are_those_with_less_in_them():
    """None has a touch that misses its page; pages are taken from the end of a mapping."""
    target = written_down(Target("bug:B28", "backing", 2))
    found = list(smaller_plans(target))
    assert found[0].cpus == 1 and all(plan_of(each.written, "").missing == 0 for each in found)
    sizes = [sum(o.length for o in each.written.operations) + len(each.written.operations) for each in found[1:]]
    whole = target.written.operations
    assert sizes and max(sizes) < sum(o.length for o in whole) + len(whole)
    assert not [each for each in found if not any(o.kind == "mmap" for o in each.written.operations[:2]) and
                any(o.kind == "touch" for o in each.written.operations)]  # fmt: skip


def test_a_small_program_is_said_in_the_words_of_its_operations():
    written = write_down(BUGS["B1"].plan())
    assert said(written, 2) == (
        "cpu 0: spawn, mmap page 0 of file 0, minherit page 0, vfork lwp 1; cpu 1: write page 0; cpu 0: fork lwp 2"
    )
    assert said(written, 1).startswith("cpu 0 lwp 0: spawn, ")


def test_options_of_a_lock_program_are_lowered_but_not_what_may_mean_yes_or_no():
    options = [each.options for each in lower_options(Target("x.py", options={"setters": "7", "fixed": "1"}))]
    assert options == [{"setters": "3", "fixed": "1"}, {"setters": "6", "fixed": "1"}]


@interpreted
def test_a_lock_program_is_made_small_by_its_options():
    small = made_smaller(Target(lock_program("reorder"), options={"setters": "4"}))
    assert int(small.target.options["setters"]) < 4
    assert run_turns(make(small.target), small.failure.turns, None).rule == small.failure.rule


@interpreted
def test_a_state_at_rest_that_every_execution_ends_in_is_looked_at(tmp_path):
    """Also if the execution that compiles the program has ended in it."""
    target = Target("bug:B11", "backing", BUGS["B11"].cpus, bugs=["B11"])
    explored = explore(target, PORTFOLIO, Budget(30), 0, 0.0, tmp_path, Watcher())
    assert explored.failure and explored.failure.rule == BUGS["B11"].rule
