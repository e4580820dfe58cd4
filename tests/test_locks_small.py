"""Paging-in-progress, the range interlock, spinlocks."""

import pytest
from conftest import Play
from helpers_play import (
    BUSY_RELEASE,
    BUSY_TRY,
    CHAIN_ACQUIRE,
    CHAIN_RELEASE,
    PEEK,
    PIP_ADD,
    PIP_WAIT,
    PIP_WAKEUP,
    RANGE_ACQUIRE,
    RANGE_RELEASE,
    SAID,
    SAY,
    SPIN_LOCK,
    SPIN_TRY,
    SPIN_UNLOCK,
    TOKEN_GET,
    TOKEN_RELEASE,
    TOKEN_TRY,
    UNTIL,
    UNTIL_BLOCKED,
)

from vmconc.locks.classes import COUNT_CONTENDED, COUNT_EXCLUSIVE, EXCLUSIVE, PAGE_SPIN, PIP, RANGE, SHARED
from vmconc.locks.pip import pip_count


def test_pip_counts(play):
    """Up and down, by several CPUs."""
    pip = play.ground.pip
    play.alone(0, (PIP_ADD,), (PIP_ADD,))
    play.alone(1, (PIP_ADD,), (PIP_WAKEUP,))
    assert pip_count(pip) == 2
    play.alone(0, (PIP_WAKEUP,), (PIP_WAKEUP,), (PIP_WAIT,))
    assert play.broken() == []
    play.idle()


def test_pip_wait_waits_for_zero_and_not_for_less(play):
    """Two in progress: the first to end wakes nobody.  The waiter's token is free meanwhile."""
    token = play.ground.token
    for answers in play.orders(
        [
            (PIP_ADD,),
            (PIP_ADD,),
            (SAY, 0),
            (UNTIL_BLOCKED, 1),
            (UNTIL_BLOCKED, 2),
            (PIP_WAKEUP,),
            (SAID, 1),
            (TOKEN_TRY, token, EXCLUSIVE),
            (TOKEN_RELEASE, token),
            (PIP_WAKEUP,),
        ],
        [(UNTIL, 0), (TOKEN_GET, token, EXCLUSIVE), (PIP_WAIT,), (SAY, 1), (TOKEN_RELEASE, token)],
        [(UNTIL, 0), (PIP_WAIT,), (SAY, 1)],
    ):
        assert answers[0][6:8] == [0, 1]
        assert play.count(1, PIP, COUNT_CONTENDED) == 1
        play.idle()


def test_pip_underflow_is_reported_and_refused(play):
    """Below zero a tear-down would wait for ever, or not at all."""
    play.alone(0, (PIP_WAKEUP,))
    assert ("count-underflow", 0) in play.broken()
    assert play.ground.pip.word == 0


def test_disjoint_ranges_do_not_wait(play):
    """Adjacent ones are disjoint: the end is exclusive."""
    play.alone(0, (RANGE_ACQUIRE, 0, 4096))
    play.alone(1, (RANGE_ACQUIRE, 4096, 8192))
    play.alone(2, (RANGE_ACQUIRE, 100000, 200000))
    assert len({play.results(i)[0] for i in range(3)}) == 3
    assert play.broken() == []


@pytest.mark.parametrize(("start", "end"), [(0, 1), (5, 15), (19, 30), (0, 100), (12, 13), (10, 20)])
def test_overlapping_ranges_wait(play, start, end):
    """At either edge, inside, around, the same: it waits until [10, 20) is released."""
    overlaps = start < 20 and end > 10
    for answers in play.orders(
        [
            (RANGE_ACQUIRE, 10, 20),
            (SAY, 0),
            (UNTIL_BLOCKED, 1) if overlaps else (UNTIL, 1),
            (SAID, 1),
            (RANGE_RELEASE, 0),
        ],
        [(UNTIL, 0), (RANGE_ACQUIRE, start, end), (SAY, 1), (RANGE_RELEASE, 1)],
    ):
        assert answers[0][3] == (0 if overlaps else 1)
        assert play.broken() == []
        play.idle()


