"""Page busy: hard, soft, WANTED."""

import pytest
from helpers_play import (
    BUSY_RELEASE,
    BUSY_SLEEP,
    BUSY_TRY,
    BUSY_WAIT,
    IO_START,
    PEEK,
    SAID,
    SAY,
    SOFT_RELEASE,
    SOFT_TRY,
    TOKEN_GET,
    TOKEN_RELEASE,
    TOKEN_TRY,
    UNTIL,
    UNTIL_BLOCKED,
    UNTIL_WORD,
)

from vmconc.locks.busy import PBUSY_LOCKED, PBUSY_WANTED, busy_owned, is_busy
from vmconc.locks.classes import COUNT_CONTENDED, COUNT_EXCLUSIVE, COUNT_FAILED, COUNT_SHARED, EXCLUSIVE, VM_PAGE


@pytest.fixture
def page(play):
    """Return the playground's page busy word."""
    return play.ground.busy


def test_hard_busy_excludes_hard_and_soft(play, page):
    """One owner, named; its release makes room."""
    assert play.alone(1, (BUSY_TRY, page, 0)) == [1]
    assert page.word == PBUSY_LOCKED and page.owner == 2
    assert busy_owned(play.cpus[1], page) and not busy_owned(play.cpus[0], page)
    assert play.alone(0, (BUSY_TRY, page, 0), (BUSY_TRY, page, 1), (SOFT_TRY, page)) == [0, 0, 0]
    assert page.word == PBUSY_LOCKED, "a failed soft-busy left its mark"
    play.alone(1, (BUSY_RELEASE, page))
    assert play.count(0, VM_PAGE, COUNT_FAILED) == 3
    assert play.broken() == []
    play.idle()


def test_soft_busies_share_and_bar_only_also_soft(play, page):
    """Hard-busy beside soft-busies is possible, unless they are asked for too."""
    assert play.alone(0, (SOFT_TRY, page)) == [1] == play.alone(1, (SOFT_TRY, page))
    assert page.word == 2 and not is_busy(page, False) and is_busy(page, True)
    assert play.alone(2, (BUSY_TRY, page, 1), (BUSY_TRY, page, 0), (BUSY_RELEASE, page)) == [0, 1, 0]
    assert page.word == 2, "a release of hard-busy changed the soft count"
    play.alone(0, (SOFT_RELEASE, page))
    play.alone(1, (SOFT_RELEASE, page))
    assert play.broken() == []
    play.idle()


def test_io_start_adds_a_soft_busy_under_the_hard_one(play, page):
    """A transfer outlives the hard-busy of who began it."""
    play.alone(0, (BUSY_TRY, page, 1), (IO_START, page), (BUSY_RELEASE, page))
    assert page.word == 1
    play.alone(0, (SOFT_RELEASE, page))
    assert play.broken() == []
    play.idle()


def test_waiters_want_the_page_and_all_are_woken(play, page):
    """WANTED is set by who sleeps, cleared by the release that wakes."""
    wait = [(UNTIL, 0), (BUSY_WAIT, page, 1), (BUSY_RELEASE, page)]
    owner = [
        (BUSY_WAIT, page, 0),
        (SAY, 0),
        *[(UNTIL_BLOCKED, i) for i in (1, 2, 3)],
        (PEEK, page),
        (BUSY_RELEASE, page),
    ]
    for answers in play.orders(owner, wait, wait, wait):
        assert answers[0][5] == PBUSY_LOCKED | PBUSY_WANTED
        assert [play.count(i, VM_PAGE, COUNT_EXCLUSIVE) for i in range(4)] == [1] * 4
        play.idle()


def test_last_soft_release_wakes_and_not_an_earlier_one(play, page):
    """`also_soft` waits until the soft count is zero."""
    for answers in play.orders(
        [(SOFT_TRY, page), (SAY, 0), (UNTIL_BLOCKED, 2), (SOFT_RELEASE, page), (SAY, 1)],
        [(SOFT_TRY, page), (SAY, 2), (UNTIL, 1), (UNTIL_BLOCKED, 2), (SAID, 3), (SOFT_RELEASE, page)],
        [(UNTIL, 0), (UNTIL, 2), (BUSY_WAIT, page, 1), (SAY, 3), (BUSY_RELEASE, page)],
    ):
        assert answers[1][4] == 0
        play.idle()


