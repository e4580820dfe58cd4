"""Tokens: a stack, given up while asleep, all owned again together; never a deadlock among themselves."""

import os
import time

import pytest
from conftest import Play, compile_body, run_cpus
from helpers_play import (
    LOCK_EXCLUSIVE,
    LOCK_RELEASE,
    SAID,
    SAY,
    SLEEP,
    SLEEP_KEEPING,
    TOKEN_GET,
    TOKEN_OWNED_BY,
    TOKEN_RELEASE,
    TOKEN_SWAP,
    TOKEN_TRY,
    UNTIL,
    UNTIL_BLOCKED,
    UNTIL_WORD,
    WAKEUP,
)

from vmconc.locks.classes import (
    COUNT_CONTENDED,
    COUNT_EXCLUSIVE,
    COUNT_FAILED,
    COUNT_RECURSIVE,
    COUNT_REOWNED,
    COUNT_SHARED,
    EXCLUSIVE,
    MAP_TOKEN,
    SHARED,
    VM_OBJECT,
)
from vmconc.locks.cpu import STATE_STOPPED, TOKENS_MAX
from vmconc.locks.rules import STOP_USER
from vmconc.locks.sleep import FOREVER
from vmconc.memory.jit import jit_off
from vmconc.memory.struct import STRUCTS

SECOND = 1_000_000_000
CHANNEL = 4096


def channel_word(play, cpu: int) -> int:
    """Return the place of the word that says what a CPU sleeps on."""
    return play.cpus[cpu].off + STRUCTS["Cpu"].fields["channel"].offset


@pytest.fixture
def one(play):
    """Return the playground's first token."""
    return play.ground.token


@pytest.fixture
def two(play):
    """Return the playground's second token."""
    return play.ground.token2


def test_shared_and_exclusive(play, one):
    """Any number of shared owners or one exclusive."""
    play.alone(0, (TOKEN_GET, one, SHARED))
    assert play.alone(1, (TOKEN_TRY, one, EXCLUSIVE), (TOKEN_TRY, one, SHARED), (TOKEN_RELEASE, one)) == [0, 1, 0]
    play.alone(0, (TOKEN_RELEASE, one))
    play.alone(0, (TOKEN_GET, one, EXCLUSIVE))
    assert play.alone(1, (TOKEN_TRY, one, EXCLUSIVE), (TOKEN_TRY, one, SHARED)) == [0, 0]
    assert play.alone(0, (TOKEN_OWNED_BY, one, 0), (TOKEN_OWNED_BY, one, 1)) == [1, 0]
    play.alone(0, (TOKEN_RELEASE, one))
    assert play.count(1, VM_OBJECT, COUNT_FAILED) == 3
    assert play.broken() == []
    play.idle()


def test_release_must_be_last_in_first_out(play, one, two):
    """The lower of two: reported, nothing changes, and the right order still works afterwards."""
    play.alone(0, (TOKEN_GET, one, EXCLUSIVE), (TOKEN_GET, two, EXCLUSIVE), (TOKEN_RELEASE, one))
    assert play.broken() == [("token-lifo", 0)]
    assert play.alone(0, (TOKEN_OWNED_BY, one, 0), (TOKEN_OWNED_BY, two, 0)) == [1, 1]
    play.alone(0, (TOKEN_RELEASE, two), (TOKEN_RELEASE, one))
    play.idle()


def test_release_of_none_and_swap_of_one_are_reported(play, one):
    """An empty stack has no top, a stack of one no second."""
    play.alone(0, (TOKEN_RELEASE, one), (TOKEN_GET, one, SHARED), (TOKEN_SWAP,), (TOKEN_RELEASE, one))
    assert play.broken() == [("token-lifo", 0)] * 2
    play.idle()


def test_swap_lets_the_lower_one_go_first(play, one, two):
    """Hand over hand: each keeps its own mode."""
    play.alone(0, (TOKEN_GET, one, SHARED), (TOKEN_GET, two, EXCLUSIVE), (TOKEN_SWAP,), (TOKEN_RELEASE, one))
    assert play.broken() == []
    assert play.alone(1, (TOKEN_TRY, one, EXCLUSIVE), (TOKEN_RELEASE, one), (TOKEN_TRY, two, SHARED)) == [1, 0, 0]
    play.alone(0, (TOKEN_RELEASE, two))
    play.idle()


def test_exclusive_recursion(play, one):
    """X on X and S on own X: owned until the last of them is released, counted as recursive."""
    play.alone(0, (TOKEN_GET, one, EXCLUSIVE), (TOKEN_GET, one, EXCLUSIVE), (TOKEN_GET, one, SHARED))
    assert play.alone(1, (TOKEN_TRY, one, SHARED)) == [0]
    play.alone(0, (TOKEN_RELEASE, one), (TOKEN_RELEASE, one))
    assert play.alone(1, (TOKEN_TRY, one, SHARED)) == [0]
    play.alone(0, (TOKEN_RELEASE, one))
    columns = COUNT_EXCLUSIVE, COUNT_SHARED, COUNT_RECURSIVE
    assert [play.count(0, VM_OBJECT, column) for column in columns] == [1, 0, 2]
    assert play.broken() == []
    play.idle()


