"""Who is charged for waits: numbers worked out by hand, and sums that are the same to the last tick, always."""

import msgspec
import numpy as np
import pytest
from helpers_events import BUSY, CHAIN_LOCK, CLASS, COUNT, MAP, OBJECT, SPIN, S, X, story, write_run
from helpers_events_naive import storm
from hypothesis import given
from hypothesis import strategies as st

from vmconc.analysis.blame import HOLDER, NOBODY, UNKNOWN, WRITER, blame, not_charged
from vmconc.analysis.blame_told import blamed
from vmconc.cli import blame as cli
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.coordinator.errors import UsageError
from vmconc.locks.classes import VM_MAP, VM_PAGE
from vmconc.schedule.steps import (
    STEP_ACQUIRE,
    STEP_DOWNGRADE,
    STEP_LOSE,
    STEP_RELEASE,
    STEP_REOWN,
    STEP_SLEEP,
    STEP_UPGRADE,
    STEP_WAIT,
    STEP_WAITED,
    STEP_WAKE,
)


def at(time, cpu, action, lock=0, mode=X, site=0):
    offset = 0 if action in (STEP_WAIT, STEP_WAITED) else lock
    return cpu, action, offset, mode, site, CLASS.get(lock, 0), time


def takes(time, cpu, lock, mode=X, site=0):
    return at(time, cpu, STEP_ACQUIRE, lock, mode, site)


def gives(time, cpu, lock, mode=X):
    return at(time, cpu, STEP_RELEASE, lock, mode)


def waits(begin, end, cpu, lock, mode=X, site=0, between=()):
    """Return a request that had to wait and got the lock; `between`: what else happened meanwhile."""
    first = [at(begin, cpu, STEP_WAIT, lock, mode), at(begin, cpu, STEP_SLEEP, lock, mode)]
    last = [at(end, cpu, STEP_WAKE, lock, mode), at(end, cpu, STEP_WAITED, lock, mode)]
    return [*first, *between, *last, takes(end, cpu, lock, mode, site)]


def charges(*steps, cpu=0, chain=False):
    """Return what is charged for the waits of one CPU, in ticks: (kind, CPU) and how many."""
    found = blame(story(*steps, cpus=4), chain)
    own = found.waits.cpu[found.wait] == cpu
    sums = {}
    for kind, other, ticks in zip(found.kind[own], found.cpu[own], found.ticks[own], strict=True):
        if ticks:
            key = (int(kind), int(other))
            sums[key] = sums.get(key, 0) + int(ticks)
    return sums


def test_a_wait_is_split_over_who_had_the_lock_one_after_the_other():
    between = [gives(40, 1, MAP), takes(45, 2, MAP), gives(90, 2, MAP)]
    steps = [takes(0, 1, MAP), *waits(10, 100, 0, MAP, between=between)]
    assert charges(*steps) == {(HOLDER, 1): 30, (HOLDER, 2): 45, (NOBODY, 0): 15}


def test_readers_share_the_time_in_which_they_keep_a_writer_out():
    between = [gives(31, 1, MAP, S), gives(61, 2, MAP, S)]
    steps = [takes(0, 1, MAP, S), takes(20, 2, MAP, S), *waits(10, 70, 0, MAP, between=between)]
    assert charges(*steps) == {(HOLDER, 1): 10 + 6, (HOLDER, 2): 5 + 30, (NOBODY, 0): 9}


def test_a_reader_kept_out_by_a_waiting_writer_is_charged_to_it_and_readers_alone_are_not_in_its_way():
    readers = [takes(0, 1, MAP, S), takes(0, 3, MAP, S)]
    end = [gives(50, 1, MAP, S), gives(60, 3, MAP, S)]
    writer = waits(10, 65, 2, MAP, between=[*end])
    inner = [*writer, gives(80, 2, MAP)]
    assert charges(*readers, *waits(20, 90, 0, MAP, S, between=inner)) == {
        (WRITER, 2): 40, (NOBODY, 0): 5 + 10, (HOLDER, 2): 15,
    }  # fmt: skip
    assert charges(*readers, *waits(20, 90, 0, MAP, S, between=end)) == {(NOBODY, 0): 70}


