"""The strategies find a bug as often as they must: measured rates against exact ones."""

import pytest
from helpers_classics import FOLDER, LENGTHS, SHAPES
from helpers_exact import by_rank, by_weight, equal, partial_orders, steps_left

from vmconc.explore.lockprogram import load_file, lock_laboratory
from vmconc.memory.jit import jit_off
from vmconc.schedule.records import FINISHED
from vmconc.schedule.strategies import COVERAGE, NAMES, PCT, POS, SURW, UNIFORM, URW

compiled_only = pytest.mark.skipif(jit_off(), reason="needs many executions")
MANY = 60_000
SEED = 20_260
RANKED = [(name, depth) for name in SHAPES for depth in (1, 2, 3) if depth < 3 or len(SHAPES[name].threads) < 4]
SURE = 3.29  # standard deviations that 99.9 % of all samples stay within


def laboratory(name, **options):
    """Return a classic program's engine; it has learned how long its executions are."""
    lab = lock_laboratory(load_file(FOLDER / f"{name}.py", options))
    hits(lab, UNIFORM, 3_000)
    return lab


def hits(lab, strategy, count, depth=1, seed=SEED):
    """Run so many executions, from a seed, and return how many failed."""
    lab.engine.strategy, lab.engine.depth, lab.engine.random = strategy, depth, seed
    found = done = 0
    while done < count:
        done += lab.run(count - done)
        found += lab.engine.ended != FINISHED
    return found


def agrees(found, count, chance, more=0.0):
    """Tell whether so many hits are what a probability explains; `more`: variance that it has itself."""
    variance = count * chance * (1 - chance) + more
    return abs(found - count * chance) <= SURE * float(variance) ** 0.5


@compiled_only
@pytest.mark.parametrize("name", SHAPES)
def test_uniform_finds_it_as_often_as_the_exact_chance_says(name):
    assert agrees(hits(laboratory(name), UNIFORM, MANY), MANY, by_weight(SHAPES[name], equal))


@compiled_only
@pytest.mark.parametrize("name", SHAPES)
def test_urw_finds_it_as_often_as_the_exact_chance_says(name):
    assert agrees(hits(laboratory(name), URW, MANY), MANY, by_weight(SHAPES[name], steps_left))


@compiled_only
@pytest.mark.parametrize(("name", "depth"), RANKED)
def test_pct_finds_it_as_often_as_the_exact_chance_says(name, depth):
    """At depth 3 this also tells in which order those who fell are ranked: it halves the chance of `stringbuffer`."""
    lab = laboratory(name)
    assert lab.engine.longest == LENGTHS[name]
    assert agrees(hits(lab, PCT, MANY, depth), MANY, by_rank(SHAPES[name], depth, LENGTHS[name]))


@compiled_only
@pytest.mark.parametrize("name", SHAPES)
def test_pos_finds_it_as_often_as_the_algorithm_in_plain_python(name):
    count = 8_000
    chance = partial_orders(SHAPES[name], count, SEED) / count
    again = (MANY / count) ** 2 * count * chance * (1 - chance)
    assert agrees(hits(laboratory(name), POS, MANY), MANY, chance, again)


@compiled_only
def test_bluetooth_at_depth_2_is_found_by_one_execution_of_24():
    """The bound of PCT, 1 / (n * k), is what it does here: one order of 2 CPUs, one change point of 12."""
    assert agrees(hits(laboratory("bluetooth"), PCT, MANY, 2), MANY, 1 / 24)


@compiled_only
def test_surw_finds_a_lost_update_in_two_of_three_executions():
    """Only one word is shared, and 4 of the 6 orders of its 4 accesses lose an update."""
    assert agrees(hits(laboratory("lost_update"), SURW, MANY), MANY, 2 / 3)


@compiled_only
@pytest.mark.parametrize(("name", "chance"), [("stringbuffer", 1 / 6), ("twostage", 1 / 4)])
def test_surw_watches_a_lock_by_its_acquisitions_and_no_word_that_it_guards(name, chance):
    """Four critical sections of two CPUs have 6 orders, one is the bug.  One of two mutexes, one of its 2 orders."""
    assert agrees(hits(laboratory(name), SURW, MANY), MANY, chance)


@compiled_only
def test_who_flips_coins_at_each_step_never_finds_the_uneven_program():
    """To come last behind 25 steps takes 25 coins in a row; an order of whole CPUs, or of all steps, has it soon."""
    lab = laboratory("uneven")
    assert hits(lab, UNIFORM, 100_000) == 0 and hits(lab, POS, 100_000) == 0
    assert agrees(hits(lab, PCT, MANY, 1), MANY, 1 / 3)
    assert agrees(hits(lab, URW, MANY), MANY, 29 / 30 / 26)
    lab.forget()
    assert hits(lab, COVERAGE, 20_000) > 20


@pytest.mark.parametrize("strategy", [UNIFORM, PCT, POS, URW, SURW, COVERAGE])
def test_the_decisions_are_the_same_compiled_and_interpreted(strategy):
    """What the strategies learn from execution to execution is the same too."""
    lab = lock_laboratory(load_file(FOLDER / "reorder.py"))
    hits(lab, strategy, 20, depth=3)
    assert lab.turns() == DECISIONS[NAMES[strategy]]


DECISIONS = {
    "uniform": [0, 1, 2, 0, 1, 2, 3, 3, 3],
    "pct": [1, 1, 2, 2, 3, 3, 3],
    "pos": [1, 0, 1, 0, 3, 2, 3, 2, 3],
    "urw": [0, 0, 2, 3, 3, 1, 2, 3],
    "surw": [0, 0, 3, 3, 2, 1, 1, 0],
    "coverage": [0, 1, 1, 0, 0, 3, 3, 2, 3],
}
