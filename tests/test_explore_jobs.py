"""Searches side by side: the work is shared out, the first failure ends all, nobody is left."""

import time

import psutil
import pytest
from helpers_runs import start_command
from test_explore_search import FORK, TRANSFER

from vmconc.explore import jobs
from vmconc.explore.coverage import Classes
from vmconc.explore.covered import remember_nothing
from vmconc.explore.jobs import added, search_side_by_side, share_of
from vmconc.explore.meaning import meaning
from vmconc.explore.minimise import run_turns
from vmconc.explore.search import PORTFOLIO, Budget, Tally, choices_of, search
from vmconc.explore.target import Target, make
from vmconc.memory.jit import jit_off

ALONE = '''"""A thread that counts."""
from vmconc.concurrent import shared, thread


@shared
class Counter:
    value: int


@thread
def count(cpu, counter):
    counter.value += 1
'''
COUNT = 200 if jit_off() else 5001


def program(tmp_path, one, other):
    """Return a lock program that takes two mutexes in this order, compiled."""
    path = tmp_path / f"transfer_{one}.py"
    path.write_text(TRANSFER.replace("{one}", one).replace("{other}", other))
    target = Target(str(path))
    make(target).run(1)
    return target


@pytest.fixture(autouse=True)
def nobody_is_left():
    """No child process outlives a test."""
    before = {child.pid for child in psutil.Process().children()}
    yield
    assert {child.pid for child in psutil.Process().children()} <= before


def test_the_executions_are_shared_out(tmp_path):
    target, noted = program(tmp_path, "first", "second"), []
    tally, failure = search_side_by_side(target, PORTFOLIO, Budget(COUNT), 0, 3, noted.append)
    assert failure is None and tally.executions == COUNT == sum(tally.by_strategy.values())
    assert [share_of(COUNT, number, 3) for number in range(3)] == [(COUNT + 2 - number) // 3 for number in range(3)]
    assert noted[-1].executions == COUNT == tally.classes.counted


def test_a_class_that_several_processes_have_seen_counts_once(tmp_path):
    """Two orders of a transfer to and fro, and where the onlooker looks."""
    target, noted = program(tmp_path, "first", "second"), []
    tally, _ = search_side_by_side(target, PORTFOLIO, Budget(COUNT), 0, 3, noted.append)
    assert tally.classes.seen == 6 == noted[-1].classes.seen and tally.classes.once < 3


def test_what_one_process_has_covered_is_new_to_no_other(tmp_path, monkeypatch):
    """Of one thread there is one execution: nothing is new after the first; who has tables of his own keeps it."""
    path, covered, guided = tmp_path / "alone.py", remember_nothing(), choices_of("coverage")
    path.write_text(ALONE)
    target = Target(str(path))
    lab = make(target)
    search(lab, guided, Budget(3))
    assert lab.covered.total[0] == 1
    monkeypatch.setattr(jobs, "remember_nothing", lambda: covered)
    search_side_by_side(target, guided, Budget(20), 0, 2, lambda tally: None)
    kept = int(covered.total[0])
    assert 1 <= kept <= 2 and (covered.features == lab.covered.features).all()  # 2: both came first at the same time
    search_side_by_side(target, guided, Budget(20), 0, 2, lambda tally: None)
    assert covered.total[0] == kept


def test_the_first_failure_ends_all_and_can_be_replayed(tmp_path):
    target = program(tmp_path, "second", "first")
    tally, failure = search_side_by_side(target, PORTFOLIO, Budget(0, 60.0), 0, 2, lambda tally: None)
    assert failure.rule == "deadlock" and tally.seconds < 60
    assert run_turns(make(target), failure.turns, None).turns == failure.turns


def test_processes_with_other_seeds_do_other_things(tmp_path):
    """Two that search a machine of their own each: the shared mapping of one is not that of the other."""
    path = tmp_path / "fork_page_in.py"
    path.write_text(FORK)
    target = Target(str(path), "backing", 2)
    make(target).run(1)
    tally, failure = search_side_by_side(target, PORTFOLIO, Budget(64), 0, 2, lambda tally: None)
    assert failure is None and tally.executions == 64 and tally.at_rest >= 2


def test_a_killed_parent_leaves_nobody(tmp_path):
    """The kernel ends its children with it."""
    target = program(tmp_path, "first", "second")
    parent = start_command(tmp_path, "explore", target.program, "--for", "100s", "--jobs", "2")
    children, deadline = [], time.monotonic() + 60
    while len(children) < 2 and time.monotonic() < deadline:
        children = psutil.Process(parent.pid).children()
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    assert len(children) == 2
    assert psutil.wait_procs(children, timeout=20)[1] == []
    parent.communicate()


def test_tallies_add_up():
    one = Tally(executions=3, points=30, seconds=1.0, longest=12, by_strategy={"pos": 3}, new_at=[1], at_rest=1)
    other = Tally(executions=4, points=40, seconds=2.0, longest=11, by_strategy={"pos": 1, "urw": 3})
    total = added([one, other], Classes(5))
    assert total.classes.seen == 5
    assert (total.executions, total.points, total.seconds, total.longest) == (7, 70, 2.0, 12)
    assert total.by_strategy == {"pos": 4, "urw": 3} and total.at_rest == 1


def test_states_that_were_new_late_stay_late():
    """The fifth of ten executions of one process is the middle of all twenty."""
    tallies = [Tally(executions=10, at_rest=2, new_at=[5, 10]), Tally(executions=10, at_rest=1, new_at=[1])]
    total = added(tallies, Classes())
    assert total.new_at == [10, 20, 2] and total.at_rest == 3
    assert meaning(total, 2) == [
        "3 different states at rest (each of 2 processes counts its own), each checked; "
        "1 of them were new in the last tenth"
    ]