def test_only_an_exclusive_stretch_keeps_readers_out_and_an_upgrader_not_itself():
    changes = [at(30, 1, STEP_UPGRADE, MAP), at(50, 1, STEP_DOWNGRADE, MAP, S)]
    steps = [takes(0, 1, MAP, S), *waits(10, 60, 0, MAP, S, between=changes)]
    assert charges(*steps) == {(HOLDER, 1): 20, (NOBODY, 0): 30}
    upgrade = [at(10, 0, STEP_WAIT, MAP), at(10, 0, STEP_SLEEP, MAP), gives(40, 1, MAP, S), at(45, 0, STEP_WAITED, MAP)]
    both = [takes(0, 0, MAP, S), takes(0, 1, MAP, S)]
    assert charges(*both, *upgrade, at(46, 0, STEP_UPGRADE, MAP)) == {(HOLDER, 1): 30, (NOBODY, 0): 5}


def test_a_token_is_charged_only_while_it_is_owned_and_to_the_site_that_got_it():
    given_up = [at(20, 1, STEP_LOSE, OBJECT), at(70, 1, STEP_REOWN, OBJECT), gives(80, 1, OBJECT)]
    steps = [takes(0, 1, OBJECT, X, 7), *waits(10, 90, 0, OBJECT, between=given_up)]
    assert charges(*steps) == {(HOLDER, 1): 20, (NOBODY, 0): 60}
    found = blame(story(*steps))
    assert set(found.site[found.kind == HOLDER]) == {7}


def test_sleeping_until_nobody_holds_a_lock_is_charged_to_readers_too():
    sleep = [at(10, 0, STEP_WAIT, CHAIN_LOCK, S), at(10, 0, STEP_SLEEP, CHAIN_LOCK, S)]
    steps = [takes(0, 1, CHAIN_LOCK, S), *sleep, gives(30, 1, CHAIN_LOCK, S), at(35, 0, STEP_WAITED, CHAIN_LOCK)]
    assert charges(*steps) == {(HOLDER, 1): 20, (NOBODY, 0): 5}
    count = [at(10, 0, STEP_WAIT, COUNT, S), at(10, 0, STEP_SLEEP, COUNT, S), at(30, 0, STEP_WAITED, COUNT, S)]
    assert charges(takes(0, 1, COUNT, S), *count) == {(HOLDER, 1): 20}


def test_a_hold_without_end_is_charged_to_the_end_and_a_lock_that_is_not_known_to_nobody_known():
    assert charges(takes(0, 1, BUSY), at(1, 2, STEP_SLEEP), *waits(10, 30, 0, BUSY)) == {(HOLDER, 1): 20}
    unknown = [at(10, 0, STEP_WAIT, BUSY), at(30, 0, STEP_WAITED, BUSY)]
    assert charges(takes(0, 1, BUSY), *unknown) == {(UNKNOWN, 0): 20}


def test_the_order_of_changes_counts_and_not_that_of_their_times():
    between = [gives(42, 1, SPIN), takes(40, 2, SPIN), gives(50, 2, SPIN)]
    steps = [takes(0, 1, SPIN), *waits(10, 60, 0, SPIN, between=between)]
    assert charges(*steps) == {(HOLDER, 1): 32, (HOLDER, 2): 8, (NOBODY, 0): 10}


def test_a_wait_that_ends_before_it_began_is_said_not_to_be_charged():
    steps = [takes(0, 1, MAP), *waits(10, 5, 0, MAP)]
    events = story(*steps)
    assert [events.cpu[place] for place in not_charged(blame(events))] == [0]


