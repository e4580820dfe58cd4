"""The validator of recorded events: each rule with events that break it, and a correct twin on which it is silent."""

import io
from pathlib import Path

import msgspec
import numpy as np
import pytest
from helpers_events import BUSY, CHAIN_2, CHAIN_LOCK, COUNT, MAP, MAP_2, OBJECT, SPIN, S, X, gave, story, took
from helpers_runs import options, shared_file, zero_fill
from rich.console import Console

from vmconc.analysis.check import check, check_run
from vmconc.analysis.events import RunError, load
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.cli.show_checked import show_in_run
from vmconc.coordinator import validate
from vmconc.coordinator.errors import EXIT_INTERRUPTED
from vmconc.coordinator.options import RunOptions
from vmconc.coordinator.recorder import Recording
from vmconc.coordinator.result import RunResult
from vmconc.coordinator.rundir import RunDirectory
from vmconc.coordinator.single import run_once
from vmconc.explore.lockrun import run_locks
from vmconc.locks.classes import VM_MAP, VM_OBJECT
from vmconc.locks.lockmgr import WAIT_TIMED, WAIT_UPGRADE
from vmconc.memory.jit import jit_off
from vmconc.program.programs import lock_program
from vmconc.schedule.steps import (
    STEP_ACQUIRE,
    STEP_BEGIN,
    STEP_DOWNGRADE,
    STEP_END,
    STEP_LOSE,
    STEP_READ,
    STEP_READ_DONE,
    STEP_REFUSED,
    STEP_REOWN,
    STEP_SLEEP,
    STEP_TRIED,
    STEP_UPGRADE,
    STEP_WAIT,
    STEP_WAITED,
    STEP_WAKE,
)


def broken(events):
    """Return how often each rule was found broken."""
    return {found.rule: found.count for found in check(events, "").broken}


def pair(cpu, outer, inner):
    return took(cpu, outer), took(cpu, inner), gave(cpu, inner), gave(cpu, outer)


