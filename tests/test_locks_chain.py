"""The chain lock: hard, shared or exclusive, kept over sleeps; a waiting exclusive request bars new shares."""

import pytest
from helpers_play import (
    CHAIN_ACQUIRE,
    CHAIN_RELEASE,
    CHAIN_WAIT,
    PEEK,
    SAID,
    SAY,
    SLEEP,
    TOKEN_GET,
    TOKEN_RELEASE,
    TOKEN_TRY,
    UNTIL,
    UNTIL_BLOCKED,
    WAKEUP,
)

from vmconc.locks.chain import CHAINLK_EXCL, CHAINLK_EXCLREQ, CHAINLK_MASK, CHAINLK_WAIT, chain_free
from vmconc.locks.classes import CHAIN, COUNT_CONTENDED, COUNT_EXCLUSIVE, COUNT_SHARED, EXCLUSIVE, SHARED
from vmconc.locks.sleep import FOREVER

CHANNEL = 4096


@pytest.fixture
def chain(play):
    """Return the playground's chain lock."""
    return play.ground.chain


def test_shares_add_up(play, chain):
    """The word is DragonFly's: a count, and nothing else while nobody waits."""
    play.alone(0, (CHAIN_ACQUIRE, chain, SHARED))
    play.alone(1, (CHAIN_ACQUIRE, chain, SHARED))
    assert chain.word == 2 and not chain_free(chain)
    play.alone(0, (CHAIN_RELEASE, chain))
    play.alone(1, (CHAIN_RELEASE, chain))
    assert chain_free(chain)
    play.idle()


def test_exclusive_waits_for_every_share_and_bars_new_ones(play, chain):
    """EXCLREQ: the share that is asked for later is got later."""
    for answers in play.orders(
        [
            (CHAIN_ACQUIRE, chain, SHARED),
            (SAY, 0),
            (UNTIL_BLOCKED, 1),
            (UNTIL_BLOCKED, 2),
            (PEEK, chain),
            (SAID, 1),
            (CHAIN_RELEASE, chain),
        ],
        [(UNTIL, 0), (CHAIN_ACQUIRE, chain, EXCLUSIVE), (SAY, 1), (PEEK, chain), (CHAIN_RELEASE, chain)],
        [(UNTIL, 0), (UNTIL_BLOCKED, 1), (CHAIN_ACQUIRE, chain, SHARED), (SAID, 1), (CHAIN_RELEASE, chain)],
    ):
        assert answers[0][4] == 1 | CHAINLK_WAIT | CHAINLK_EXCLREQ and answers[0][5] == 0
        assert answers[1][3] & (CHAINLK_EXCL | CHAINLK_EXCLREQ | CHAINLK_MASK) == CHAINLK_EXCL
        assert answers[2][3] == 1, "a share was got before the exclusive request that waited longer"
        assert play.broken() == []
        play.idle()


def test_shares_and_owners_wait_for_an_owner(play, chain):
    """Everybody is woken by the one release and gets in."""
    share = [(UNTIL, 0), (CHAIN_ACQUIRE, chain, SHARED), (CHAIN_RELEASE, chain)]
    own = [(UNTIL, 0), (CHAIN_ACQUIRE, chain, EXCLUSIVE), (CHAIN_RELEASE, chain)]
    first = [
        (CHAIN_ACQUIRE, chain, EXCLUSIVE),
        (SAY, 0),
        *[(UNTIL_BLOCKED, i) for i in (1, 2, 3)],
        (CHAIN_RELEASE, chain),
    ]
    for _ in play.orders(first, share, own, share):
        assert [play.count(i, CHAIN, COUNT_CONTENDED) for i in range(4)] == [0, 1, 1, 1]
        assert [play.count(i, CHAIN, COUNT_SHARED) for i in range(4)] == [0, 1, 0, 1]
        assert [play.count(i, CHAIN, COUNT_EXCLUSIVE) for i in range(4)] == [1, 0, 1, 0]
        play.idle()


