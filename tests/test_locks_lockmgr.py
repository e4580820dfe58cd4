"""lockmgr: who gets in, who waits, who is handed the lock."""

from helpers_play import (
    LOCK_DOWNGRADE,
    LOCK_EXCLUSIVE,
    LOCK_RELEASE,
    LOCK_SHARED,
    LOCK_TIMED,
    LOCK_TRY,
    LOCK_UPGRADE,
    PEEK,
    SAID,
    SAY,
    UNTIL,
    UNTIL_BLOCKED,
    UNTIL_WORD,
)

from vmconc.locks.classes import COUNT_CONTENDED, COUNT_FAILED, COUNT_SHARED, COUNT_WAIT, EXCLUSIVE, SHARED, VM_MAP
from vmconc.locks.lockmgr import EXCL, EXREQ, OWNER_SHIFT, SHARE, UPREQ, WAITERS
from vmconc.memory.jit import jit_off

MS = 1_000_000


def test_readers_share(play, lock):
    """Two CPUs hold it shared at once; a writer's try fails meanwhile."""
    play.alone(0, (LOCK_SHARED, lock))
    assert play.alone(1, (LOCK_TRY, lock, SHARED)) == [1]
    assert play.alone(2, (LOCK_TRY, lock, EXCLUSIVE)) == [0]
    assert lock.word == 2 * SHARE
    play.alone(1, (LOCK_RELEASE, lock))
    play.alone(0, (LOCK_RELEASE, lock))
    play.idle()


def test_writer_excludes_everybody(play, lock):
    """While one owns it no try succeeds; after the release each does."""
    play.alone(0, (LOCK_EXCLUSIVE, lock))
    assert play.alone(1, (LOCK_TRY, lock, SHARED), (LOCK_TRY, lock, EXCLUSIVE)) == [0, 0]
    play.alone(0, (LOCK_RELEASE, lock))
    assert play.alone(1, (LOCK_TRY, lock, EXCLUSIVE), (LOCK_RELEASE, lock)) == [1, 0]
    assert play.count(1, VM_MAP, COUNT_FAILED) == 2
    assert play.broken() == []
    play.idle()


def test_waiting_writer_bars_new_readers_and_gets_in_first(play, lock):
    """The writer waits behind a reader; a second reader, and a try, wait behind the writer."""
    for answers in play.orders(
        [(LOCK_SHARED, lock), (SAY, 0), (UNTIL_BLOCKED, 2), (SAID, 3), (LOCK_RELEASE, lock)],
        [(UNTIL, 0), (LOCK_EXCLUSIVE, lock), (SAY, 1), (LOCK_RELEASE, lock)],
        [
            (UNTIL, 0),
            (UNTIL_BLOCKED, 1),
            (LOCK_TRY, lock, SHARED),
            (LOCK_SHARED, lock),
            (SAID, 1),
            (SAY, 3),
            (LOCK_RELEASE, lock),
        ],
    ):
        assert answers[0][3] == 0, "a new reader came in past a waiting writer"
        assert answers[2][2] == 0, "a reader's try came in past a waiting writer"
        assert answers[2][4] == 1, "the reader came in before the writer that waited longer"
        play.idle()


def test_release_hands_over_to_the_waiting_writer(play, lock):
    """At the instant of the release the writer that waits owns it: nobody can barge in, however late it wakes."""
    for _ in play.orders(
        [
            (LOCK_EXCLUSIVE, lock),
            (SAY, 0),
            (UNTIL_BLOCKED, 1),
            (LOCK_RELEASE, lock),
            (LOCK_TRY, lock, EXCLUSIVE),
            (SAY, 2),
        ],
        [(UNTIL, 0), (LOCK_EXCLUSIVE, lock), (UNTIL, 2), (LOCK_RELEASE, lock)],
    ):
        assert play.results(0)[4] == 0
        play.idle()


