"""One numbering of steps: that of the engine, of the rows that are shown, of the swap and of a debugger."""

from itertools import pairwise

import pytest

from vmconc.explore.again import difference, outcome, step_at, told
from vmconc.explore.bugs import BUGS
from vmconc.explore.explain import Explained
from vmconc.explore.failure import Artifact
from vmconc.explore.fold import Fold, fold
from vmconc.explore.minimise import run_turns
from vmconc.explore.order import observe, order_of
from vmconc.explore.page import told as page_told
from vmconc.explore.story import Row, story
from vmconc.explore.target import OF_BUG, Target, make
from vmconc.memory.jit import jit_off
from vmconc.memory.system import STOPS
from vmconc.program.programs import lock_program
from vmconc.schedule.strategies import UNIFORM

WAITS = '''"""Sleeps on a condition, looks in vain, and ends with what comes last."""
from vmconc.concurrent import (
    Condition, Mutex, after, check, condition_signal, condition_wait, mutex_lock, mutex_unlock, shared, thread,
    wait_a_turn,
)


@shared
class Door:
    lock: Mutex
    changed: Condition
    open: int
    passed: int


@thread(2)
def wait(cpu, door):
    mutex_lock(cpu, door.lock)
    while door.open == 0:
        condition_wait(cpu, door.changed, door.lock)
    mutex_unlock(cpu, door.lock)


@thread
def look(cpu, door):
    while door.open == 0:
        wait_a_turn(cpu)
    door.passed = 1


@thread
def opens(cpu, door):
    mutex_lock(cpu, door.lock)
    door.open = 1
    condition_signal(cpu, door.changed)
    mutex_unlock(cpu, door.lock)


@after
def all_have_passed(cpu, door):
    check(cpu, door.passed == 0)
'''
PROGRAMS = ["lost_update", "dining", "queue", "readers_writers"] if jit_off() else ["dining"]


def waits(tmp_path):
    """Return the program above: it always fails at its end."""
    path = tmp_path / "waits.py"
    path.write_text(WAITS)
    return Target(str(path))


def executions(lab, count=20):
    """Run executions at random; yield the decisions of each."""
    for _ in range(count):
        lab.prescribe([])
        lab.engine.strategy = UNIFORM
        lab.run(1)
        yield lab.turns()


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_step_has_a_row_of_its_number_and_was_made_by_its_cpu(program):
    lab = make(Target(lock_program(program)), watched=True)
    for turns in executions(lab):
        observe(lab, turns, None)
        rows = [row for row in story(lab) if row.number]
        assert [row.number for row in rows] == [*range(1, lab.engine.steps + 1)]
        assert [row.cpu for row in rows] == [made.cpu for made in order_of(lab).steps]


def test_a_sleep_is_no_step_and_to_go_on_after_it_is_one(tmp_path):
    """A sleep belongs to the step that comes to it; to wake up and to look again are what the engine chose."""
    lab, seen = make(waits(tmp_path), watched=True), set()
    for _ in executions(lab):
        rows = story(lab)
        assert [row.number for row in rows if row.number] == [*range(1, lab.engine.steps + 1)]
        begun = [(row.text.partition(" ")[0], row.number > 0) for row in rows]
        seen |= {(word, numbered) for word, numbered in begun if word in ("sleeps:", "wakes", "looks")}
    assert seen == {("sleeps:", False), ("wakes", True), ("looks", True)}


@pytest.mark.skipif(not jit_off(), reason="a debugger stops only where nothing is compiled")
def test_the_debugger_counts_as_the_rows_do(tmp_path):
    lab = make(waits(tmp_path), watched=True)
    for turns in executions(lab, 5):
        stops = []
        STOPS.append(stops.append)
        try:
            run_turns(lab, turns, None)
        finally:
            STOPS.remove(stops.append)
        assert stops == [row.number for row in story(lab) if row.number]


def test_a_replay_names_the_step_by_its_number(tmp_path):
    """The row that differs stands behind rows that are no steps."""
    lab = make(waits(tmp_path), watched=True)
    failure = next(failure for turns in executions(lab) if (failure := run_turns(lab, turns, None)) and slept(lab))
    rows = told(lab)
    artifact = Artifact(waits(tmp_path), failure, "", spoken=[f"cpu {row.cpu}: {row.text}" for row in rows])
    assert difference(artifact, outcome(lab, failure), rows) == ""
    artifact.spoken[-1] = "cpu 9: nothing like it"
    assert f"step {lab.engine.steps} was recorded as 'cpu 9" in difference(artifact, outcome(lab, failure), rows)
    assert step_at(rows, len(rows)) == lab.engine.steps + 1 and step_at(rows, 0) <= 1


def slept(lab):
    """Tell whether a CPU slept in the last execution."""
    return any(row.text.startswith("sleeps") for row in story(lab))


def test_rows_that_are_no_steps_are_not_folded_as_steps():
    steps = [Row(number, 0, "look") for number in range(1, 5)]
    rest = [Row(0, 0, "re-own") for _ in range(4)]
    lines = [line.text for line in fold(steps + rest) if isinstance(line, Fold)]
    assert lines == ["(the same step 3 more times)", "(the same row 3 more times)"]
    assert page_told(Explained(steps + rest))["lines"] == [0, [[0], lines[0], [1, 2, 3]], 4, [[0], lines[1], [5, 6, 7]]]


@pytest.mark.skipif(not jit_off(), reason="saves compiling a machine")
def test_the_rows_of_a_machine_are_numbered_by_its_steps_though_not_each_has_one():
    """Of several things done in one step the first that is shown has the number."""
    lab = make(Target(f"{OF_BUG}B21", "chained", BUGS["B21"].cpus), watched=True)
    for turns in executions(lab, 3):
        observe(lab, turns, None)
        made = order_of(lab).steps
        assert len(made) == lab.engine.steps
        for everything in (False, True):
            rows = [row for row in story(lab, everything) if row.number]
            assert all(one.number < other.number for one, other in pairwise(rows))
            assert [row.cpu for row in rows] == [made[row.number - 1].cpu for row in rows]
