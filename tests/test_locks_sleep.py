"""Sleep and wakeup: no wake-up is lost, none comes from nowhere, everybody can be stopped."""

import os
import time

import pytest
from conftest import Play, children, compile_body, orders, run_cpus
from helpers_play import SAID, SAY, SLEEP, UNTIL, UNTIL_BLOCKED, WAKEUP
from helpers_sleep import (
    cancel_once,
    careful_sleeper,
    changing_mind,
    consumer,
    early_waker,
    enqueue,
    ping_pong,
    producer,
    sleep_once,
    stalled_waker,
    storm_sleeper,
    storm_waker,
    wake,
)

from vmconc.locks.cpu import STATE_BLOCKED, STATE_RUNNING, STATE_STOPPED
from vmconc.locks.rules import STOP_USER
from vmconc.locks.sleep import FOREVER
from vmconc.memory.jit import jit_off

MS = 1_000_000
SECOND = 1000 * MS


def test_ping_pong_loses_no_wakeup(play):
    """20000 turns, each a sleep and a wake-up from the other CPU: one lost one would end the time."""
    rounds = 500 if jit_off() else 20000
    run_cpus(play.segment, *[(ping_pong, play.cpus[i], play.ground, i, rounds) for i in range(2)], seconds=20)
    assert play.ground.box[0] == 0
    play.idle()


def test_storm_of_cancels_and_timeouts_leaves_queues_sound(play):
    """Sleepers that change their minds or time out while two wakers run on the same channels."""
    rounds = 200 if jit_off() else 5000
    sleepers = [(storm_sleeper, play.cpus[i], play.ground, rounds, 2000) for i in (0, 1)]
    wakers = [(storm_waker, play.cpus[i], play.ground, 2) for i in (2, 3)]
    answers = run_cpus(play.segment, *sleepers, *wakers, seconds=30)
    assert answers[:2] == [0, 0], "a CPU ran on while it still stood on a sleep queue"
    play.idle()


@pytest.mark.parallel
def test_cancel_waits_for_a_waker_that_is_half_through(play):
    """A waker took the CPU off the queue and sets its wake word late: that must not end the *next* sleep."""
    waker = stalled_waker, play.cpus[1], play.ground, play.cpus[0]
    answer, _ = run_cpus(play.segment, (changing_mind, play.cpus[0], play.ground), waker)
    assert answer == 0, (
        f"next sleep ended by the wake-up of the one before: {answer & 1}, left on the queue: {answer >> 1}"
    )


def test_timeout_returns_false_and_leaves_the_queue(play):
    """Nobody wakes: False, not before the time (which is a decision where CPUs take turns), and off the queue."""
    begin = time.monotonic()
    assert run_cpus(play.segment, (sleep_once, play.cpus[0], 4096, 30 * MS)) == [0]
    assert jit_off() or time.monotonic() - begin >= 0.03
    play.idle()


def test_a_sleeper_is_woken_before_its_time_or_after_it(play):
    """Both happen where CPUs take turns; the other CPU is past its wake-up either way."""
    seen = set()
    for answers in play.orders([(SLEEP, 4096, 300 * MS)], [(WAKEUP, 4096), (SAY, 0)]):
        seen.add(answers[0][0])
        assert play.ground.flags[0] == 1
        play.idle()
    assert not jit_off() or seen == {0, 1}


def test_a_wakeup_touches_no_other_channel(play):
    """A woken sleeper is told so; who sleeps on another channel sleeps on."""
    waker = [(UNTIL_BLOCKED, 0), (UNTIL_BLOCKED, 1), (WAKEUP, 4096), (UNTIL, 0), (SAID, 1), (WAKEUP, 4104)]
    for answers in play.orders([(SLEEP, 4096, FOREVER), (SAY, 0)], [(SLEEP, 4104, FOREVER), (SAY, 1)], waker):
        assert answers[0][0] == answers[1][0] == 1 and answers[2][4] == 0
        play.idle()


def test_one_wakeup_wakes_all_of_the_channel(play):
    """As in BSD: wakeup is for everybody."""
    last = [*[(UNTIL_BLOCKED, i) for i in range(3)], (WAKEUP, 4096)]
    for answers in play.orders(*[[(SLEEP, 4096, FOREVER)] for _ in range(3)], last):
        assert answers[:3] == [[1]] * 3
        play.idle()


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (1, 2, 0)])
def test_leaving_the_queue_from_any_place(play, order):
    """Head, middle and tail of one queue can be cancelled in any order: here by waking neighbours of the same hash."""
    for cpu in play.cpus[:3]:
        enqueue(cpu, 4096 + 8 * 0)
    queue = play.segment.view("SleepQueue")
    assert (queue["head"] != 0).sum() == 1
    from vmconc.locks.sleep import cancel

    for i in order:
        assert cancel(play.cpus[i])
    assert not queue["head"].any() and all(cpu.channel == 0 for cpu in play.cpus)


