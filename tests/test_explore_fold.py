"""Steps that repeat are told once; a loop is told by its shape."""

import pytest

from vmconc.explore.explain import explain
from vmconc.explore.fold import Fold, cycles, fold, last_cycle, loop
from vmconc.explore.holding import Holding
from vmconc.explore.minimise import run_turns
from vmconc.explore.story import Row
from vmconc.explore.target import Target, make
from vmconc.locks.classes import MAP_TOKEN, VM_MAP, VM_OBJECT
from vmconc.memory.jit import jit_off
from vmconc.schedule.steps import STEP_ACQUIRE, STEP_RELEASE, STEP_REOWN, STEP_SLEEP, STEP_UPGRADE

POLITE = """
from vmconc.concurrent import shared, thread, wait_a_turn

@shared
class Door:
    busy: Words(2)

@thread(2)
def after_you(cpu, door):
    while door.busy[1 - cpu.index] == 0:
        wait_a_turn(cpu)
    door.busy[cpu.index] = 1
""".replace("import shared", "import Words, shared")


def rows(*steps):
    """Return rows of (cpu, text)."""
    return [Row(number, cpu, text) for number, (cpu, text) in enumerate(steps, 1)]


def test_every_step_is_shown_or_folded_once():
    spin = [(0, "try"), (0, "look")]
    told = rows((1, "a"), *spin * 38, (1, "b"), *spin, (1, "c"), *spin, (1, "d"), *spin, (1, "e"))
    lines = fold(told)
    numbers = [row.number for line in lines for row in (line.rows if isinstance(line, Fold) else [line])]
    assert sorted(numbers) == [row.number for row in told]
    folds = [line for line in lines if isinstance(line, Fold)]
    assert [line.text for line in folds] == ["(the same 2 steps 37 more times)", "(the same 2 steps 2 more times)"]
    assert [line.text for line in lines if not isinstance(line, Fold) and line.cpu == 1] == ["a", "b", "c", "d", "e"]


def test_what_does_not_repeat_or_is_kept_is_not_folded():
    told = rows(*[(0, "read x = " + str(i)) for i in range(9)])
    assert fold(told) == told
    same = rows(*[(0, "read x = 1")] * 9)
    assert len(fold(same)) == 2 and fold(same, {row.number for row in same}) == same
    assert [line.number for line in fold(same, {5}) if isinstance(line, Row)] == [1, 5, 6]
    twice = rows((0, "a"), (0, "b"), (0, "a"), (0, "b"))
    assert fold(twice) == twice


def test_a_cycle_is_found_where_it_is_and_as_long_as_it_is():
    assert [tuple(cycle) for cycle in cycles("xyabcabcabcab")] == [(2, 3, 3)]
    assert [tuple(cycle) for cycle in cycles("aaaabbbb")] == [(0, 1, 4), (4, 1, 4)]
    assert cycles("abcdefg") == [] == cycles("")
    assert tuple(last_cycle("xyabcabcabc")) == (2, 3, 3) and last_cycle("aaab") is None


def test_a_loop_is_told_together_or_by_each_cpu():
    together = [(0, "read a = 0"), (1, "read b = 0")]
    assert loop(rows((0, "write c"), *together * 4)) == [
        "cpu 0 and cpu 1 go round, 4 times by the end: cpu 0: read a = 0; cpu 1: read b = 0"
    ]
    apart = [(0, "x"), (1, "y"), (0, "x"), (0, "x"), (1, "y"), (1, "y"), (0, "x"), (1, "y"), (1, "y"), (0, "x")]
    assert loop(rows(*apart)) == ["cpu 0 goes round, 5 times by the end: x", "cpu 1 goes round, 5 times by the end: y"]
    assert loop(rows((0, "x"), (0, "x"), (0, "x"), (0, "y"))) == []


@pytest.mark.skipif(not jit_off(), reason="the same decisions compiled; saves compiling a program")
def test_two_that_wait_for_each_other_are_reported_with_their_round(tmp_path):
    """Nothing would help: no order lets one of them through."""
    path = tmp_path / "polite.py"
    path.write_text(POLITE)
    target = Target(str(path), limit=300)
    failure = run_turns(make(target), [], None)
    told = explain(make(target, watched=True), failure.turns, None)
    assert failure.rule == "step limit" and not told.swap.found and told.swap.tried > 0
    assert len(told.loop) == 1 and "cpu 0 and cpu 1 go round" in told.loop[0]
    assert "cpu 0: read busy[1] = 0" in told.loop[0] and "cpu 1: read busy[0] = 0" in told.loop[0]
    assert len(fold(told.rows)) < 10 < len(told.rows)


@pytest.mark.skipif(not jit_off(), reason="the same decisions compiled; saves compiling a program")
def test_a_livelock_is_told_with_its_round(tmp_path):
    """Three whole rounds, in which nobody else makes a step."""
    path = tmp_path / "alone.py"
    path.write_text(POLITE.replace("thread(2)", "thread"))
    target = Target(str(path))
    failure = run_turns(make(target), [], None)
    told = explain(make(target, watched=True), failure.turns, None)
    assert failure.rule == "livelock"
    assert told.loop == ["cpu 0 goes round, 3 times by the end: looks again; read busy[1] = 0"]


def test_what_is_held_follows_the_log():
    """Tokens are not held by one that sleeps, and owned again one by one; the order of releases does not matter."""
    holding = Holding()
    for lock, cls in ((8, VM_MAP), (16, MAP_TOKEN), (24, VM_OBJECT)):
        holding.note(STEP_ACQUIRE, lock, cls, 0)
    holding.note(STEP_SLEEP, 99, 0, 0)
    assert holding.held == [(8, VM_MAP, 0)]
    holding.note(STEP_REOWN, 0, MAP_TOKEN, 0)
    assert holding.held == [(8, VM_MAP, 0), (16, MAP_TOKEN, 0)]
    holding.note(STEP_UPGRADE, 8, VM_MAP, 1)
    holding.note(STEP_REOWN, 0, VM_OBJECT, 0)
    holding.note(STEP_RELEASE, 16, MAP_TOKEN, 0)
    assert holding.held == [(8, VM_MAP, 1), (24, VM_OBJECT, 0)]


def test_who_gets_a_token_after_a_wait_owns_the_others_again():
    holding = Holding()
    holding.note(STEP_ACQUIRE, 16, MAP_TOKEN, 0)
    holding.note(STEP_SLEEP, 99, 0, 0)
    holding.note(STEP_ACQUIRE, 24, VM_OBJECT, 0)
    assert holding.held == [(16, MAP_TOKEN, 0), (24, VM_OBJECT, 0)]
    holding.note(STEP_REOWN, 0, VM_OBJECT, 0)
    assert len(holding.held) == 2


def test_a_write_that_was_not_finished_hides_no_round():
    rows = [Row(i + 1, i % 2, f"write {'ab'[i % 2]} = 0") for i in range(12)]
    rows[-1] = rows[-1]._replace(text="write b")
    assert loop(rows) == ["cpu 0 and cpu 1 go round, 5 times by the end: cpu 1: write b = 0; cpu 0: write a = 0"]
