"""lockmgr: who gets in, who waits, who is handed the lock, and what is counted and reported."""

import itertools

import pytest
from helpers_play import (
    CHAIN_ACQUIRE,
    CHAIN_RELEASE,
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

from vmconc.locks.classes import (
    CHAIN,
    COUNT_CONTENDED,
    COUNT_EXCLUSIVE,
    COUNT_FAILED,
    COUNT_SHARED,
    COUNT_WAIT,
    EXCLUSIVE,
    SHARED,
    VM_MAP,
    VNODE,
)
from vmconc.locks.lockmgr import EXCL, EXREQ, OWNER_SHIFT, SHARE, UPREQ, WAITERS

MS = 1_000_000


@pytest.fixture
def lock(play):
    """Return the playground's map lock."""
    return play.ground.map_lock


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
    answers = play.together(
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
    )
    assert answers[0][3] == 0, "a new reader came in past a waiting writer"
    assert answers[2][2] == 0, "a reader's try came in past a waiting writer"
    assert answers[2][4] == 1, "the reader came in before the writer that waited longer"
    play.idle()


def test_release_hands_over_to_the_waiting_writer(play, lock):
    """At the instant of the release the writer that waits owns it: nobody can barge in, however late it wakes."""
    play.together(
        [
            (LOCK_EXCLUSIVE, lock),
            (SAY, 0),
            (UNTIL_BLOCKED, 1),
            (LOCK_RELEASE, lock),
            (LOCK_TRY, lock, EXCLUSIVE),
            (SAY, 2),
        ],
        [(UNTIL, 0), (LOCK_EXCLUSIVE, lock), (UNTIL, 2), (LOCK_RELEASE, lock)],
    )
    assert play.results(0)[4] == 0
    play.idle()


def test_two_waiting_writers_and_a_reader_all_get_in(play, lock):
    """The second writer has no claim of its own and must be woken all the same."""
    wait = [(UNTIL, 0), (LOCK_EXCLUSIVE, lock), (LOCK_RELEASE, lock)]
    read = [(UNTIL, 0), (LOCK_SHARED, lock), (LOCK_RELEASE, lock)]
    own = [(LOCK_EXCLUSIVE, lock), (SAY, 0), *[(UNTIL_BLOCKED, i) for i in (1, 2, 3)], (LOCK_RELEASE, lock)]
    play.together(own, wait, wait, read)
    assert [play.count(i, VM_MAP, COUNT_CONTENDED) for i in range(4)] == [0, 1, 1, 1]
    play.idle()


def test_upgrade_alone_is_immediate_even_before_a_waiting_writer(play, lock):
    """The only reader upgrades; the writer that waited before it gets in after it."""
    answers = play.together(
        [(LOCK_SHARED, lock), (SAY, 0), (UNTIL_BLOCKED, 1), (LOCK_UPGRADE, lock), (SAID, 1), (LOCK_RELEASE, lock)],
        [(UNTIL, 0), (LOCK_EXCLUSIVE, lock), (SAY, 1), (LOCK_RELEASE, lock)],
    )
    assert answers[0][3:5] == [1, 0]
    play.idle()


def test_upgrade_waits_for_readers_bars_new_ones_and_beats_the_writer(play, lock):
    """UPREQ against EXREQ on the last shared release: the upgrade goes first."""
    answers = play.together(
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
    )
    assert answers[0][4] & (UPREQ | EXREQ) == UPREQ | EXREQ
    assert answers[0][6] == 0, "the upgrade did not wait for the other reader"
    assert answers[1][4] == 1 and answers[1][6] == 0
    assert answers[2][2] == 1, "the writer got in before the upgrade"
    assert answers[3][3] == 0, "a reader got in past a waiting upgrade"
    play.idle()


def test_second_upgrade_fails_at_once_holding_nothing(play, lock):
    """Both would wait for each other's share for ever: the second gives its share up, which lets the first through."""
    answers = play.together(
        [(LOCK_SHARED, lock), (SAY, 0), (UNTIL, 1), (LOCK_UPGRADE, lock), (LOCK_RELEASE, lock)],
        [(UNTIL, 0), (LOCK_SHARED, lock), (SAY, 1), (UNTIL_BLOCKED, 0), (LOCK_UPGRADE, lock)],
    )
    assert answers[0][3] == 1 and answers[1][4] == 0
    assert play.held(1) == []
    assert play.count(1, VM_MAP, COUNT_FAILED) == 1
    assert play.broken() == []
    play.idle()


def test_downgrade_lets_readers_in_and_keeps_writers_out(play, lock):
    """Readers that waited come in beside the former owner."""
    answers = play.together(
        [
            (LOCK_EXCLUSIVE, lock),
            (SAY, 0),
            (UNTIL_BLOCKED, 1),
            (LOCK_DOWNGRADE, lock),
            (UNTIL, 1),
            (LOCK_RELEASE, lock),
        ],
        [(UNTIL, 0), (LOCK_SHARED, lock), (LOCK_TRY, lock, EXCLUSIVE), (SAY, 1), (LOCK_RELEASE, lock)],
    )
    assert answers[1][2] == 0
    assert play.broken() == []
    play.idle()


def test_downgrade_with_a_waiting_writer(play, lock):
    """The writer's claim outlives the downgrade: no new reader, and it gets in at the release."""
    answers = play.together(
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
    )
    assert answers[2][1] == 0
    play.idle()


def test_held_stack_follows_the_mode(play, lock):
    """Upgrade and downgrade change the entry of the held-lock stack, a release takes it off, out of order too."""
    vnode = play.ground.vnode_lock
    play.alone(0, (LOCK_SHARED, lock), (LOCK_SHARED, vnode))
    assert play.held(0) == [(lock.off, VM_MAP, SHARED), (vnode.off, VNODE, SHARED)]
    play.alone(0, (LOCK_UPGRADE, lock))
    assert play.held(0)[0] == (lock.off, VM_MAP, EXCLUSIVE)
    play.alone(0, (LOCK_DOWNGRADE, lock), (LOCK_RELEASE, lock))
    assert play.held(0) == [(vnode.off, VNODE, SHARED)]
    assert play.cpus[0].held_classes == 1 << VNODE
    play.alone(0, (LOCK_RELEASE, vnode))
    assert play.cpus[0].held_classes == 0
    assert play.cpus[0].order[VNODE] == 1 << VM_MAP and play.cpus[0].order[VM_MAP] == 0
    play.idle()


def test_held_classes_after_releases_from_every_place(play, lock):
    """Two of one class and one of another: a class is held until the last of it goes, whatever the order."""
    vnode, other = play.ground.vnode_lock, play.ground.map_lock2
    locks, classes = (lock, other, vnode), {lock.off: VM_MAP, other.off: VM_MAP, vnode.off: VNODE}
    for order in itertools.permutations(locks):
        play.alone(0, *[(LOCK_SHARED, each) for each in locks])
        left = list(locks)
        for each in order:
            play.alone(0, (LOCK_RELEASE, each))
            left.remove(each)
            assert [entry[0] for entry in play.held(0)] == [one.off for one in left]
            assert play.cpus[0].held_classes == sum({1 << classes[one.off] for one in left})
    assert play.broken() == []
    play.idle()


def test_timed_shared_gives_up_and_leaves_the_word_clean(play, lock):
    """False after about its time; the later release leaves nothing of it behind."""
    answers = play.together(
        [(LOCK_EXCLUSIVE, lock), (SAY, 0), (UNTIL, 1), (LOCK_RELEASE, lock)],
        [(UNTIL, 0), (LOCK_TIMED, lock, 20 * MS), (SAY, 1)],
    )
    assert answers[1][1] == 0
    assert play.count(1, VM_MAP, COUNT_FAILED) == 1 and play.count(1, VM_MAP, COUNT_SHARED) == 0
    assert play.count(1, VM_MAP, COUNT_WAIT) >= 20 * MS
    assert play.cpus[1].held_count == 0 and play.cpus[1].wait_class == 0
    play.idle()


def test_timed_shared_gets_it_in_time(play, lock):
    """A release in time gives it."""
    answers = play.together(
        [(LOCK_EXCLUSIVE, lock), (SAY, 0), (UNTIL_BLOCKED, 1), (LOCK_RELEASE, lock)],
        [(UNTIL, 0), (LOCK_TIMED, lock, 5000 * MS), (LOCK_RELEASE, lock)],
    )
    assert answers[1][1] == 1
    play.idle()


def test_timed_shared_without_a_wait(play, lock):
    """Free: got at once, not contended."""
    assert play.alone(0, (LOCK_TIMED, lock, 0), (LOCK_RELEASE, lock)) == [1, 0]
    assert play.count(0, VM_MAP, COUNT_CONTENDED) == 0
    play.idle()


def test_counts_are_exact(play, lock):
    """One for each acquisition in its column, none for what was not got."""
    play.alone(0, *[(LOCK_SHARED, lock), (LOCK_RELEASE, lock)] * 3, *[(LOCK_EXCLUSIVE, lock), (LOCK_RELEASE, lock)] * 2)
    play.alone(1, (LOCK_SHARED, lock))
    play.alone(0, (LOCK_TRY, lock, EXCLUSIVE), (LOCK_TRY, lock, SHARED), (LOCK_RELEASE, lock))
    columns = COUNT_SHARED, COUNT_EXCLUSIVE, COUNT_CONTENDED, COUNT_WAIT, COUNT_FAILED
    assert [play.count(0, VM_MAP, column) for column in columns] == [4, 2, 0, 0, 1]
    assert [play.count(1, VM_MAP, column) for column in columns] == [1, 0, 0, 0, 0]
    assert all(play.count(0, VNODE, column) == 0 for column in columns)


def test_every_way_of_one_cpu_alone_is_silent(play, lock):
    """The correct twin of every violation below."""
    vnode, chain = play.ground.vnode_lock, play.ground.chain
    play.alone(
        0,
        (LOCK_SHARED, lock), (LOCK_UPGRADE, lock), (LOCK_DOWNGRADE, lock), (LOCK_RELEASE, lock),
        (LOCK_EXCLUSIVE, lock), (LOCK_SHARED, vnode), (CHAIN_ACQUIRE, chain, EXCLUSIVE), (CHAIN_RELEASE, chain),
        (LOCK_RELEASE, vnode), (LOCK_RELEASE, lock),
        (CHAIN_ACQUIRE, chain, EXCLUSIVE), (LOCK_TIMED, lock, 0), (LOCK_RELEASE, lock), (CHAIN_RELEASE, chain),
    )  # fmt: skip
    assert play.broken() == []
    play.idle()


@pytest.mark.parametrize("operation", [LOCK_RELEASE, LOCK_DOWNGRADE])
def test_release_and_downgrade_of_a_free_lock_are_reported(play, lock, operation):
    """Reported, and the word is not touched."""
    play.alone(0, (operation, lock))
    assert {rule for rule, _ in play.broken()} == {"not-held"}
    assert lock.word == 0


def test_upgrade_of_a_lock_not_held_is_reported(play, lock):
    """The third way to break the same rule ("only a holder releases, upgrades or downgrades"): reported, not a hang."""
    play.machine.fail_fast = 1
    play.together([(LOCK_UPGRADE, lock)], seconds=3)
    assert ("not-held", 0) in play.broken()
    assert lock.word == 0


@pytest.mark.parametrize("operation", [LOCK_RELEASE, LOCK_DOWNGRADE])
def test_a_stranger_is_reported(play, lock, operation):
    """One CPU owns it, another releases or downgrades it."""
    play.alone(0, (LOCK_EXCLUSIVE, lock))
    word = lock.word
    play.alone(1, (operation, lock))
    assert ("not-held", 1) in play.broken()
    assert lock.word == word


def test_one_mistake_is_reported_once(play, lock):
    """A reader of the report counts violations; one mistake must not be two."""
    play.alone(0, (LOCK_RELEASE, lock))
    assert len(play.broken()) == 1


def test_recursion_on_a_map_lock_is_reported(play, lock):
    """Shared on shared would go through, and deadlock one day behind a writer."""
    play.alone(2, (LOCK_SHARED, lock), (LOCK_SHARED, lock))
    assert play.broken() == [("lock-recursion", 2)]


def test_two_map_locks_are_no_recursion(play, lock):
    """Fork holds two."""
    play.alone(2, (LOCK_EXCLUSIVE, lock), (LOCK_EXCLUSIVE, play.ground.map_lock2))
    assert play.broken() == []


def test_recursion_on_a_vnode_lock_is_allowed(play):
    """LK_CANRECURSE: vnode_pager_lock may share it twice."""
    vnode = play.ground.vnode_lock
    play.alone(0, (LOCK_SHARED, vnode), (LOCK_SHARED, vnode), (LOCK_RELEASE, vnode), (LOCK_RELEASE, vnode))
    assert play.broken() == []
    play.idle()


@pytest.mark.parametrize(
    ("first", "second", "rules"), [("vnode_lock", "map_lock", ["lock-order"]), ("map_lock", "vnode_lock", [])]
)
def test_order_of_classes(play, first, second, rules):
    """Vnode before map is against the order; map before vnode is with it."""
    one, two = getattr(play.ground, first), getattr(play.ground, second)
    play.alone(0, (LOCK_SHARED, one), (LOCK_SHARED, two))
    assert [rule for rule, _ in play.broken()] == rules
    play.alone(0, (LOCK_RELEASE, two), (LOCK_RELEASE, one))
    play.alone(0, (LOCK_SHARED, two), (LOCK_RELEASE, two))
    assert [rule for rule, _ in play.broken()] == rules, "a class released long ago still counts as held"


def test_violation_keeps_what_was_held(play, lock):
    """Enough to say what happened: CPU, LWP, operation, subject, the stack of held locks."""
    play.cpus[1].lwp, play.cpus[1].op = 7, 42
    play.alone(1, (CHAIN_ACQUIRE, play.ground.chain, SHARED), (LOCK_SHARED, lock))
    violation = play.segment.view("Violation")[0]
    assert (violation["cpu"], violation["lwp"], violation["op"], violation["subject"]) == (1, 7, 42, lock.off)
    assert violation["held_count"] == 1 and violation["held_lock"][0] == play.ground.chain.off
    assert violation["held_word"][0] & 0xFF == CHAIN * 2 + SHARED


def test_violations_beyond_the_room_are_counted(play, lock):
    """All are counted, the first are kept whole."""
    play.alone(0, *[(LOCK_RELEASE, lock)] * 64)
    assert play.machine.violations >= 64
    assert (play.segment.view("Violation")["rule"] != 0).all()
    assert play.segment.nth("Playground", 0).map_lock.word == 0


def test_waiters_flag_does_not_outlive_the_wait(play, lock):
    """After everybody is through, the word is zero: the next release wakes nobody for nothing."""
    play.together(
        [(LOCK_SHARED, lock), (SAY, 0), (UNTIL_BLOCKED, 1), (UNTIL_BLOCKED, 2), (LOCK_RELEASE, lock)],
        [(UNTIL, 0), (LOCK_EXCLUSIVE, lock), (LOCK_DOWNGRADE, lock), (LOCK_RELEASE, lock)],
        [(UNTIL_BLOCKED, 1), (LOCK_SHARED, lock), (LOCK_RELEASE, lock)],
    )
    assert lock.word & WAITERS == 0
    play.idle()


def test_owner_field_names_the_owner(play, lock):
    """The last CPU of four owns it, is handed it, and is named each time."""
    named = EXCL | 4 << OWNER_SHIFT
    assert play.alone(3, (LOCK_EXCLUSIVE, lock), (PEEK, lock), (LOCK_RELEASE, lock)) == [0, named, 0]
    answers = play.together(
        [(LOCK_SHARED, lock), (UNTIL_BLOCKED, 3), (LOCK_RELEASE, lock), (PEEK, lock), (SAY, 1)],
        [], [],
        [(UNTIL_WORD, lock, SHARE), (LOCK_EXCLUSIVE, lock), (PEEK, lock), (UNTIL, 1), (LOCK_RELEASE, lock)],
    )  # fmt: skip
    assert answers[0][3] == named, "the release did not hand it over"
    assert answers[3][2] == named
    play.idle()
