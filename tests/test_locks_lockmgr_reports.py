"""lockmgr: what is known of the locks that a CPU holds, what is counted, and what is reported."""

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
from vmconc.vm.run import check_nothing_held


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


def test_what_an_operation_left_held_is_reported_once_and_forgotten(play, lock):
    """The next operation may lock what comes before it in the order."""
    play.alone(0, (LOCK_SHARED, play.ground.vnode_lock))
    check_nothing_held(play.cpus[0])
    assert play.broken() == [("held-at-return", 0)] and play.held(0) == []
    play.alone(0, (LOCK_SHARED, lock))
    assert play.broken() == [("held-at-return", 0)] and play.cpus[0].held_classes == 1 << VM_MAP


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
    for _ in play.orders([(LOCK_UPGRADE, lock)]):
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