def test_shared_recursion(play, one):
    """S on own S: two shares."""
    play.alone(0, (TOKEN_GET, one, SHARED), (TOKEN_GET, one, SHARED), (TOKEN_RELEASE, one))
    assert play.alone(1, (TOKEN_TRY, one, EXCLUSIVE)) == [0]
    play.alone(0, (TOKEN_RELEASE, one))
    assert play.broken() == []
    play.idle()


def test_swap_of_a_token_with_its_own_recursion_keeps_ownership(play, one):
    """X below, recursion above, swapped and one released: what is still on the stack is still owned."""
    play.alone(0, (TOKEN_GET, one, EXCLUSIVE), (TOKEN_GET, one, EXCLUSIVE), (TOKEN_SWAP,), (TOKEN_RELEASE, one))
    assert play.cpus[0].token_count == 1
    assert play.alone(1, (TOKEN_TRY, one, EXCLUSIVE)) == [0], "another CPU got a token that is on this CPU's stack"
    play.alone(0, (TOKEN_RELEASE, one))
    play.idle()


def test_recursion_survives_a_sleep(play, one, two):
    """The recursive entry owns nothing of its own; after a sleep the token is owned once and released once."""
    for _ in play.orders(
        [
            (TOKEN_GET, one, EXCLUSIVE),
            (TOKEN_GET, two, SHARED),
            (TOKEN_GET, one, EXCLUSIVE),
            (SLEEP, CHANNEL, FOREVER),
            (TOKEN_OWNED_BY, one, 0),
            (TOKEN_RELEASE, one),
            (TOKEN_OWNED_BY, one, 0),
            (TOKEN_RELEASE, two),
            (TOKEN_RELEASE, one),
        ],
        [(UNTIL_BLOCKED, 0), (TOKEN_TRY, one, EXCLUSIVE), (TOKEN_RELEASE, one), (WAKEUP, CHANNEL)],
    ):
        assert play.results(1)[1] == 1
        assert [play.results(0)[i] for i in (4, 6)] == [1, 1]
        play.idle()


@pytest.mark.parametrize("keep", [False, True])
def test_tokens_are_given_up_while_asleep(play, one, two, keep):
    """Another CPU gets both while their holder sleeps.  Broken twin: a sleep that keeps them is seen to."""
    got = [] if keep else [(TOKEN_RELEASE, one), (TOKEN_RELEASE, two)]
    tries = [(UNTIL_BLOCKED, 0), (TOKEN_TRY, two, EXCLUSIVE), (TOKEN_TRY, one, EXCLUSIVE), *got, (WAKEUP, CHANNEL)]
    sleep = (SLEEP_KEEPING if keep else SLEEP), CHANNEL, FOREVER
    holder = [(TOKEN_GET, one, EXCLUSIVE), (TOKEN_GET, two, SHARED), sleep, (TOKEN_RELEASE, two), (TOKEN_RELEASE, one)]
    for answers in play.orders(holder, tries):
        assert answers[1][1:3] == ([0, 0] if keep else [1, 1])
        assert play.cpus[0].tokens_lost == (0 if keep else 1)
        assert play.count(0, VM_OBJECT, COUNT_REOWNED) == (0 if keep else 2)


def test_hard_locks_are_kept_while_asleep(play, one):
    """A map lock is no token."""
    lock = play.ground.map_lock
    for answers in play.orders(
        [
            (LOCK_EXCLUSIVE, lock),
            (TOKEN_GET, one, EXCLUSIVE),
            (SLEEP, CHANNEL, FOREVER),
            (TOKEN_RELEASE, one),
            (LOCK_RELEASE, lock),
        ],
        [(UNTIL_BLOCKED, 0), (TOKEN_TRY, one, SHARED), (TOKEN_RELEASE, one), (SAY, 0), (WAKEUP, CHANNEL)],
        [(UNTIL, 0), (LOCK_EXCLUSIVE, lock), (LOCK_RELEASE, lock)],
    ):
        assert answers[1][1] == 1
        assert play.broken() == []
        play.idle()


