"""Who is left asleep, and rules that are only held if asked for."""

import pytest
from helpers_events import BUSY, CLASS, MAP, MUTEX_1, S, X, gave, story, took, waited, waits

from vmconc.analysis.asleep import lost_wakeups
from vmconc.analysis.check import check
from vmconc.analysis.limits import Limits
from vmconc.cli.check import limits
from vmconc.coordinator.errors import UsageError
from vmconc.locks.classes import VM_MAP, VM_PAGE
from vmconc.locks.lockmgr import WAIT_UPGRADE
from vmconc.schedule.steps import STEP_BEGIN, STEP_SLEEP


def sleeps(cpu, lock, mode=X, site=0):
    return [waits(cpu, CLASS[lock], mode), (cpu, STEP_SLEEP, lock, mode, site)]


def lost(*steps):
    return len(lost_wakeups(story(*steps, cpus=3)))


def broken(limit, *steps):
    found = check(story(*steps, cpus=3), "", limit)
    return {one.rule: one.count for one in found.broken}


def test_who_sleeps_on_a_lock_that_somebody_holds_has_lost_nothing():
    assert lost(took(0, MAP), *sleeps(1, MAP), (0, STEP_BEGIN)) == 0
    assert lost(took(0, MUTEX_1), *sleeps(0, MUTEX_1), (1, STEP_BEGIN)) == 0  # waits for itself: a deadlock


def test_whether_who_gave_the_lock_up_last_had_come_to_waking_must_be_known():
    steps = [took(0, MAP), *sleeps(1, MAP), gave(0, MAP)]
    assert lost(*steps) == 0
    assert lost(*steps, (0, STEP_BEGIN)) == 1
    assert lost(*sleeps(1, BUSY)) == 1  # nobody ever held it


def test_an_upgrade_waits_for_others_and_not_for_its_own_share():
    both = [took(0, MAP, S), took(1, MAP, S), *sleeps(1, MAP, X, WAIT_UPGRADE)]
    assert lost(*both) == 0
    assert lost(*both, gave(0, MAP, S), (0, STEP_BEGIN)) == 1


def test_a_budget_is_for_one_class_and_as_long_as_it_says():
    steps = [took(0, MAP), 10, took(0, BUSY), 20, gave(0, BUSY), gave(0, MAP)]  # a step is 1 ns: 33 and 21
    assert broken(Limits({VM_MAP: 32, VM_PAGE: 21}), *steps) == {"hold-budget": 1}
    assert broken(Limits({VM_MAP: 33}), *steps) == {}


def test_who_is_passed_by_more_often_than_allowed_starves():
    passing = [step for _ in range(3) for step in (took(1, MAP), gave(1, MAP))]
    steps = [took(1, MAP), *sleeps(0, MAP), gave(1, MAP), *passing, waited(0, VM_MAP), took(0, MAP), gave(0, MAP)]
    assert broken(Limits(passed=2), *steps) == {"starvation": 1}
    assert broken(Limits(passed=3), *steps) == {}


def queued(rounds, cpus=3, hold=0, rest=()):
    """Let CPUs hand a map lock round; `hold` more ticks each time, `rest`: rounds after which its queue is empty."""
    steps = [took(0, MAP), *(step for cpu in range(1, cpus) for step in sleeps(cpu, MAP))]
    for number in range(rounds):
        cpu, following = number % cpus, (number + 1) % cpus
        again = [] if number in rest or number >= rounds - cpus + 1 else sleeps(cpu, MAP)
        got = [waited(following, VM_MAP)] if number - cpus + 1 not in rest else []
        steps += [hold, gave(cpu, MAP), *got, took(following, MAP), *again]
    return [*steps, gave(rounds % cpus, MAP)]


def test_a_lock_that_goes_round_a_queue_that_never_drains_is_a_convoy():
    """Each hold lasts 3 ticks, and each wait lasts for those of the two others and three hand-overs."""
    assert broken(Limits(handed=10), *queued(10)) == {"convoy": 1}
    assert broken(Limits(handed=11), *queued(10)) == {}
    found = check(story(*queued(10), cpus=3), "", Limits(handed=5))
    assert "release" in found.broken[0].examples[0] and found.exit_code == 1


def test_a_queue_that_drains_is_no_convoy():
    """Who rests after round 4 finds the lock free at hand-over 6 of 13: six are in front of it, and six behind."""
    assert broken(Limits(handed=6), *queued(13, rest=(4,))) == {"convoy": 2}
    assert broken(Limits(handed=7), *queued(13, rest=(4,))) == {}


def test_a_queue_behind_one_long_hold_is_no_convoy():
    """Two CPUs queued, and get the lock: as many hand-overs in a row as are asked for, but nobody comes back."""
    assert broken(Limits(handed=2), 50, *queued(2)) == {}


def test_two_who_wait_for_long_holds_and_not_for_the_queue_are_no_convoy():
    assert broken(Limits(handed=5), *queued(12, cpus=2, hold=40)) == {}
    assert broken(Limits(handed=5), *queued(12, cpus=3, hold=40)) == {"convoy": 1}  # a queue of two


def test_limits_are_read_from_the_command_line_and_what_is_wrong_is_said():
    assert limits(["vm_map=5ms", "vm_page=1us"], 7, 9) == Limits({VM_MAP: 5_000_000, VM_PAGE: 1_000}, 7, 9)
    with pytest.raises(UsageError, match="--hold-budget 'map' is unknown; choose one of vm_map"):
        limits(["map=1ms"], 0, 0)
    with pytest.raises(UsageError, match="--starvation -1 is too few; choose 0 or more"):
        limits([], -1, 0)
    with pytest.raises(UsageError, match="--convoy -1 is too few; choose 0 or more"):
        limits([], 0, -1)