def test_soft_release_under_a_hard_owner_still_wakes_in_the_end(play, page):
    """The waiter wakes for nothing, wants the page again, and gets it at the hard release."""
    for _ in play.orders(
        [
            (BUSY_TRY, page, 1),
            (IO_START, page),
            (SAY, 0),
            (UNTIL_BLOCKED, 1),
            (SOFT_RELEASE, page),
            (UNTIL_WORD, page, PBUSY_LOCKED | PBUSY_WANTED),
            (UNTIL_BLOCKED, 1),
            (BUSY_RELEASE, page),
        ],
        [(UNTIL, 0), (BUSY_WAIT, page, 1), (BUSY_RELEASE, page)],
    ):
        assert play.cpus[1].progress == 2, "the waiter did not sleep twice"
        assert [play.count(1, VM_PAGE, column) for column in (COUNT_EXCLUSIVE, COUNT_CONTENDED)] == [1, 1]
        play.idle()


def test_busy_sleep_sleeps_once_and_owns_nothing(play, page):
    """On return the page may be another one: the caller looks it up again.  Tokens were lost meanwhile."""
    token = play.ground.token
    for answers in play.orders(
        [
            (BUSY_TRY, page, 0),
            (SAY, 0),
            (UNTIL_BLOCKED, 1),
            (TOKEN_TRY, token, EXCLUSIVE),
            (TOKEN_RELEASE, token),
            (BUSY_RELEASE, page),
        ],
        [(UNTIL, 0), (TOKEN_GET, token, EXCLUSIVE), (BUSY_SLEEP, page, 0), (TOKEN_RELEASE, token)],
    ):
        assert answers[0][3] == 1
        assert play.held(1) == [] and play.cpus[1].tokens_lost == 1
        play.idle()


def test_busy_sleep_on_a_free_page_returns(play, page):
    """Nothing to wait for; and nothing was contended."""
    play.alone(0, (BUSY_SLEEP, page, 1))
    assert play.cpus[0].progress == 0
    play.idle()


def test_a_wait_counts_one_contended_acquisition_and_no_failed_try(play, page):
    """Failed tries are those that a caller asked for; a wait that succeeds is one acquisition."""
    for _ in play.orders(
        [(BUSY_TRY, page, 0), (SAY, 0), (UNTIL_BLOCKED, 1), (BUSY_RELEASE, page)],
        [(UNTIL, 0), (BUSY_WAIT, page, 0), (BUSY_RELEASE, page)],
    ):
        columns = COUNT_EXCLUSIVE, COUNT_SHARED, COUNT_CONTENDED, COUNT_FAILED
        assert [play.count(1, VM_PAGE, column) for column in columns] == [1, 0, 1, 0]


def test_a_busy_sleep_that_does_not_sleep_is_not_contended(play, page):
    """Contention counts are the tool's result."""
    play.alone(0, (BUSY_SLEEP, page, 1))
    assert play.count(0, VM_PAGE, COUNT_CONTENDED) == 0


@pytest.mark.parametrize("operation", [BUSY_RELEASE, SOFT_RELEASE])
def test_release_of_an_idle_page_is_reported(play, page, operation):
    """Hard or soft, and the word stays."""
    play.alone(0, (operation, page))
    assert {rule for rule, _ in play.broken()} == {"not-held"}
    assert page.word == 0


def test_release_by_a_stranger_is_reported_and_refused(play, page):
    """Un-busy only by the owner (invariant 31)."""
    play.alone(0, (BUSY_TRY, page, 0))
    play.alone(1, (BUSY_RELEASE, page))
    assert play.broken() == [("not-held", 1)]
    assert page.word == PBUSY_LOCKED and busy_owned(play.cpus[0], page)


def test_io_start_without_hard_busy_is_reported(play, page):
    """Only the owner may start a transfer."""
    play.alone(0, (IO_START, page))
    assert play.broken() == [("not-held", 0)]