SLEEPS, WAKES, ENDS = (0, STEP_SLEEP), (0, STEP_WAKE), (0, STEP_END)
READS, READ = (0, STEP_READ), (0, STEP_READ_DONE)
SLEPT = [took(0, MAP), (1, STEP_WAIT, 0, X, 0, VM_MAP), (1, STEP_SLEEP, MAP, X)]
TWINS = {  # rule: protocol, events that break it once, events that do not
    "not-held": ("backing", [gave(0, MAP)], [took(0, MAP), gave(0, MAP)]),
    "lock-recursion": (
        "backing", [took(0, MAP, S), took(0, MAP, S)], [took(0, MAP, S), took(1, MAP, S), took(0, MAP_2, S)],
    ),
    "lock-order": ("backing", [took(0, BUSY), took(0, MAP)], [took(0, MAP), took(0, BUSY)]),
    "token-upgrade": (
        "backing", [took(0, OBJECT, S), took(0, OBJECT, X)], [took(0, OBJECT, S), gave(0, OBJECT, S), took(0, OBJECT)],
    ),
    "held-at-return": (
        "backing", [(0, STEP_BEGIN), took(0, BUSY), ENDS, (0, STEP_BEGIN), ENDS],
        [(0, STEP_BEGIN), took(0, BUSY), gave(0, BUSY), ENDS],
    ),
    "token-over-sleep": (
        "backing", [took(0, OBJECT), SLEEPS, WAKES],
        [took(0, OBJECT), (0, STEP_LOSE, OBJECT, X), SLEEPS, WAKES, (0, STEP_REOWN, OBJECT, X), gave(0, OBJECT)],
    ),
    "spinlock-over-sleep": ("backing", [took(0, SPIN), SLEEPS], [took(0, SPIN), gave(0, SPIN), SLEEPS]),
    "io-map-held": (
        "chained", [took(0, MAP, S), READS, READ, gave(0, MAP, S)], [took(0, MAP, S), gave(0, MAP, S), READS, READ],
    ),
    "io-map-released": (
        "backing", [took(0, MAP, S), gave(0, MAP, S), READS, READ], [took(0, MAP, S), READS, READ, gave(0, MAP, S)],
    ),
    "two-writers": ("backing", [took(0, MAP), took(1, MAP)], [took(0, MAP), gave(0, MAP), took(1, MAP)]),
    "reader-and-writer": (
        "backing", [took(0, CHAIN_LOCK), took(1, CHAIN_LOCK, S)],
        [took(0, CHAIN_LOCK, S), took(1, CHAIN_LOCK, S), gave(0, CHAIN_LOCK, S), gave(1, CHAIN_LOCK, S),
         took(1, CHAIN_LOCK)],
    ),
    "blame-sum": (
        "backing", [(0, STEP_WAIT, 0, X, 0, VM_MAP, 9), (0, STEP_WAITED, 0, X, 0, VM_MAP, 5)],
        [(0, STEP_WAIT, 0, X, 0, VM_MAP, 5), (0, STEP_WAITED, 0, X, 0, VM_MAP, 9)],
    ),
    "lost-wakeup": ("backing", [*SLEPT, gave(0, MAP), (0, STEP_BEGIN)], [*SLEPT, gave(0, MAP), (1, STEP_WAKE)]),
    "order-cycle": (
        "chained", [*pair(0, CHAIN_LOCK, CHAIN_2), *pair(1, CHAIN_2, CHAIN_LOCK)],
        [*pair(0, CHAIN_LOCK, CHAIN_2), *pair(1, CHAIN_LOCK, CHAIN_2)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", TWINS)
def test_each_rule_finds_what_breaks_it_and_is_silent_on_its_twin(rule):
    protocol, bad, good = TWINS[rule]
    assert broken(story(*bad, protocol=protocol)) == {rule: 1}
    assert broken(story(*good, protocol=protocol)) == {}


def test_every_rule_that_is_checked_has_a_broken_twin():
    rules = {rule for protocol in ("chained", "backing") for rule in check(story(ENDS, protocol=protocol), "").rules}
    assert rules == set(TWINS)


def test_a_page_in_across_which_the_map_lock_was_dropped_and_taken_again_is_found():
    gap = [took(0, MAP, S), READS, gave(0, MAP, S), took(0, MAP, S), READ, gave(0, MAP, S)]
    assert broken(story(*gap)) == {"io-map-released": 1}
    assert broken(story(*gap, protocol="chained")) == {"io-map-held": 1}


def test_a_page_in_in_which_a_cpu_was_stopped_is_left_out():
    assert broken(story(READS)) == {}
    assert broken(story(READS, (1, STEP_READ), (1, STEP_READ_DONE))) == {"io-map-released": 1}


def test_a_request_that_is_never_met_is_one_and_one_that_would_have_timed_out_or_upgrades_is_none():
    asks = (0, STEP_WAIT, MAP, S, 0, VM_MAP)
    for held, rule in ((MAP, "lock-recursion"), (BUSY, "lock-order")):
        assert rule in broken(story(took(0, held, S), asks))
        assert rule not in broken(story(took(0, held, S), asks, (0, STEP_SLEEP, MAP, S, WAIT_TIMED)))
        assert rule not in broken(story(took(0, held, S), asks, (0, STEP_SLEEP, MAP, S, WAIT_UPGRADE)))
        assert rule not in broken(story(took(0, held, S), asks, (0, STEP_WAITED, 0, S, 0, VM_MAP)))
    assert broken(story(took(0, OBJECT, S), (0, STEP_WAIT, OBJECT, X, 0, VM_OBJECT))) == {"token-upgrade": 1}


def test_what_an_operation_left_behind_is_reported_once():
    left = [(0, STEP_BEGIN), took(0, BUSY), ENDS, (0, STEP_BEGIN), took(0, MAP), gave(0, MAP), ENDS]
    assert broken(story(*left)) == {"held-at-return": 1}
    assert broken(story(*left[:2], *left[4:])) == {"held-at-return": 1, "lock-order": 1}


def test_a_release_that_was_refused_and_an_upgrade_of_what_is_not_held_are_found():
    assert broken(story(took(0, MAP), (1, STEP_REFUSED, MAP), gave(0, MAP))) == {"not-held": 1}
    assert broken(story((0, STEP_UPGRADE, MAP, X))) == {"not-held": 1}


def test_a_try_may_come_in_any_order():
    assert broken(story(took(0, BUSY), (0, STEP_TRIED, MAP, X))) == {}


def test_an_upgrade_gives_up_its_own_share_only():
    share, other, up = took(0, MAP, S), took(1, MAP, S), (0, STEP_UPGRADE, MAP, X)
    assert broken(story(share, up)) == {}
    assert broken(story(share, other, up)) == {"reader-and-writer": 1}


def test_a_share_beside_an_upgraded_lock_is_found_and_beside_a_downgraded_one_is_not():
    share, up, down = took(0, MAP, S), (0, STEP_UPGRADE, MAP, X), (0, STEP_DOWNGRADE, MAP, S)
    assert broken(story(share, up, took(1, MAP, S))) == {"reader-and-writer": 1}
    assert broken(story(share, up, down, took(1, MAP, S))) == {}


def test_a_cpu_may_share_the_page_that_it_owns():
    assert broken(story(took(0, BUSY), (0, STEP_TRIED, BUSY, S))) == {}
    assert broken(story(took(0, BUSY), (1, STEP_TRIED, BUSY, S))) == {"reader-and-writer": 1}


def test_a_count_has_no_owner():
    assert broken(story(took(0, COUNT, S), took(1, COUNT, S))) == {}


def test_nothing_is_said_of_events_of_which_some_were_lost():
    events = story(*TWINS["two-writers"][1])
    events.run["recording"]["dropped"] = [3]
    checked = check(events, "")
    assert not checked.broken and not checked.rules and "3 events were lost" in checked.not_checked[0]


def test_what_is_no_run_and_what_has_no_events_is_said(tmp_path):
    with pytest.raises(RunError, match=r"is no run: run\.json cannot be read"):
        load(tmp_path)
    (tmp_path / "events").mkdir()
    with pytest.raises(RunError, match="its run goes on, or was killed"):
        load(tmp_path)
    (tmp_path / "run.json").write_bytes(msgspec.json.encode({"program": "p", "recording": {"events": [1]}}))
    with pytest.raises(RunError, match="is damaged"):
        load(tmp_path)
    (tmp_path / "run.json").write_bytes(msgspec.json.encode({"program": "p"}))
    with pytest.raises(RunError, match=r"--mode recorded \(report, histogram and html read those of --mode timed"):
        load(tmp_path)


@pytest.mark.skipif(jit_off(), reason="worker processes need the JIT")
@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["chained", "backing"])
def test_both_validators_are_silent_on_a_correct_run_and_every_acquisition_is_recorded(protocol, tmp_path):
    result = run_once(shared_file(spaces=2, pages=40), protocol, options(tmp_path, mode="recorded", ring=64))
    events = load(Path(result.run_dir))
    assert result.violation_count == 0 and check(events, "").broken == []
    assert events.lost == 0 and sum(result.recording.waits) > 0  # a ring of 64 events was full now and then
    acquired = np.isin(events.action, (STEP_ACQUIRE, STEP_TRIED)) & (events.cpu < result.cpus)
    assert acquired.sum() == sum(locks.shared + locks.exclusive for locks in result.locks.values())
    assert (events.action == STEP_READ).sum() == result.pageins > 0


BUSTED = '''"""A lock that says it was acquired and never is: both threads stand in it before either leaves."""
from vmconc.concurrent import Mutex, atomic, atomic_add, kernel, mutex_lock, mutex_unlock, shared, thread, wait_a_turn
from vmconc.locks.classes import EXCLUSIVE, MUTEX
from vmconc.locks.hook import acquired, released
from vmconc.memory.refs import offset

@shared
class Room:
    door: Mutex
    inside: int = atomic()

@thread(2)
def enter(cpu, room):
    acquired(cpu, offset(room.door), MUTEX, EXCLUSIVE, 0)
    atomic_add(room, "inside", 1)
    while room.inside < 2:
        wait_a_turn(cpu)
    released(cpu, offset(room.door), MUTEX)
'''


@pytest.mark.skipif(jit_off(), reason="worker processes need the JIT")
def test_a_lock_that_lets_everybody_in_is_found_and_one_that_does_not_is_not(tmp_path):
    (tmp_path / "busted.py").write_text(BUSTED)
    busted = run_locks(str(tmp_path / "busted.py"), {}, 3, options(tmp_path, mode="recorded"))
    assert {found.rule: found.count for found in check_run(Path(busted.run_dir)).broken} == {"two-writers": 3}
    sound = run_locks(lock_program("dining"), {"fixed": 1}, 50, options(tmp_path, mode="recorded"))
    events = load(Path(sound.run_dir))
    assert events.nanoseconds(events.raw["time"].min()) >= 0
    assert guarded(app, ["report", sound.run_dir]) == guarded(app, ["heat", sound.run_dir]) == 0
    checked = check_run(Path(sound.run_dir))
    assert checked.events > 50 * 12 and not checked.broken and sound.exit_code == 0


@pytest.mark.skipif(jit_off(), reason="worker processes need the JIT")
def test_philosophers_who_could_wait_for_one_another_are_found_whether_they_did_or_not(tmp_path):
    risky = run_locks(lock_program("dining"), {}, 20, options(tmp_path, mode="recorded"))
    assert {found.rule: found.count for found in check_run(Path(risky.run_dir)).broken} == {"order-cycle": 1}


@pytest.mark.skipif(jit_off(), reason="worker processes need the JIT")
def test_a_recorded_run_is_checked_when_it_has_ended_unless_that_is_not_wanted(tmp_path):
    run = run_locks(lock_program("dining"), {}, 20, options(tmp_path, mode="recorded"))
    assert run.ending.exit_code == 0 and not run.violations  # only its events say what could have happened
    assert run.exit_code == 1 and [found.rule for found in run.checked.broken] == ["order-cycle"]
    left = msgspec.json.decode((Path(run.run_dir) / "run.json").read_bytes())
    assert left["checked"] == msgspec.to_builtins(check_run(Path(run.run_dir)))
    unchecked = run_locks(lock_program("dining"), {}, 20, options(tmp_path, mode="recorded", check_events=False))
    assert unchecked.checked is None and unchecked.exit_code == 0


def printed(checked, told):
    out = Console(file=io.StringIO(), width=200)
    show_in_run(out, checked, told)
    return out.file.getvalue()


def test_what_a_run_prints_of_its_events_says_nothing_twice():
    broken_twice = story(*TWINS["two-writers"][1], *TWINS["spinlock-over-sleep"][1])
    found = printed(check(broken_twice, ""), {"spinlock-over-sleep"})
    assert "2 broken" in found and "spinlock-over-sleep: 1 times, as reported above\n" in found
    assert "two-writers: 1 times; a lock that" in found and "cpu 1, " in found
    assert "nothing broken" in printed(check(story(*TWINS["two-writers"][2]), ""), ())
    broken_twice.run["recording"]["dropped"] = [3]
    assert "3 events were lost" in printed(check(broken_twice, ""), ()) and printed(None, ()) == ""


@pytest.mark.slow
@pytest.mark.skipif(jit_off(), reason="worker processes need the JIT")
def test_a_ring_that_drops_says_how_many_events_are_missing(tmp_path):
    result = run_once(zero_fill(pages=400), "backing", options(tmp_path, mode="recorded", ring=2, drop=True))
    checked = check_run(Path(result.run_dir))
    assert sum(result.recording.dropped) > 0 and not checked.rules
    whole = run_once(zero_fill(pages=400), "backing", options(tmp_path, mode="recorded", ring=2))
    assert sum(whole.recording.dropped) == 0 and sum(whole.recording.events) > 400 * 20


def test_who_interrupts_the_check_of_a_run_has_the_run_and_is_told_how_to_go_on(tmp_path, monkeypatch):
    result = RunResult("story", "backing", 2, "recorded", 0, recording=Recording([3]))

    def interrupted(directory):
        raise KeyboardInterrupt

    monkeypatch.setattr(validate, "checked_in", interrupted)
    directory = RunDirectory(tmp_path, "story")
    validate.leave(directory, result, RunOptions(mode="recorded"), show=False)
    directory.close()
    assert result.exit_code == EXIT_INTERRUPTED and f"vmconc check {directory.path}" in result.ending.message
    assert "was interrupted" in (directory.path / "run.json").read_text()
