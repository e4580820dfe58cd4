"""The controlled engine: CPUs take turns, the same decisions give the same execution, every bad end is recognised."""

import numpy as np
import pytest
from helpers_schedule import (
    LONG,
    add_bare,
    add_locked,
    add_spinning,
    add_writing,
    cross,
    laboratory,
    produce_or_consume,
    read_twice_or_write,
    spin_for_ever,
    tangle,
    wait_for_last,
    wait_or_signal,
    write_log,
)

from vmconc.explore.failure import explain, stuck_cpus
from vmconc.explore.target import Target, make
from vmconc.memory.jit import jit_off
from vmconc.schedule.records import DEADLOCK, FINISHED, KEPT, LIVELOCK, TOO_LONG
from vmconc.schedule.strategies import DFS, NAMES, PCT, POS, ROUND_ROBIN, STAY, UNIFORM

MANY = 60 if jit_off() else 3000


def values_seen(lab, count):
    """Run one execution at a time and return the set of final values."""
    seen = set()
    for _ in range(count):
        assert lab.run(1) == 1 and lab.engine.ended == FINISHED
        seen.add(lab.argument.value)
    return seen


@pytest.mark.parametrize("strategy", NAMES)
@pytest.mark.parametrize("body", [add_locked, add_spinning, add_writing])
def test_nothing_is_lost_under_a_lock(body, strategy):
    lab = laboratory(body, 3, strategy=strategy)
    assert lab.run(MANY) == MANY or lab.engine.exhausted
    assert lab.engine.ended == FINISHED and lab.argument.value == 3 and lab.argument.flag == 0


@pytest.mark.parametrize("body", [add_locked, add_spinning])
def test_nobody_makes_a_step_in_vain_before_a_taken_lock(body):
    """Three steps each, however long they wait."""
    lab = laboratory(body, 3, strategy=UNIFORM)
    for _ in range(50):
        lab.run(1)
        assert lab.engine.steps == 9


def test_a_contended_request_to_write_is_two_steps_and_a_request_to_read_is_one():
    """The claim, which bars new readers, and the ownership.  Alone a CPU makes six steps here."""
    lab = laboratory(add_writing, 3, strategy=UNIFORM)
    steps = set()
    for _ in range(50):
        lab.run(1)
        steps.add(lab.engine.steps)
    assert steps == {18, 19, 20, 21}


def test_a_second_share_behind_a_writer_that_waits_is_a_deadlock_as_often_as_it_must_be():
    """CPU 0 has to come first, then CPU 1 has to claim the lock: one execution in four."""
    lab = laboratory(read_twice_or_write, 2, strategy=UNIFORM)
    count, found, done = 10 * MANY, 0, 0
    while done < count:
        done += lab.run(count - done)
        found += lab.engine.ended == DEADLOCK
    assert abs(found - count / 4) <= 3.29 * (count * 3 / 16) ** 0.5


def test_an_update_without_a_lock_is_lost_in_some_executions_and_not_in_others():
    assert values_seen(laboratory(add_bare, 2, strategy=UNIFORM), MANY) == {1, 2}


def test_without_preemption_no_update_is_lost():
    assert values_seen(laboratory(add_bare, 3, strategy=STAY), 3) == {3}


def test_without_preemption_who_waits_without_sleeping_lets_others_go_on():
    """The first looks for what the second does, with a third that could go on too."""
    lab = laboratory(wait_for_last, 3, strategy=STAY)
    lab.argument.rounds = 1
    lab.segment.memory.notes.take_copy()
    assert lab.run(1) == 1 and lab.engine.ended == FINISHED and lab.argument.flag == 1


@pytest.mark.parametrize("body", [produce_or_consume, wait_or_signal])
@pytest.mark.parametrize("strategy", NAMES)
def test_sleepers_are_woken(body, strategy):
    lab = laboratory(body, 3, strategy=strategy)
    assert lab.run(MANY) == MANY or lab.engine.exhausted
    assert lab.engine.ended == FINISHED and lab.argument.value == 2


@pytest.mark.parametrize("strategy", [UNIFORM, PCT, POS])
def test_a_deadlock_is_found(strategy):
    """It needs one preemption: each CPU holds the mutex that the other waits for."""
    lab = laboratory(cross, 2, strategy=strategy)
    assert lab.run(MANY) < MANY
    assert lab.engine.ended == DEADLOCK
    assert [lab.argument.a.owner, lab.argument.b.owner] == [1, 2]


def tangled(fixed):
    """Return an engine whose first three CPUs may wait for one another while the fourth goes on."""
    lab = laboratory(tangle, 5, strategy=UNIFORM)
    lab.argument.flag = fixed
    lab.segment.memory.notes.take_copy()
    return lab


def test_cpus_that_wait_for_one_another_are_reported_while_others_go_on():
    """When the ring closes: nobody makes a step after that.  Who waits for one of them is named, who works is not."""
    lab, sets = tangled(0), set()
    for _ in range(20):
        while lab.run(1) and lab.engine.ended == FINISHED:
            pass
        assert lab.engine.ended == DEADLOCK and lab.engine.cycle == 1
        ring, *lines = explain(lab)
        assert ring == "deadlock: cpu 0 waits for cpu 1 waits for cpu 2 waits for cpu 0"
        assert [int(line.split()[1]) for line in lines] == stuck_cpus(lab)
        sets.add((*stuck_cpus(lab), lab.segment.nth("Fiber", 3).steps < LONG))
    assert {(0, 1, 2, True), (0, 1, 2, 4, True)} <= sets