def test_along_the_chain_a_holder_that_waits_passes_its_part_on():
    inner = [takes(30, 2, BUSY), at(31, 1, STEP_WAIT, BUSY), at(31, 1, STEP_SLEEP, BUSY), gives(70, 2, BUSY)]
    inner += [at(75, 1, STEP_WAITED, BUSY), takes(75, 1, BUSY), gives(80, 1, BUSY), gives(90, 1, MAP)]
    steps = [takes(0, 1, MAP), *waits(10, 100, 0, MAP, between=inner)]
    assert charges(*steps) == {(HOLDER, 1): 80, (NOBODY, 0): 10}
    assert charges(*steps, chain=True) == {(HOLDER, 1): 21 + 15, (HOLDER, 2): 39, (NOBODY, 0): 5 + 10}
    assert charges(*steps, cpu=1, chain=True) == charges(*steps, cpu=1) == {(HOLDER, 2): 39, (NOBODY, 0): 5}


def test_along_the_chain_a_waiting_writer_passes_on_to_the_readers_it_waits_for():
    readers = [takes(0, 1, MAP, S), takes(0, 3, MAP, S)]
    writer = waits(10, 65, 2, MAP, between=[gives(50, 1, MAP, S), gives(60, 3, MAP, S)])
    steps = [*readers, *waits(20, 90, 0, MAP, S, between=[*writer, gives(80, 2, MAP)])]
    assert charges(*steps, chain=True) == {(HOLDER, 1): 15, (HOLDER, 3): 15 + 10, (HOLDER, 2): 15, (NOBODY, 0): 15}


def test_a_chain_that_bites_its_tail_ends():
    ring = [takes(0, 0, MAP), takes(0, 1, BUSY), at(5, 1, STEP_WAIT, MAP), at(5, 1, STEP_SLEEP, MAP)]
    steps = [*ring, *waits(10, 20, 0, BUSY), at(20, 1, STEP_WAITED, MAP)]
    assert sum(charges(*steps, chain=True).values()) == 10


@st.composite
def any_story(draw):
    """Events in any order, right or wrong: whatever they are, waits are charged to the last tick."""
    locks, steps, time = (MAP, CHAIN_LOCK, OBJECT), [], 0
    actions = st.sampled_from(["take", "give", "wait", "up"])
    waiting = {}
    for _ in range(draw(st.integers(1, 40))):
        time += draw(st.integers(0, 9))
        cpu, lock, mode = draw(st.integers(0, 3)), draw(st.sampled_from(locks)), draw(st.sampled_from((S, X)))
        action = draw(actions)
        if cpu in waiting:
            lock, mode = waiting.pop(cpu)
            steps += [at(time, cpu, STEP_WAITED, lock, mode), takes(time, cpu, lock, mode)]
        elif action == "wait":
            waiting[cpu] = lock, mode
            steps += [at(time, cpu, STEP_WAIT, lock, mode), at(time, cpu, STEP_SLEEP, lock, mode)]
        elif action == "up":
            steps.append(at(time, cpu, STEP_UPGRADE, lock))
        else:
            steps.append((takes if action == "take" else gives)(time, cpu, lock, mode))
    return steps


@given(any_story())
def test_what_is_charged_is_what_was_waited_and_never_negative(steps):
    events = story(*steps, cpus=4)
    assert len(not_charged(blame(events))) == 0
    for chain in (False, True):
        found = blame(events, chain)
        assert (found.ticks >= 0).all()
        assert found.ticks.sum() == (events.raw["time"][found.waits.end] - events.raw["time"][found.waits.begin]).sum()


@pytest.mark.parametrize("holders", [1, 2, 3])
def test_ticks_that_do_not_divide_are_dealt_out_to_the_last(holders):
    steps = [takes(0, cpu, MAP, S) for cpu in range(1, holders + 1)]
    found = charges(*steps, *waits(10, 21, 0, MAP))
    assert sum(found.values()) == 11 and max(found.values()) - min(found.values()) <= 1
    assert np.unique(list(found.values())).size <= 2


def two_waits():
    """CPU 0 waits 30 ticks for a map that CPU 1 holds for 20 of them, CPU 2 waits 9 for a page that nobody holds."""
    first = [takes(0, 1, MAP, X, 1), *waits(10, 40, 0, MAP, X, 2, [gives(30, 1, MAP)])]
    return story(*first, *waits(50, 59, 2, BUSY, X, 3), at(60, 1, STEP_WAIT, MAP), cpus=4)


