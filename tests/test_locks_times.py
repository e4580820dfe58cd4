"""The histograms of mode `timed`: what there is no room for is counted all the same, holds end in any order."""

import pytest
from conftest import make_segment

from vmconc.analysis.timing import Timing
from vmconc.checks.places import place
from vmconc.coordinator.recorder import both_clocks
from vmconc.coordinator.timing import add_last, collect_times
from vmconc.locks.classes import EXCLUSIVE, MUTEX, RWLOCK, SHARED, VM_OBJECT
from vmconc.locks.cpu import ENDED_MAX
from vmconc.locks.held import hold_goes_on, hold_pauses
from vmconc.locks.hook import acquired, released, wait_begins, wait_ends
from vmconc.locks.sites import site_name
from vmconc.locks.times import HOLD, KINDS_MAX, LOCKS_MAX, TIMED_SHIFT, time_kind, times_tables
from vmconc.locks.token import SLEEP

pytestmark = pytest.mark.parallel  # mode timed is compiled
FIRST, SECOND = 4096, 8192  # byte offsets of locks


@pytest.fixture
def segment():
    return make_segment(times_tables(2), mode="timed", cpus=2)


@pytest.fixture
def cpu(segment):
    return segment.nth("Cpu", 1)


def counted(rows):
    """Return how many durations there are by what they are of."""
    found = {}
    for row in rows:
        key = (row.what, row.cls, row.mode)
        found[key] = found.get(key, 0) + sum(row.bins.values())
    return found


def test_kinds_that_there_is_no_room_for_are_counted_together(segment, cpu):
    kinds = KINDS_MAX + 10
    for site in range(1, kinds + 1):
        time_kind(cpu, HOLD << TIMED_SHIFT | site << 8 | MUTEX * 2 + EXCLUSIVE, site)
    timing = collect_times(segment, both_clocks())
    assert counted(timing.kinds) == {("hold", "mutex", "exclusive"): KINDS_MAX, ("hold", "", ""): 10}
    assert sum(row.total for row in timing.kinds) == kinds * (kinds + 1) // 2


def wait_for(cpu, locks):
    """Let a CPU wait for some locks, and take and release each."""
    for number in range(1, locks + 1):
        wait_ends(cpu, MUTEX, wait_begins(cpu, FIRST * number, MUTEX, EXCLUSIVE))
        acquired(cpu, FIRST * number, MUTEX, EXCLUSIVE, 0)
        released(cpu, FIRST * number, MUTEX)


def test_no_lock_is_left_out_before_four_fifths_of_the_list_are_taken(segment, cpu):
    locks = LOCKS_MAX * 4 // 5
    wait_for(cpu, locks)
    assert (segment.view("TimedLocks")["lock"] != 0).sum() == locks
    assert collect_times(segment, both_clocks()).unlisted == 0


def test_locks_that_there_is_no_room_for_are_counted_as_left_out(segment, cpu):
    locks = LOCKS_MAX + 10
    wait_for(cpu, locks)
    timing = collect_times(segment, both_clocks())
    listed = sum(sum(row.bins.values()) for row in timing.locks if row.what == "wait")
    assert listed + timing.unlisted == locks and timing.unlisted >= 10
    assert counted(timing.kinds) == {("wait", "mutex", "exclusive"): locks, ("hold", "mutex", "exclusive"): locks}


def test_the_last_wait_for_a_lock_without_room_is_left_out_too(segment, cpu):
    wait_for(cpu, LOCKS_MAX + 10)
    listed = set(segment.view("TimedLocks")["lock"][0].tolist())
    before = collect_times(segment, both_clocks())
    lock = next(FIRST * number for number in range(1, LOCKS_MAX + 11) if FIRST * number not in listed)
    wait_ends(cpu, MUTEX, wait_begins(cpu, lock, MUTEX, EXCLUSIVE))
    after = collect_times(segment, both_clocks())
    assert after.unlisted == before.unlisted + 1
    assert counted(after.locks)["wait", "mutex", ""] == counted(before.locks)["wait", "mutex", ""]


