"""The classic programs: each bug is found within the executions stated, and the corrected program is silent."""

import statistics

import pytest
from helpers_classics import FOLDER

from vmconc.explore.lockprogram import load_file, lock_laboratory
from vmconc.memory.jit import jit_off
from vmconc.schedule.records import DEADLOCK, FINISHED, VIOLATED
from vmconc.schedule.strategies import PCT, POS, ROUND_ROBIN, STAY, SURW, UNIFORM, URW

compiled_only = pytest.mark.skipif(jit_off(), reason="needs many executions")
SEEDS = range(1, 12)
FIVE, TWENTY, MANY_SETTERS = {"philosophers": 5}, {"setters": 19}, {"setters": 49}
# program, options, strategy, depth, executions until it is found in half of the cases
CLASSICS = [
    ("account", {}, PCT, 1, 6),
    ("lazy01", {}, UNIFORM, 0, 3),
    ("uneven", {}, PCT, 1, 5),
    ("dining", {}, URW, 0, 4),
    ("dining", FIVE, URW, 0, 8),
    ("lost_update", {}, SURW, 0, 3),
    ("bluetooth", {}, POS, 0, 20),
    ("stringbuffer", {}, URW, 0, 8),
    ("twostage", {}, PCT, 3, 8),
    ("twostage", TWENTY, SURW, 0, 60),
    ("reorder", {}, SURW, 0, 6),
    ("reorder", TWENTY, SURW, 0, 60),
    ("reorder", MANY_SETTERS, SURW, 0, 150),
    ("wronglock", {}, POS, 0, 8),
    ("queue", {}, UNIFORM, 0, 3),
]


def laboratory(name, options):
    """Return a classic program's engine; it has learned what an execution of it is like."""
    lab = lock_laboratory(load_file(FOLDER / f"{name}.py", options))
    lab.engine.strategy = SURW
    for _ in range(30):
        lab.run(1)
    return lab


def first_failure(lab, strategy, depth, seed, most):
    """Return how many executions it takes to find a failure, `most` if none is found."""
    lab.engine.strategy, lab.engine.depth, lab.engine.random = strategy, depth, seed * 0x9E3779B97F4A7C15 >> 16
    return lab.run(most)


@compiled_only
@pytest.mark.parametrize(("name", "options", "strategy", "depth", "within"), CLASSICS)
def test_it_is_found_and_the_corrected_program_is_silent(name, options, strategy, depth, within):
    """As many executions of the corrected program as all seeds together may have needed, and 2,000 at least."""
    lab = laboratory(name, options)
    taken = [first_failure(lab, strategy, depth, seed, 50 * within) for seed in SEEDS]
    assert statistics.median(taken) <= within
    assert lab.engine.ended == (DEADLOCK if name == "dining" else VIOLATED)
    count = max(2_000, within * len(SEEDS))
    lab = laboratory(name, options | {"fixed": 1})
    assert first_failure(lab, strategy, depth, 1, count) == count and lab.engine.ended == FINISHED


@compiled_only
@pytest.mark.parametrize("name", sorted({name for name, *_ in CLASSICS}))
def test_no_corrected_program_has_a_data_race(name):
    lab = lock_laboratory(load_file(FOLDER / f"{name}.py", {"fixed": 1}), races=True)
    assert first_failure(lab, UNIFORM, 0, 1, 2_000) == 2_000 and lab.engine.ended == FINISHED


@pytest.mark.parametrize("name", sorted({name for name, *_ in CLASSICS}))
def test_without_preemption_only_the_lazy_program_fails(name):
    """One execution in the order of the CPUs' numbers, and the same of the corrected program."""
    for fixed in (0, 1):
        lab = lock_laboratory(load_file(FOLDER / f"{name}.py", {"fixed": fixed}))
        lab.engine.strategy = STAY
        lab.run(1)
        assert lab.engine.ended == (VIOLATED if name == "lazy01" and not fixed else FINISHED)
        assert lab.engine.preemptions == 0


def test_threads_that_take_turns_are_started_and_joined():
    """Round robin: nobody goes on before he is started, and then each has his turn."""
    lab = lock_laboratory(load_file(FOLDER / "lazy01.py", {"fixed": 1}))
    lab.engine.strategy = ROUND_ROBIN
    lab.run(1)
    assert lab.engine.ended == FINISHED and lab.engine.steps == 15
    assert list(dict.fromkeys(turn for turn in lab.turns() if turn)) == [1, 2, 3]
