"""Happens-before classes: executions that differ only in the order of steps that do not conflict share one."""

import math
from itertools import combinations

import numpy as np
import pytest
from helpers_schedule import add_bare, laboratory, lock_in_turn, wait_or_signal

from vmconc.explore.coverage import Classes, begin_classes, rows_of, summary, united
from vmconc.explore.lockprogram import load_file, lock_laboratory
from vmconc.explore.meaning import meaning
from vmconc.explore.search import Budget, Tally, choices_of, search
from vmconc.memory.jit import jit_off, kernel
from vmconc.memory.mixing import mix
from vmconc.schedule.records import FINISHED
from vmconc.schedule.steps import STEP_STORE

ROW = np.dtype([("fingerprint", np.int64), ("executions", np.int64), ("first", np.int64)])
ACCESSES = """
from vmconc.concurrent import *

@shared
class Words_:
    sum: int
    seen: Words(2)

@thread(2)
def work(cpu, words):
    words.sum += 1
    words.seen[cpu.index] = 1
    words.sum += words.seen[1 - cpu.index]
"""
# What each thread of it reads (even) and writes (odd): sum, its own word, the other's.
OWN, OTHERS, SUM = 2, 4, 6
EVENTS = [[SUM, SUM | 1, OWN | 1, SUM, OTHERS, SUM | 1], [SUM, SUM | 1, OTHERS | 1, SUM, OWN, SUM | 1]]


def trace(order):
    """Return what tells classes apart: for each (CPU, what) in this order who wrote last what it touches."""
    counts, writers, events = {}, {}, set()
    for cpu, what in order:
        counts[cpu] = counts.get(cpu, 0) + 1
        events.add((cpu, counts[cpu], what, writers.get(what | 1)))
        if what & 1:
            writers[what | 1] = cpu, counts[cpu]
    return frozenset(events)


def brute_force():
    """Return the classes of all orders of EVENTS."""
    length = sum(len(events) for events in EVENTS)
    classes = set()
    for first in combinations(range(length), len(EVENTS[0])):
        left = [iter(events) for events in EVENTS]
        order = [int(place not in first) for place in range(length)]
        classes.add(trace([(cpu, next(left[cpu])) for cpu in order]))
    return classes


def accesses(tmp_path):
    """Return the engine of the program above, whose accesses are logged."""
    path = tmp_path / "accesses.py"
    path.write_text(ACCESSES)
    lab = lock_laboratory(load_file(path), watched=64)
    begin_classes(lab)
    return lab


def order_of(lab):
    """Return the accesses of the last execution: (CPU, word, plus 1 if it writes)."""
    rows = lab.segment.view("Step")[: lab.segment.table("Step").fresh]
    return [(int(row["cpu"]), int(row["lock"]) | int(row["action"] == STEP_STORE)) for row in rows]


def test_an_execution_is_of_a_new_class_exactly_if_its_trace_is_new(tmp_path):
    lab, traces = accesses(tmp_path), set()
    for _ in range(100 if jit_off() else 3000):
        assert lab.run(1) == 1 and lab.engine.ended == FINISHED
        traces.add(trace(order_of(lab)))
        assert lab.engine.classes == len(traces)
    assert lab.engine.counted > len(traces) > 1


@pytest.mark.skipif(jit_off(), reason="needs many executions")
def test_all_classes_are_found_and_no_more(tmp_path):
    lab = accesses(tmp_path)
    lab.run(20_000)
    assert lab.engine.classes == len(brute_force()) < math.comb(12, 6)


@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_two_threads_have_a_mutex_in_as_many_orders_as_there_are(times):
    """C(2k, k): GenMC and Nidhugg count as many."""
    lab = laboratory(lock_in_turn, 2, times=times, classing=1)
    lab.run(40 << times if jit_off() else 20_000)
    expected = math.comb(2 * times, times)
    assert lab.engine.classes == expected or (jit_off() and times == 4 and lab.engine.classes <= expected)


def test_steps_of_which_nothing_is_known_conflict_with_all():
    lab = laboratory(add_bare, 2, classing=1)
    lab.run(200)
    assert lab.engine.classes == math.comb(4, 2)