def test_a_sleeper_does_not_run_before_it_owns_all_again(play, one, two):
    """Woken while another CPU has one of its tokens: it does not go on, and does not keep the other one meanwhile."""
    for answers in play.orders(
        [
            (TOKEN_GET, one, EXCLUSIVE),
            (TOKEN_GET, two, EXCLUSIVE),
            (SLEEP, CHANNEL, FOREVER),
            (SAY, 0),
            (TOKEN_OWNED_BY, one, 0),
            (TOKEN_OWNED_BY, two, 0),
            (TOKEN_RELEASE, two),
            (TOKEN_RELEASE, one),
        ],
        [
            (UNTIL_BLOCKED, 0),
            (TOKEN_GET, two, EXCLUSIVE),
            (WAKEUP, CHANNEL),
            (UNTIL_WORD, channel_word(play, 0), two.off),
            (TOKEN_OWNED_BY, one, 0),
            (TOKEN_TRY, one, EXCLUSIVE),
            (TOKEN_RELEASE, one),
            (SAID, 0),
            (TOKEN_RELEASE, two),
        ],
    ):
        assert answers[1][4] == 0 and answers[1][5] == 1, "a CPU that waits for one token kept another"
        assert answers[1][7] == 0, "a CPU ran on before it owned all its tokens"
        assert answers[0][4:6] == [1, 1]
        play.idle()


def test_a_contended_get_gives_the_others_up_and_has_all_at_the_end(play, one, two):
    """Waiting for the second token lets another CPU have the first."""
    for answers in play.orders(
        [
            (TOKEN_GET, one, EXCLUSIVE),
            (UNTIL, 0),
            (TOKEN_GET, two, EXCLUSIVE),
            (TOKEN_OWNED_BY, one, 0),
            (TOKEN_OWNED_BY, two, 0),
            (TOKEN_RELEASE, two),
            (TOKEN_RELEASE, one),
        ],
        [
            (TOKEN_GET, two, EXCLUSIVE),
            (SAY, 0),
            (UNTIL_BLOCKED, 0),
            (TOKEN_TRY, one, EXCLUSIVE),
            (TOKEN_RELEASE, one),
            (TOKEN_RELEASE, two),
        ],
    ):
        assert answers[1][3] == 1
        assert answers[0][3:5] == [1, 1]
        assert play.count(0, VM_OBJECT, COUNT_CONTENDED) == 1
        play.idle()


def test_opposite_orders_do_not_deadlock_exactly(play, one, two):
    """Each has one and wants the other's, provably at the same time: each has both in the end."""
    for answers in play.orders(
        [
            (TOKEN_GET, one, EXCLUSIVE),
            (SAY, 0),
            (UNTIL, 1),
            (TOKEN_GET, two, EXCLUSIVE),
            (TOKEN_OWNED_BY, one, 0),
            (TOKEN_OWNED_BY, two, 0),
            (TOKEN_RELEASE, two),
            (TOKEN_RELEASE, one),
        ],
        [
            (TOKEN_GET, two, EXCLUSIVE),
            (SAY, 1),
            (UNTIL, 0),
            (TOKEN_GET, one, EXCLUSIVE),
            (TOKEN_OWNED_BY, one, 1),
            (TOKEN_OWNED_BY, two, 1),
            (TOKEN_RELEASE, one),
            (TOKEN_RELEASE, two),
        ],
    ):
        assert answers[0][4:6] == answers[1][4:6] == [1, 1]
        assert any(play.count(i, VM_OBJECT, COUNT_CONTENDED) for i in range(2)), "they did not meet"
        play.idle()


def test_exclusive_request_holds_off_only_single_token_readers(play, one, two):
    """A reader with another token on its stack must get in, or tokens could deadlock."""
    for answers in play.orders(
        [(TOKEN_GET, one, SHARED), (SAY, 0), (UNTIL, 1), (TOKEN_RELEASE, one)],
        [(UNTIL, 0), (TOKEN_GET, one, EXCLUSIVE), (TOKEN_RELEASE, one)],
        [
            (UNTIL, 0),
            (UNTIL_BLOCKED, 1),
            (TOKEN_TRY, one, SHARED),
            (TOKEN_GET, two, EXCLUSIVE),
            (TOKEN_TRY, one, SHARED),
            (TOKEN_RELEASE, one),
            (TOKEN_RELEASE, two),
            (SAY, 1),
        ],
    ):
        assert answers[2][2] == 0, "a waiting writer does not hold a single-token reader off"
        assert answers[2][4] == 1, "a waiting writer holds off a reader that owns another token"
        play.idle()


def test_a_held_off_reader_gets_in_after_the_writer(play, one):
    """It sleeps behind the request, is woken when the writer lets go."""
    for answers in play.orders(
        [(TOKEN_GET, one, SHARED), (SAY, 0), (UNTIL_BLOCKED, 1), (UNTIL_BLOCKED, 2), (TOKEN_RELEASE, one)],
        [(UNTIL, 0), (TOKEN_GET, one, EXCLUSIVE), (SAY, 1), (TOKEN_RELEASE, one)],
        [(UNTIL, 0), (UNTIL_BLOCKED, 1), (TOKEN_GET, one, SHARED), (SAID, 1), (TOKEN_RELEASE, one)],
    ):
        assert answers[2][3] == 1
        play.idle()