def test_two_waiting_writers_and_a_reader_all_get_in(play, lock):
    """The second writer has no claim of its own and must be woken all the same."""
    wait = [(UNTIL, 0), (LOCK_EXCLUSIVE, lock), (LOCK_RELEASE, lock)]
    read = [(UNTIL, 0), (LOCK_SHARED, lock), (LOCK_RELEASE, lock)]
    own = [(LOCK_EXCLUSIVE, lock), (SAY, 0), *[(UNTIL_BLOCKED, i) for i in (1, 2, 3)], (LOCK_RELEASE, lock)]
    for _ in play.orders(own, wait, wait, read):
        assert [play.count(i, VM_MAP, COUNT_CONTENDED) for i in range(4)] == [0, 1, 1, 1]
        play.idle()


def test_upgrade_alone_is_immediate_even_before_a_waiting_writer(play, lock):
    """The only reader upgrades; the writer that waited before it gets in after it."""
    for answers in play.orders(
        [(LOCK_SHARED, lock), (SAY, 0), (UNTIL_BLOCKED, 1), (LOCK_UPGRADE, lock), (SAID, 1), (LOCK_RELEASE, lock)],
        [(UNTIL, 0), (LOCK_EXCLUSIVE, lock), (SAY, 1), (LOCK_RELEASE, lock)],
    ):
        assert answers[0][3:5] == [1, 0]
        play.idle()


def test_upgrade_waits_for_readers_bars_new_ones_and_beats_the_writer(play, lock):
    """UPREQ against EXREQ on the last shared release: the upgrade goes first."""
    for answers in play.orders(
        [
            (LOCK_SHARED, lock),
            (SAY, 0),
            (UNTIL_BLOCKED, 1),
            (UNTIL_BLOCKED, 2),
            (PEEK, lock),
            (UNTIL, 4),
            (SAID, 1),
            (LOCK_RELEASE, lock),
        ],
        [
            (UNTIL, 0),
            (LOCK_SHARED, lock),
            (SAY, 3),
            (UNTIL_BLOCKED, 2),
            (LOCK_UPGRADE, lock),
            (SAY, 1),
            (SAID, 2),
            (LOCK_RELEASE, lock),
        ],
        [(UNTIL, 3), (LOCK_EXCLUSIVE, lock), (SAID, 1), (SAY, 2), (LOCK_RELEASE, lock)],
        [(UNTIL, 3), (UNTIL_BLOCKED, 1), (UNTIL_BLOCKED, 2), (LOCK_TRY, lock, SHARED), (SAY, 4)],
    ):
        assert answers[0][4] & (UPREQ | EXREQ) == UPREQ | EXREQ
        assert answers[0][6] == 0, "the upgrade did not wait for the other reader"
        assert answers[1][4] == 1 and answers[1][6] == 0
        assert answers[2][2] == 1, "the writer got in before the upgrade"
        assert answers[3][3] == 0, "a reader got in past a waiting upgrade"
        play.idle()


def test_second_upgrade_fails_at_once_holding_nothing(play, lock):
    """Both would wait for each other's share for ever: the second gives its share up, which lets the first through."""
    for answers in play.orders(
        [(LOCK_SHARED, lock), (SAY, 0), (UNTIL, 1), (LOCK_UPGRADE, lock), (LOCK_RELEASE, lock)],
        [(UNTIL, 0), (LOCK_SHARED, lock), (SAY, 1), (UNTIL_BLOCKED, 0), (LOCK_UPGRADE, lock)],
    ):
        assert answers[0][3] == 1 and answers[1][4] == 0
        assert play.held(1) == []
        assert play.count(1, VM_MAP, COUNT_FAILED) == 1
        assert play.broken() == []
        play.idle()


def test_downgrade_lets_readers_in_and_keeps_writers_out(play, lock):
    """Readers that waited come in beside the former owner."""
    for answers in play.orders(
        [
            (LOCK_EXCLUSIVE, lock),
            (SAY, 0),
            (UNTIL_BLOCKED, 1),
            (LOCK_DOWNGRADE, lock),
            (UNTIL, 1),
            (LOCK_RELEASE, lock),
        ],
        [(UNTIL, 0), (LOCK_SHARED, lock), (LOCK_TRY, lock, EXCLUSIVE), (SAY, 1), (LOCK_RELEASE, lock)],
    ):
        assert answers[1][2] == 0
        assert play.broken() == []
        play.idle()