def test_rows_say_who_kept_whom_waiting_and_add_up():
    events = two_waits()
    events.run["recording"]["sites"] = {"1": "held here", "2": "asked here", "3": "busy"}
    told = blamed(events, "", "site", [])
    assert [(row.waiter, row.holder, row.ticks, row.waits) for row in told.rows] == [
        ("asked here", "held here", 20, 1), ("asked here", "nobody: wake-up", 10, 1), ("busy", "nobody: wake-up", 9, 1),
    ]  # fmt: skip
    assert (told.ticks, told.waits, told.never_ended) == (39, 2, 1)
    assert [(row.waiter, row.holder, row.ticks) for row in blamed(events, "", "cpu", [VM_MAP]).rows] == [
        ("cpu 0", "cpu 1", 20), ("cpu 0", "nobody: wake-up", 10),
    ]  # fmt: skip
    assert [(row.waiter, row.holder, row.ticks) for row in blamed(events, "", "class", [VM_PAGE]).rows] == [
        ("vm_page", "nobody: wake-up", 9),
    ]  # fmt: skip


def test_the_command_prints_a_matrix_csv_and_json_and_refuses_what_is_wrong(tmp_path, capsys):
    run = write_run(tmp_path / "run", two_waits())
    assert cli.blame(run, "cpu") == 0
    assert "not charged: 1 waits that never ended" in capsys.readouterr().out
    cli.blame(run, "cpu", csv=True)
    assert capsys.readouterr().out.startswith("waiter,holder,ticks,nanoseconds,waits\ncpu 0,cpu 1,20,20.0,1\n")
    cli.blame(run, "cpu", json=True)
    assert msgspec.json.decode(capsys.readouterr().out)["ticks"] == 39
    with pytest.raises(UsageError, match="--by 'x' is unknown"):
        cli.blame(run, "x")
    with pytest.raises(UsageError, match="--csv has no effect with --json"):
        cli.blame(run, json=True, csv=True)
    events = two_waits()
    events.run["recording"]["dropped"] = [1]
    with pytest.raises(UsageError, match="1 events were lost"):
        cli.blame(write_run(tmp_path / "lossy", events))


@pytest.mark.parametrize("seed", range(3))
def test_a_report_by_pair_adds_up_to_the_time_waited_of_a_report_by_site(seed, tmp_path, capsys):
    run = str(write_run(tmp_path / "run", storm(seed)))
    found = {}
    for by in ("pair", "site"):
        for more in ((), ("--class", "vm_map")):
            assert guarded(app, ["report", run, "--by", by, "--top", "0", "--json", *more]) == 0
            found[by, more] = msgspec.json.decode(capsys.readouterr().out)
    for more in ((), ("--class", "vm_map")):
        pairs, sites = found["pair", more], found["site", more]
        assert sum(row["ticks"] for row in pairs["rows"]) == pairs["ticks"] == sites["total"]["wait_ns"] > 0
        assert pairs["waits"] == sites["total"]["contended"]
        for site in sites["rows"]:
            assert site["wait_ns"] == sum(row["ticks"] for row in pairs["rows"] if row["waiter"] == site["name"])


def test_a_report_by_pair_is_blame_by_site_and_says_what_it_leaves_out(tmp_path, capsys):
    run = str(write_run(tmp_path / "run", two_waits()))
    assert guarded(app, ["report", run, "--by", "pair"]) == guarded(app, ["blame", run]) == 0
    first, second = capsys.readouterr().out.split(f"{run}: ")[1:]
    assert first == second and "site 2" in first and "site 3" in first
    assert guarded(app, ["report", run, "--by", "pair", "--top", "1"]) == 0
    short = capsys.readouterr().out
    assert "site 3" not in short and "waiters that are in the total only: 1; --top 0 shows them" in short
    assert guarded(app, ["report", run, "--by", "pair", "--sort", "hold"]) == 2
    assert "--sort hold has no effect with --by pair" in capsys.readouterr().err
    assert guarded(app, ["report", run, "--by", "pair", "--fail-on", "vm_map.wait.p99>1ms"]) == 2
    assert "--fail-on has no effect with --by pair" in capsys.readouterr().err