def test_exclusive_request_over_ones_own_share_is_reported(play, one):
    """It can never be had: reported at once; told to stop at the first violation the CPU leaves the livelock."""
    play.machine.fail_fast = 1
    for _ in play.orders([(TOKEN_GET, one, SHARED), (TOKEN_GET, one, EXCLUSIVE), (SAY, 0)]):
        assert play.broken() == [("token-upgrade", 0)]
        assert play.ground.flags[0] == 0
        assert jit_off() or play.cpus[0].state == STATE_STOPPED  # where CPUs take turns it stays where it is


@pytest.mark.parallel
def test_the_livelock_can_be_stopped_from_outside(play, one):
    """Without fail_fast it goes round until somebody sets the stop word."""
    body = play.script(0, [(TOKEN_GET, one, SHARED), (TOKEN_GET, one, EXCLUSIVE)])
    compile_body(*body)
    pid = os.fork()
    if pid == 0:
        until = time.monotonic() + 5
        while play.machine.violations == 0 and time.monotonic() < until:
            time.sleep(0.001)
        play.machine.stop = STOP_USER
        os._exit(0)
    try:
        run_cpus(play.segment, body, seconds=8)
    finally:
        os.waitpid(pid, 0)
    assert play.broken() == [("token-upgrade", 0)]


def test_release_and_get_again_is_the_right_upgrade(play, one):
    """vm_object_upgrade: the silent twin."""
    play.alone(0, (TOKEN_GET, one, SHARED), (TOKEN_RELEASE, one), (TOKEN_GET, one, EXCLUSIVE), (TOKEN_RELEASE, one))
    assert play.broken() == []
    play.idle()


def test_try_never_waits_and_leaves_the_stack_alone(play, one, two):
    """A failed try is counted and changes nothing else."""
    play.alone(1, (TOKEN_GET, one, EXCLUSIVE))
    word = one.word
    assert play.alone(0, (TOKEN_GET, two, SHARED), (TOKEN_TRY, one, SHARED), (TOKEN_TRY, one, EXCLUSIVE)) == [0, 0, 0]
    assert play.cpus[0].token_count == 1 and one.word == word
    assert play.held(0) == [(two.off, VM_OBJECT, SHARED)]


def test_try_of_an_owned_token_recurses(play, one):
    """As `token_get` would."""
    assert play.alone(
        0, (TOKEN_GET, one, EXCLUSIVE), (TOKEN_TRY, one, EXCLUSIVE), (TOKEN_RELEASE, one), (TOKEN_OWNED_BY, one, 0)
    ) == [0, 1, 0, 1]
    play.alone(0, (TOKEN_RELEASE, one))
    play.idle()


def test_classes_are_counted_apart_and_tokens_have_no_order(play, one):
    """Map token and object token, either way round, beside hard locks."""
    third = play.ground.token3
    for first, second in ((one, third), (third, one)):
        play.alone(
            0,
            (TOKEN_GET, first, SHARED),
            (TOKEN_GET, second, EXCLUSIVE),
            (TOKEN_RELEASE, second),
            (TOKEN_RELEASE, first),
        )
    assert [
        play.count(0, cls, column) for cls in (VM_OBJECT, MAP_TOKEN) for column in (COUNT_SHARED, COUNT_EXCLUSIVE)
    ] == [1] * 4
    assert play.broken() == []


def test_too_many_tokens_are_reported(play, one):
    """32 are the limit; one more is reported and the stack does not overflow into its neighbour."""
    steps = [(TOKEN_GET, one, SHARED)] * (TOKENS_MAX + 1)
    play.alone(0, *steps)
    assert ("too-many-held", 0) in play.broken()
    assert play.cpus[0].token_count == TOKENS_MAX


def test_a_token_refused_for_want_of_room_is_not_owned(play, one, two):
    """What is not on the stack is never released: it must not be owned either."""
    play.alone(0, *[(TOKEN_GET, one, EXCLUSIVE)] * TOKENS_MAX, (TOKEN_GET, two, EXCLUSIVE))
    assert play.alone(1, (TOKEN_TRY, two, EXCLUSIVE)) == [1]


def test_owner_is_named_beyond_one_byte():
    """CPU 255 is the last that there can be."""
    play = Play(cpus=256)
    play.alone(255, (TOKEN_GET, play.ground.token, EXCLUSIVE))
    assert play.alone(254, (TOKEN_OWNED_BY, play.ground.token, 255), (TOKEN_OWNED_BY, play.ground.token, 254)) == [1, 0]
    play.alone(255, (TOKEN_RELEASE, play.ground.token))
    play.idle()
