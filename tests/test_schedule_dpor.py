"""Partial-order reduction runs one execution of those alike, and comes to all that a search through all comes to."""

from math import factorial

import pytest
from helpers_classics import FOLDER
from helpers_generated import program, results, small_tables
from helpers_schedule import add_often, laboratory, try_or_lock, wait_for_last

from vmconc.explore.fits import check_fits
from vmconc.explore.lockprogram import load_file, lock_laboratory
from vmconc.explore.meaning import meaning
from vmconc.explore.search import Budget, choices_of, search
from vmconc.explore.target import Target
from vmconc.memory.jit import jit_off
from vmconc.program.errors import ProgramError
from vmconc.schedule import dpor, path
from vmconc.schedule.records import DEADLOCK, FINISHED, VIOLATED
from vmconc.schedule.strategies import DFS, DPOR

interpreted_only = pytest.mark.skipif(not jit_off(), reason="needs many programs")
MANY = 100_000
SEEDS = range(18)
TELLING = {"accesses": range(0, 27, 9), "waiting": (42, 150)}  # seeds that show what a broken search misses
MOST_REDUCED, MOST = 60, 120  # executions of a generated program; a larger one is left out


@pytest.mark.parametrize(("cpus", "rounds"), [(2, 1), (2, 2), (2, 3), (3, 1), (3, 2)])
def test_increments_under_a_mutex_have_as_many_executions_as_the_mutex_has_orders(cpus, rounds):
    """(n k)! / k!**n: of 2 CPUs that is 2, 6, 20; none is cut short."""
    lab = laboratory(add_often, cpus, strategy=DPOR)
    lab.argument.rounds = rounds
    lab.segment.memory.notes.take_copy()
    count = lab.run(MANY)
    assert lab.engine.exhausted and lab.engine.ended == FINISHED and lab.argument.value == cpus * rounds
    assert (count, lab.engine.cut) == (factorial(cpus * rounds) // factorial(rounds) ** cpus, 0)


@pytest.mark.parametrize(("name", "most"), [("lost_update", 2), ("dining", 4), ("reorder", 9), ("bluetooth", 3)])
def test_a_classic_bug_is_found(name, most):
    lab = lock_laboratory(load_file(FOLDER / f"{name}.py"))
    lab.engine.strategy = DPOR
    assert lab.run(MANY) <= most and lab.engine.ended == (DEADLOCK if name == "dining" else VIOLATED)


@pytest.mark.parametrize(("name", "count"), [("lost_update", 2), ("dining", 6), ("bluetooth", 7)])
def test_the_corrected_program_is_run_in_few_executions(name, count):
    """Two orders of two additions; the 6 orders of three forks that three philosophers can have."""
    lab = lock_laboratory(load_file(FOLDER / f"{name}.py", {"fixed": 1}))
    lab.engine.strategy = DPOR
    assert lab.run(MANY) == count and lab.engine.exhausted and lab.engine.ended == FINISHED


def test_who_waits_without_sleeping_looks_before_the_change_or_after_it():
    """Two that wait for a third: each has looked before, or not; how often does not matter."""
    lab = laboratory(wait_for_last, 3, strategy=DPOR)
    lab.argument.rounds = 2
    lab.segment.memory.notes.take_copy()
    assert lab.run(MANY) == 4 and lab.engine.exhausted


def different(tmp_path, seeds):
    """Return the seeds of generated programs of which the searches do not find the same, and how many were compared."""
    compared, apart = 0, []
    for seed in seeds:
        file = tmp_path / f"generated_{seed}.py"
        file.write_text(program(seed))
        reduced, whole = results(file, DPOR, MOST_REDUCED)
        expected, all_run = results(file, DFS, MOST) if whole else (set(), False)
        if whole and all_run:
            compared += 1
            if reduced != expected:
                apart.append(seed)
    return apart, compared


@interpreted_only
def test_it_finds_what_a_search_through_all_orders_finds(tmp_path, monkeypatch):
    """Words, all that was read, and failures, of generated programs with every lock operation there is."""
    small_tables(monkeypatch)
    apart, compared = different(tmp_path, SEEDS)
    assert apart == [] and compared > len(SEEDS) // 2
    assert different(tmp_path, (*TELLING["accesses"], *TELLING["waiting"])) == ([], 5)


@interpreted_only
@pytest.mark.parametrize("broken", ["accesses", "waiting"])
def test_a_search_that_takes_too_much_to_commute_misses_something(tmp_path, monkeypatch, broken):
    """Either no two steps conflict, or who falls asleep on a condition does not say that he touches it."""
    small_tables(monkeypatch)
    if broken == "accesses":
        monkeypatch.setattr(dpor, "depend", lambda what, also, other, other_also: False)
    else:
        monkeypatch.setattr(path, "depend", lambda what, also, other, other_also: path.conflict(what, other))
        monkeypatch.setattr(dpor, "depend", path.depend)
    assert different(tmp_path, TELLING[broken])[0] == list(TELLING[broken])


def test_a_search_says_what_it_has_been_through_and_what_it_has_cut_short():
    """An execution that is cut short is neither a failure nor counted as run."""
    lab, choices = laboratory(try_or_lock, 3), choices_of("dpor")
    tally, failure = search(lab, choices, Budget(MANY))
    assert failure is None and tally.exhausted and (tally.executions, tally.cut) == (6, 1)
    assert tally.classes.seen == tally.classes.counted == 5
    assert meaning(tally, 3, choice=choices[0])[0] == (
        "every execution, but of those alike up to the order of steps that commute one, was run: "
        "5 executions, and 1 begun that would have repeated one"
    )


def test_a_program_of_the_machine_is_refused():
    """Its steps do not say all that they touch."""
    target = Target("fork_chain", "backing", 2)
    lab = lock_laboratory(load_file(FOLDER / "lost_update.py"))
    with pytest.raises(ProgramError, match="--strategy dpor is for lock programs, fork_chain-backing is none"):
        check_fits(lab, target, choices_of("dpor")[0])
    check_fits(lab, target, choices_of("dfs")[0])


@pytest.mark.parametrize("strategy", ["dfs", "dpor"])
def test_more_cpus_than_a_word_has_bits_are_refused(strategy):
    lab = laboratory(add_often, 1)
    lab.engine.fibers = 63
    with pytest.raises(ProgramError, match=f"--strategy {strategy} takes at most 62 CPUs, many has 63"):
        check_fits(lab, Target("many.py"), choices_of(strategy)[0])