def test_downgrade_with_a_waiting_writer(play, lock):
    """The writer's claim outlives the downgrade: no new reader, and it gets in at the release."""
    for answers in play.orders(
        [
            (LOCK_EXCLUSIVE, lock),
            (SAY, 0),
            (UNTIL_BLOCKED, 1),
            (LOCK_DOWNGRADE, lock),
            (SAY, 2),
            (UNTIL, 3),
            (LOCK_RELEASE, lock),
        ],
        [(UNTIL, 0), (LOCK_EXCLUSIVE, lock), (LOCK_RELEASE, lock)],
        [(UNTIL, 2), (LOCK_TRY, lock, SHARED), (SAY, 3)],
    ):
        assert answers[2][1] == 0
        play.idle()


def test_timed_shared_gives_up_and_leaves_the_word_clean(play, lock):
    """False after about its time; the later release leaves nothing of it behind."""
    for answers in play.orders(
        [(LOCK_EXCLUSIVE, lock), (SAY, 0), (UNTIL, 1), (LOCK_RELEASE, lock)],
        [(UNTIL, 0), (LOCK_TIMED, lock, 20 * MS), (SAY, 1)],
    ):
        assert answers[1][1] == 0
        assert play.count(1, VM_MAP, COUNT_FAILED) == 1 and play.count(1, VM_MAP, COUNT_SHARED) == 0
        assert jit_off() or play.count(1, VM_MAP, COUNT_WAIT) >= 20 * MS
        assert play.cpus[1].held_count == 0 and play.cpus[1].wait_class == 0
        play.idle()


def test_timed_shared_gets_it_in_time(play, lock):
    """A release in time gives it; where CPUs take turns the time may be over first, and nothing of it is left."""
    seen, patient = set(), [] if jit_off() else [(UNTIL_BLOCKED, 1)]
    for answers in play.orders(
        [(LOCK_EXCLUSIVE, lock), (SAY, 0), *patient, (LOCK_RELEASE, lock)],
        [(UNTIL, 0), (LOCK_TIMED, lock, 5000 * MS)],
    ):
        got = answers[1][1]
        seen.add(got)
        assert play.held(1) == [(lock.off, VM_MAP, SHARED)] * got and lock.word == SHARE * got
    assert seen == ({0, 1} if jit_off() else {1})


def test_timed_shared_without_a_wait(play, lock):
    """Free: got at once, not contended."""
    assert play.alone(0, (LOCK_TIMED, lock, 0), (LOCK_RELEASE, lock)) == [1, 0]
    assert play.count(0, VM_MAP, COUNT_CONTENDED) == 0
    play.idle()


def test_waiters_flag_does_not_outlive_the_wait(play, lock):
    """After everybody is through, the word is zero: the next release wakes nobody for nothing."""
    for _ in play.orders(
        [(LOCK_SHARED, lock), (SAY, 0), (UNTIL_BLOCKED, 1), (UNTIL_BLOCKED, 2), (LOCK_RELEASE, lock)],
        [(UNTIL, 0), (LOCK_EXCLUSIVE, lock), (LOCK_DOWNGRADE, lock), (LOCK_RELEASE, lock)],
        [(UNTIL_BLOCKED, 1), (LOCK_SHARED, lock), (LOCK_RELEASE, lock)],
    ):
        assert lock.word & WAITERS == 0
        play.idle()


def test_owner_field_names_the_owner(play, lock):
    """The last CPU of four owns it, is handed it, and is named each time."""
    named = EXCL | 4 << OWNER_SHIFT
    assert play.alone(3, (LOCK_EXCLUSIVE, lock), (PEEK, lock), (LOCK_RELEASE, lock)) == [0, named, 0]
    for answers in play.orders(
        [(LOCK_SHARED, lock), (UNTIL_BLOCKED, 3), (LOCK_RELEASE, lock), (PEEK, lock), (SAY, 1)],
        [], [],
        [(UNTIL_WORD, lock, SHARE), (LOCK_EXCLUSIVE, lock), (PEEK, lock), (UNTIL, 1), (LOCK_RELEASE, lock)],
    ):  # fmt: skip
        assert answers[0][3] == named, "the release did not hand it over"
        assert answers[3][2] == named
        play.idle()