def test_cancel_tells_whether_a_wakeup_came_first(play):
    """True: changed its mind in time.  False: a waker had it already."""
    from vmconc.locks.sleep import cancel

    assert cancel_once(play.cpus[0], 4096) == 1
    enqueue(play.cpus[0], 4096)
    wake(play.cpus[1], 4096)
    assert not cancel(play.cpus[0])
    assert play.cpus[0].wake[0] == 1


def test_wakeup_leaves_other_channels_of_the_same_queue_alone(play):
    """Two channels of one hash value share a queue and nothing else."""
    from vmconc.locks.sleep import cancel, queue_of

    first = 4096
    other = next(c for c in range(first + 8, 1 << 20, 8) if queue_of(play.cpus[0], c) == queue_of(play.cpus[0], first))
    enqueue(play.cpus[0], first)
    enqueue(play.cpus[1], other)
    enqueue(play.cpus[2], first)
    wake(play.cpus[3], first)
    assert [cpu.channel for cpu in play.cpus] == [0, other, 0, 0]
    assert [cpu.wake[0] for cpu in play.cpus[:3]] == [1, 0, 1]
    assert cancel(play.cpus[1])


@pytest.mark.parallel
def test_stop_word_ends_a_sleeper(play):
    """A sleeper notices the stop word by itself, says so, and its process ends with status 0."""
    body = (sleep_once, play.cpus[0], 4096, FOREVER)
    compile_body(*body)
    pid = os.fork()
    if pid == 0:  # the stopper: sets the word when the sleeper sleeps
        until = time.monotonic() + 10
        while play.cpus[0].state != STATE_BLOCKED and time.monotonic() < until:
            time.sleep(0.001)
        play.machine.stop = STOP_USER
        os._exit(0)
    try:
        begin = time.monotonic()
        run_cpus(play.segment, body, seconds=10)
        assert time.monotonic() - begin < 5
    finally:
        os.waitpid(pid, 0)
    assert play.cpus[0].state == STATE_STOPPED
    assert play.machine.halted == 1
    assert str(pid) not in children()


def test_progress_counts_finished_waits(play):
    """The coordinator tells a slow run from a hung one by it."""
    run_cpus(play.segment, (sleep_once, play.cpus[0], 4096, MS))
    assert play.cpus[0].progress == 1 and play.cpus[0].state == STATE_RUNNING


@pytest.mark.parametrize("bad", [0, 1])
def test_condition_is_checked_again_on_the_queue(play, bad):
    """Broken twin: looking before being on the queue loses the wake-up that comes in between, and is seen to."""
    timeout = 50 * MS if bad else FOREVER
    bodies = (consumer, play.cpus[0], play.ground, bad, timeout), (producer, play.cpus[1], play.ground, 0)
    for answers in orders(play.segment, *bodies):
        assert answers[0] == (0 if bad else 1)


@pytest.mark.parametrize("bad", [0, 1])
def test_condition_changes_before_the_wakeup(play, bad):
    """Broken twin: waking before the condition is true lets the sleeper look too early and sleep on.

    The time is long where CPUs are processes, so that the waker meets the sleeper on a busy machine too.
    """
    bodies = (
        (careful_sleeper, play.cpus[0], play.ground, SECOND if bad else FOREVER),
        (early_waker, play.cpus[1], play.ground, play.cpus[0], bad),
    )
    for answers in orders(play.segment, *bodies):
        assert answers[0] == (0 if bad else 1)
        assert answers[1] == 1 or (bad and jit_off()), "the sleeper was not there"


def test_a_killed_sleeper_harms_nobody():
    """The record of a dead CPU stays on its queue; others wake, cancel and sleep as before."""
    play = Play()
    play.cpus[3].state = STATE_BLOCKED
    enqueue(play.cpus[3], 4096)  # as if killed after this
    for answers in play.orders([(SLEEP, 4096, FOREVER)], [(UNTIL_BLOCKED, 0), (WAKEUP, 4096), (SAY, 1)]):
        assert answers[0] == [1]