def test_nothing_is_said_of_cpus_that_keep_an_order():
    lab = tangled(1)
    assert lab.run(MANY) == MANY and lab.engine.ended == FINISHED


def test_nobody_owns_a_semaphore_so_it_makes_no_ring():
    """Three wait for two items: the last one waits for ever, which is seen when nobody can go on."""
    lab = laboratory(produce_or_consume, 4, strategy=UNIFORM)
    lab.run(1)
    assert lab.engine.ended == DEADLOCK and lab.engine.cycle == 0
    assert explain(lab)[0] == "deadlock: no CPU can go on"


def test_who_takes_a_second_share_waits_for_itself():
    """The writer before it has the claim and waits behind it."""
    lab = laboratory(read_twice_or_write, 2, strategy=UNIFORM)
    lab.run(MANY)
    assert lab.engine.ended == DEADLOCK and stuck_cpus(lab) == [0, 1]
    assert explain(lab)[0] == "deadlock: cpu 0 waits for cpu 0"


def test_who_looks_for_what_nobody_changes_is_a_livelock():
    """The last CPU that can go on waits, without sleeping, for somebody else."""
    lab = laboratory(spin_for_ever, 1)
    assert lab.run(1) == 1 and lab.engine.ended == LIVELOCK


def run_all_of(tmp_path, changed):
    """Run all executions of a CPU that looks at two words until another one changes one; return how they ended."""
    path = tmp_path / f"look_at_both_{changed}.py"
    path.write_text(LOOK_AT_BOTH.replace("{changed}", changed))
    lab = make(Target(str(path)))
    lab.engine.strategy, lab.engine.bound = DFS, -1
    ends = set()
    while lab.run(1) and not lab.engine.exhausted:
        ends.add(lab.engine.ended)
    return lab, ends


LOOK_AT_BOTH = """
from vmconc.concurrent import shared, thread, wait_a_turn

@shared
class Doors:
    left: int
    right: int
    other: int

@thread
def look(cpu, doors):
    while doors.left == 0 and doors.right == 0:
        wait_a_turn(cpu)

@thread
def change(cpu, doors):
    doors.{changed} = 1
"""


def test_who_would_see_the_last_change_if_it_looked_again_is_in_no_livelock(tmp_path):
    """The other changes the left word and ends when this one has looked left, and is about to look right."""
    _, ends = run_all_of(tmp_path, "left")
    assert ends == {FINISHED}


def test_who_has_looked_again_after_the_last_change_is_in_a_livelock(tmp_path):
    lab, ends = run_all_of(tmp_path, "other")
    assert ends == {LIVELOCK} and lab.engine.steps < 20


def test_two_that_look_for_ever_come_to_the_limit():
    lab = laboratory(spin_for_ever, 2, limit=500)
    assert lab.run(1) == 1 and lab.engine.ended == TOO_LONG and lab.engine.steps == 500


def test_round_robin_takes_turns():
    lab = laboratory(write_log, 3, strategy=ROUND_ROBIN)
    lab.run(1)
    order = [lab.argument.log[i] for i in range(6)]
    assert order == [order[0], *[(order[0] + i) % 3 for i in range(1, 6)]]


def test_the_decisions_are_the_same_compiled_and_interpreted():
    """The list is what both must give; a change of the generator or of the points changes it."""
    lab = laboratory(add_bare, 3, strategy=UNIFORM, random=7)
    lab.run(1)
    assert lab.turns() == DECISIONS and lab.engine.steps == 6


DECISIONS = [0, 0, 1, 1]


def test_a_replay_makes_the_same_decisions_and_the_same_state():
    lab = laboratory(cross, 2, strategy=UNIFORM)
    lab.run(MANY)
    assert lab.engine.ended == DEADLOCK
    turns, steps = lab.turns(), lab.engine.steps
    lab.prescribe(turns)
    lab.engine.strategy = STAY
    for _ in range(10):
        assert lab.run(1) == 1
        assert (lab.engine.ended, lab.turns(), lab.engine.steps) == (DEADLOCK, turns, steps)
        assert lab.engine.diverged == 0


def test_a_replay_that_does_not_fit_says_where():
    """CPU 5 does not exist: the third decision cannot be made as prescribed."""
    lab = laboratory(add_bare, 2, strategy=STAY)
    lab.prescribe([0, 1, 5])
    lab.run(1)
    assert lab.engine.diverged == 3 and lab.engine.ended == FINISHED


def test_every_execution_begins_with_the_same_state():
    """Whatever was written is brought back, the engine's own records excepted."""
    lab = laboratory(add_locked, 3, strategy=UNIFORM)
    memory, notes = lab.segment.memory, lab.segment.memory.notes
    first = np.frombuffer(notes.copy, np.uint8).copy()
    kept = np.repeat(notes.map() != 0, 64)
    lab.run(5)
    after = np.frombuffer(memory.buffer, np.uint8)
    assert (after != first)[~kept & (np.arange(len(first)) >= 4096)].any()
    lab.prescribe([])
    lab.engine.fibers = lab.engine.workers = 0  # nobody runs: what is left is the beginning
    lab.run(1)
    changed = np.flatnonzero((after != first) & ~kept)
    assert changed[changed >= 4096].tolist() == []
    assert [name for name in KEPT if not lab.segment.table(name).capacity] == ["Seen", "Chosen"]