def test_ranges_are_taken_off_from_any_place(play):
    """First, middle and last of the list; the others still bar."""
    play.alone(0, *[(RANGE_ACQUIRE, 10 * i, 10 * i + 10) for i in range(4)], *[(RANGE_RELEASE, i) for i in (1, 3, 0)])
    assert play.ground.ranges.head and not play.ground.ranges.head.following
    assert play.ground.ranges.head.start == 20
    play.alone(0, *[(RANGE_ACQUIRE, 10 * i, 10 * i + 10) for i in (0, 1, 3)])
    assert play.broken() == []


def test_range_records_are_given_back():
    """A hundred interlocks need one record, not a hundred."""
    play = Play(tables={"RangeRecord": 8})
    for _ in range(10):
        play.alone(0, *[step for i in range(10) for step in ((RANGE_ACQUIRE, 0, 10), (RANGE_RELEASE, 2 * i))])
    assert play.segment.table("RangeRecord").refused == 0
    assert play.broken() == []


def test_range_is_released_while_the_page_is_busy_in_silence(play):
    """It is let go right after pmap_enter, the page still busy (`dragonfly.md` 2.12): no lock-order violation."""
    page = play.ground.busy
    play.alone(0, (RANGE_ACQUIRE, 0, 10), (BUSY_TRY, page, 1), (RANGE_RELEASE, 0), (BUSY_RELEASE, page))
    assert play.broken() == []


def test_range_counts_only_ranges(play):
    """The list's own spinlock is not one more range interlock."""
    play.alone(0, (RANGE_ACQUIRE, 0, 10), (RANGE_RELEASE, 0))
    assert play.count(0, RANGE, COUNT_EXCLUSIVE) == 1


def test_range_after_a_chain_lock_is_against_the_order(play):
    """The order rule holds for ranges too; the twin the other way round is silent."""
    chain = play.ground.chain
    play.alone(0, (RANGE_ACQUIRE, 0, 10), (CHAIN_ACQUIRE, chain, SHARED), (CHAIN_RELEASE, chain), (RANGE_RELEASE, 0))
    assert play.broken() == []
    play.alone(1, (CHAIN_ACQUIRE, chain, SHARED), (RANGE_ACQUIRE, 0, 10))
    assert ("lock-order", 1) in play.broken()


def test_spin_try_and_owner(play):
    """Owned by one, named; a try beside it fails and changes nothing."""
    spin = play.ground.spin
    play.alone(2, (SPIN_LOCK,))
    assert spin.owner == 3 and play.held(2) == [(spin.off, PAGE_SPIN, EXCLUSIVE)]
    assert play.alone(0, (SPIN_TRY,)) == [0]
    assert spin.owner == 3
    play.alone(2, (SPIN_UNLOCK,))
    assert play.alone(0, (SPIN_TRY,), (SPIN_UNLOCK,)) == [1, 0]
    assert play.broken() == []
    play.idle()


def test_spin_waits_for_the_owner(play):
    """The owner sees that nobody came in; the waiter counts one contended acquisition."""
    spin = play.ground.spin
    for answers in play.orders(
        [(SPIN_LOCK,), (SAY, 0), (UNTIL, 1), *[(PEEK, spin)] * 20, (SPIN_UNLOCK,)],
        [(UNTIL, 0), (SAY, 1), (SPIN_LOCK,), (PEEK, spin), (SPIN_UNLOCK,)],
    ):
        assert answers[0][3:23] == [1] * 20 and answers[1][3] == 2
        play.idle()


def test_spin_unlock_by_a_stranger_is_reported(play):
    """The held-lock stack knows whose it is."""
    play.alone(0, (SPIN_LOCK,))
    play.alone(1, (SPIN_UNLOCK,))
    assert play.broken() == [("not-held", 1)]