def test_who_sleeps_first_is_no_other_class():
    """CPU 0 signals under the mutex: the others have it before or after, in any order, and those before once more."""
    lab = laboratory(wait_or_signal, 3, classing=1)
    lab.run(200 if jit_off() else 5000)
    assert lab.engine.classes == sum(
        math.comb(2, before) * math.factorial(before) * math.factorial(2) for before in range(3)
    )


def test_nothing_is_counted_unless_asked_for():
    lab = laboratory(add_bare, 2)
    lab.run(10)
    assert (lab.engine.classes, lab.engine.counted, len(rows_of(lab))) == (0, 0, 0)


def test_a_word_too_many_is_noted_and_nothing_is_said_of_classes(monkeypatch):
    """Half of the places are used: there is room for the mutex, not for the condition beside it."""
    monkeypatch.setattr("vmconc.explore.laboratory.places_for", lambda words: 2)
    for body, crowded in ((lock_in_turn, 0), (wait_or_signal, 1)):
        lab = laboratory(body, 2, classing=1)
        lab.run(5)
        assert lab.engine.crowded == crowded and (len(rows_of(lab)) == 0) == crowded


def test_a_full_table_counts_no_more():
    lab = laboratory(add_bare, 2, classes=8, classing=1)
    lab.run(200)
    assert lab.engine.classes == 4 and lab.engine.counted < 200
    found = summary(rows_of(lab))
    assert found.counted == lab.engine.counted
    said = meaning(Tally(executions=200, classes=found), 2)
    assert f"4 different happens-before classes in {found.counted} executions (there was no room" in said[0]


@kernel
def mixed(a, b):
    """Mix, compiled."""
    return mix(a, b)


def test_words_are_mixed_alike_compiled_and_interpreted():
    assert [mixed(1, 2), mixed(-5, 1 << 62), mixed(0, 0)] == [mix(1, 2), mix(-5, 1 << 62), mix(0, 0)]
    assert mixed(1, 2) == MIXED


MIXED = 2940686831011665929


def rows(*classes):
    """Return a table of classes: (fingerprint, executions, first)."""
    return np.array(list(classes), ROW)


def test_what_is_said_of_classes():
    found = summary(rows((1, 1, 100), (2, 2, 3), (3, 1, 5), (4, 96, 1)))
    assert found == Classes(seen=4, counted=100, once=2, twice=1, late=1)
    assert found.unseen == 0.02 and found.total == 4.5
    said = meaning(Tally(executions=100, classes=found), 2)
    assert said[0] == "4 different happens-before classes in 100 executions; 1 of them were new in the last tenth"
    assert "probability of about 0.02 (Good-Turing)" in said[1] and "about 4 or more (Chao1)" in said[1]
    assert "more than once" in meaning(Tally(executions=9, classes=Classes(1, 9)), 2)[1]


def test_the_estimates_are_near_what_they_estimate():
    """A thousand draws of a thousand classes, each as likely: a bound from below, and near here."""
    drawn = np.random.default_rng(1).integers(0, 1000, 1000)
    prints, first, times = np.unique(drawn, return_index=True, return_counts=True)
    found = summary(rows(*zip(prints.tolist(), times.tolist(), first.tolist(), strict=True)))
    left = 1 - found.seen / 1000
    assert abs(found.unseen - left) < 0.05 and 900 < found.total < 1100 and found.seen < 700


def test_the_classes_of_several_processes_are_united():
    """The second of ten executions is the fourth of twenty."""
    one, other = rows((7, 9, 1), (9, 1, 10)), rows((9, 8, 2), (11, 2, 1))
    assert united([one, other]).tolist() == [(7, 9, 2), (9, 9, 4), (11, 2, 2)]


def test_a_search_tells_how_many_classes_it_has_seen(tmp_path):
    lab, noted = accesses(tmp_path), []
    tally, _ = search(lab, choices_of("uniform", 2), Budget(60), note=lambda tally: noted.append(tally.classes.seen))
    assert noted == sorted(noted) and noted[-1] == tally.classes.seen == lab.engine.classes
    assert tally.classes.counted == 60