def test_a_hold_in_the_middle_of_the_stack_keeps_its_beginning(segment, cpu):
    acquired(cpu, FIRST, MUTEX, EXCLUSIVE, 0)
    acquired(cpu, SECOND, RWLOCK, SHARED, 0)
    begun = cpu.held_since[1]
    released(cpu, FIRST, MUTEX)
    assert cpu.held_since[0] == begun and cpu.ended == 1
    released(cpu, SECOND, RWLOCK)
    assert counted(collect_times(segment, both_clocks()).kinds) == {
        ("hold", "mutex", "exclusive"): 1, ("hold", "rwlock", "shared"): 1,
    }  # fmt: skip


def test_a_token_that_is_given_up_is_held_twice(segment, cpu):
    acquired(cpu, FIRST, VM_OBJECT, EXCLUSIVE, 0)
    hold_pauses(cpu, FIRST, VM_OBJECT)
    hold_goes_on(cpu, FIRST, VM_OBJECT, EXCLUSIVE)
    released(cpu, FIRST, VM_OBJECT)
    assert counted(collect_times(segment, both_clocks()).kinds) == {
        ("hold", "vm_object", "exclusive"): 1, ("hold again", "vm_object", "exclusive"): 1,
    }  # fmt: skip


def test_a_wait_after_which_nothing_is_acquired_belongs_to_what_was_asked_for(segment, cpu):
    wait_ends(cpu, MUTEX, wait_begins(cpu, FIRST, MUTEX, EXCLUSIVE))
    acquired(cpu, SECOND, RWLOCK, SHARED, 0)
    wait_ends(cpu, MUTEX, wait_begins(cpu, SECOND, MUTEX, SHARED))
    timing = collect_times(segment, both_clocks())
    assert counted(timing.kinds) == {("wait", "mutex", "exclusive"): 1, ("wait", "mutex", "shared"): 1}
    assert {(row.what, row.cls, row.lock) for row in timing.locks} == {
        ("wait", "mutex", place(segment, FIRST)), ("wait", "mutex", place(segment, SECOND)),
    }  # fmt: skip


def test_where_the_last_wait_slept_and_a_wait_that_goes_on_are_told(segment, cpu):
    since = wait_begins(cpu, FIRST, MUTEX, EXCLUSIVE)
    cpu.reason = SLEEP
    assert collect_times(segment, both_clocks()).unfinished == 1
    wait_ends(cpu, MUTEX, since)
    cpu.reason = 0  # it has slept elsewhere since
    timing = collect_times(segment, both_clocks())
    assert [(row.what, row.site) for row in timing.kinds] == [("wait", site_name(SLEEP))]
    assert timing.unfinished == 0


@pytest.mark.parametrize("before", [0, ENDED_MAX - 1, ENDED_MAX])
def test_a_wait_before_a_release_does_not_belong_to_what_is_acquired_after_it(segment, cpu, before):
    for _ in range(before):
        acquired(cpu, SECOND, RWLOCK, SHARED, 0)
        released(cpu, SECOND, RWLOCK)
    acquired(cpu, SECOND, RWLOCK, SHARED, 0)
    wait_ends(cpu, MUTEX, wait_begins(cpu, FIRST, MUTEX, EXCLUSIVE))
    released(cpu, SECOND, RWLOCK)
    acquired(cpu, SECOND, MUTEX, EXCLUSIVE, 0)
    waits = [row for row in collect_times(segment, both_clocks()).locks if row.what == "wait"]
    assert [(row.cls, row.lock) for row in waits] == [("mutex", place(segment, FIRST))]


def test_of_the_holds_before_a_locks_first_wait_those_not_counted_yet_are_in_its_row(segment, cpu):
    for _ in range(2 * ENDED_MAX + 3):
        acquired(cpu, FIRST, MUTEX, EXCLUSIVE, 0)
        released(cpu, FIRST, MUTEX)
    wait_for(cpu, 1)
    held = [row for row in collect_times(segment, both_clocks()).locks if row.what == "hold"]
    assert [sum(row.bins.values()) for row in held] == [3 + 1]


def test_what_is_not_counted_yet_is_added_once(segment, cpu):
    for _ in range(3):
        acquired(cpu, FIRST, MUTEX, EXCLUSIVE, 0)
        released(cpu, FIRST, MUTEX)
    found = Timing(1.0)
    add_last(found, segment, segment.view("Cpu")[1])
    assert counted(found.kinds) == {("hold", "mutex", "exclusive"): 3} and len(found.kinds) == 1
