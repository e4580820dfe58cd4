"""Who waits for whom, case by case."""

import numpy as np
import pytest

from vmconc.program import PlanBuilder, PlanError
from vmconc.program.builder import WORDS
from vmconc.vm import opcodes as op

RW = op.PROT_READ | op.PROT_WRITE


def waits_of(plan, i):
    first, count = int(plan.ops["wait_first"][i]), int(plan.ops["wait_count"][i])
    return sorted((int(w["lwp"]), int(w["count"])) for w in plan.waits[first : first + count])


def two_threads():
    """Return a builder with two threads of one space; so far LWP 0 has completed 3 operations, LWP 1 none."""
    build = PlanBuilder("two threads")
    a = build.spawn()
    build.mmap(a, 0, 16 * 4096, RW, 0)
    return build, a, build.vfork(a)


def test_a_child_starts_after_its_fork_and_waits_only_once():
    build, _, b = two_threads()
    build.touch(b, 0)
    build.touch(b, 0)
    plan = build.finish()
    assert waits_of(plan, 3) == [(0, 3)]
    assert waits_of(plan, 4) == []


def test_a_change_waits_for_touches_in_its_range_only():
    build, a, b = two_threads()
    build.touch(b, 0)
    build.touch(b, 4096)
    build.touch(b, 8 * 4096)
    build.munmap(a, 0, 2 * 4096)
    assert waits_of(build.finish(), 6) == [(1, 2)]


def test_a_touch_waits_for_the_last_change_that_covers_its_page():
    build, a, b = two_threads()
    build.touch(b, 15 * 4096)
    build.mprotect(a, 0, 4096, RW)
    build.mprotect(a, 4096, 4096, RW)
    build.touch(b, 0)
    build.touch(b, 4096)
    build.touch(b, 8 * 4096)
    plan = build.finish()
    assert [waits_of(plan, i) for i in (6, 7, 8)] == [[(0, 4)], [(0, 5)], []]


def test_changes_of_one_space_wait_for_each_other_only_if_their_ranges_overlap():
    build, a, b = two_threads()
    build.munmap(a, 0, 2 * 4096)
    build.munmap(b, 8 * 4096, 4096)
    build.munmap(a, 4 * 4096, 4096)
    build.mprotect(b, 4096, 4 * 4096, RW)
    build.mremap(a, 8 * 4096, 4096, 9 * 4096, 4096)
    plan = build.finish()
    assert [waits_of(plan, i) for i in (4, 5, 6, 7)] == [[(0, 3)], [], [(0, 5)], [(1, 1)]]


def test_a_change_of_the_whole_space_is_ordered_with_all_others():
    build, a, b = two_threads()
    c = build.vfork(a)
    build.munmap(a, 0, 4096)
    build.munmap(b, 8 * 4096, 4096)
    build.fork(c)
    build.munmap(a, 4096, 4096)
    build.munmap(b, 9 * 4096, 4096)
    build.fork(a)
    plan = build.finish()
    assert [waits_of(plan, i) for i in range(5, 10)] == [[(0, 4)], [(0, 5), (1, 1)], [(2, 1)], [(2, 1)], [(1, 2)]]


def test_a_touch_that_grows_a_stack_is_a_change():
    build = PlanBuilder("stack")
    a = build.spawn()
    build.mmap(a, 0x40000, 0x1000, RW, op.MAP_STACK)
    b = build.vfork(a)
    build.touch(b, 0x3e000)
    build.mprotect(a, 0x3f000, 0x1000, op.PROT_READ)
    assert waits_of(build.finish(), 4) == [(1, 1)]


def test_changes_of_different_spaces_are_not_ordered():
    build = PlanBuilder("two spaces")
    a, b = build.spawn(), build.spawn()
    for lwp in (a, b, a):
        build.mmap(lwp, 0, 4096, RW, 0)
    assert len(build.finish().waits) == 0


def test_touches_race_with_a_fork_by_another_thread():
    build, a, b = two_threads()
    build.touch(b, 0, write=True)
    build.fork(a)
    build.touch(b, 0, write=True)
    plan = build.finish()
    assert waits_of(plan, 4) == waits_of(plan, 5) == []


@pytest.mark.parametrize("leave", ["exec_", "exit_"])
def test_a_suspended_parent_waits_for_its_child_to_leave(leave):
    build = PlanBuilder("vfork")
    a = build.spawn()
    b = build.vfork(a, suspend=True)
    with pytest.raises(PlanError, match="LWP 0 is suspended in vfork until LWP 1"):
        build.touch(a, 0)
    build.touch(b, 0)
    getattr(build, leave)(b)
    build.touch(a, 0)
    assert waits_of(build.finish(), 4) == [(1, 2)]


def test_an_lwp_that_inherits_a_word_waits_for_its_last_owner(monkeypatch):
    monkeypatch.setattr("vmconc.program.builder.WORDS", 2)
    build = PlanBuilder("words")
    a, b = build.spawn(), build.spawn()
    build.exit_(b)
    c = build.fork(a)
    build.touch(c, 0)
    plan = build.finish()
    assert plan.lwps[c].word == plan.lwps[b].word == 1
    assert waits_of(plan, 4) == [(0, 2), (1, 2)]


def test_the_513th_live_lwp_is_refused():
    build = PlanBuilder("many")
    for _ in range(WORDS):
        build.spawn()
    with pytest.raises(PlanError, match="more than 512 LWPs are alive at once"):
        build.spawn()


def test_operations_that_no_program_could_issue_are_refused():
    build = PlanBuilder("wrong")
    a = build.spawn()
    with pytest.raises(PlanError, match="bad range"):
        build.munmap(a, 0, 0)
    with pytest.raises(PlanError, match="file 3"):
        build.mmap(a, 0, 4096, RW, 0, file=3)
    with pytest.raises(PlanError, match="LWP 7 does not exist"):
        build.touch(7, 0)
    build.exit_(a)
    with pytest.raises(PlanError, match="LWP 0 has exited"):
        build.touch(a, 0)
    with pytest.raises(PlanError, match="no operation"):
        PlanBuilder("empty").finish()


def test_addresses_are_rounded_to_pages_and_stamps_are_unique():
    build = PlanBuilder("rounding")
    a = build.spawn()
    build.mmap(a, 0x1234, 0x1000, RW, 0)
    build.brk(a, 0x5001, 0x10)
    build.brk(a, 0x5001, 0x1000)
    build.touch(a, 0x1fff)
    plan = build.finish()
    assert plan.ops["va"].tolist() == [0, 0x1000, 0x6000, 0x1000]
    assert plan.ops["length"].tolist()[1:3] == [0x2000, 0x1000]
    assert len(np.unique(plan.ops["stamp"])) == 4 and plan.ops["stamp"].min() > 0