@pytest.mark.parametrize("mode", [SHARED, EXCLUSIVE])
def test_chain_wait_waits_and_takes_nothing(play, chain, mode):
    """Two of them wait for one holder; afterwards nobody holds anything."""
    for answers in play.orders(
        [
            (CHAIN_ACQUIRE, chain, mode),
            (SAY, 0),
            (UNTIL_BLOCKED, 1),
            (UNTIL_BLOCKED, 2),
            (SAID, 1),
            (CHAIN_RELEASE, chain),
        ],
        [(UNTIL, 0), (CHAIN_WAIT, chain), (SAY, 1)],
        [(UNTIL, 0), (CHAIN_WAIT, chain), (SAY, 1)],
    ):
        assert answers[0][4] == 0, "chain_wait did not wait"
        assert play.held(1) == [] == play.held(2)
        play.idle()


def test_chain_wait_on_a_free_one_is_immediate(play, chain):
    """Also when an old WAIT bit is left: it clears that and wakes whom it concerns."""
    chain.word = CHAINLK_WAIT
    play.alone(0, (CHAIN_WAIT, chain))
    assert chain.word == 0 and play.cpus[0].progress == 0
    play.idle()


def test_chain_lock_is_kept_while_its_holder_sleeps_and_its_token_is_not(play, chain):
    """Hard and soft: what a page-in relies on."""
    token = play.ground.token
    for answers in play.orders(
        [
            (TOKEN_GET, token, SHARED),
            (CHAIN_ACQUIRE, chain, EXCLUSIVE),
            (SLEEP, CHANNEL, FOREVER),
            (CHAIN_RELEASE, chain),
            (TOKEN_RELEASE, token),
        ],
        [(UNTIL_BLOCKED, 0), (TOKEN_TRY, token, EXCLUSIVE), (TOKEN_RELEASE, token), (PEEK, chain), (WAKEUP, CHANNEL)],
    ):
        assert answers[1][1] == 1 and answers[1][3] & CHAINLK_EXCL
        play.idle()


def test_waiting_for_a_chain_lock_gives_tokens_up(play, chain):
    """The holder may need the waiter's token to get on."""
    token = play.ground.token
    for _ in play.orders(
        [
            (CHAIN_ACQUIRE, chain, EXCLUSIVE),
            (SAY, 0),
            (UNTIL_BLOCKED, 1),
            (TOKEN_GET, token, EXCLUSIVE),
            (CHAIN_RELEASE, chain),
            (TOKEN_RELEASE, token),
        ],
        [
            (UNTIL, 0),
            (TOKEN_GET, token, EXCLUSIVE),
            (CHAIN_ACQUIRE, chain, SHARED),
            (CHAIN_RELEASE, chain),
            (TOKEN_RELEASE, token),
        ],
    ):
        assert play.cpus[1].tokens_lost == 1
        play.idle()


def test_release_of_a_free_one_is_reported_and_leaves_the_word(play, chain):
    """An assertion in DragonFly."""
    play.alone(0, (CHAIN_RELEASE, chain))
    assert {rule for rule, _ in play.broken()} == {"not-held"}
    assert chain.word == 0


def test_release_by_a_stranger_is_reported(play, chain):
    """The word has no owner, the held-lock stack knows."""
    play.alone(0, (CHAIN_ACQUIRE, chain, EXCLUSIVE))
    play.alone(1, (CHAIN_RELEASE, chain))
    assert ("not-held", 1) in play.broken()


def test_two_chain_locks_top_down_are_in_order(play, chain):
    """One class, many locks: a fault holds one for each layer."""
    other = play.ground.map_lock2  # not used as a lockmgr lock here: any word will do
    other_chain = play.segment.ref("Chain", other.off)
    play.alone(0, (CHAIN_ACQUIRE, chain, SHARED), (CHAIN_ACQUIRE, other_chain, SHARED))
    play.alone(0, (CHAIN_RELEASE, chain), (CHAIN_RELEASE, other_chain))
    assert play.broken() == []
    assert other.word == 0
