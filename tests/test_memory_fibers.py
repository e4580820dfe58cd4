"""The fibers on which CPUs run with the JIT off: in turn, always in the same order, each to its own end."""

import signal

import pytest
from conftest import Play
from helpers_sleep import sleep_once

from vmconc.memory.fibers import HUB, Deadlock, Hub, switch
from vmconc.memory.jit import jit_off
from vmconc.memory.system import ProcessLeft, leave_process

only_jit_off = pytest.mark.skipif(not jit_off(), reason="only with the JIT off")


@pytest.fixture(autouse=True)
def bounded():
    """End a test that does not end."""

    def stop(*_args):
        raise TimeoutError("the hub does not end")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 3)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_round_robin_is_the_same_every_time():
    """One step each, in turn; who is done drops out."""
    runs = []
    for _ in range(2):
        seen = []

        def body(name, steps, seen=seen):
            for i in range(steps):
                seen.append(f"{name}{i}")
                switch()

        Hub([lambda: body("a", 3), lambda: body("b", 1), lambda: body("c", 2)]).run()
        runs.append(" ".join(seen))
    assert runs == ["a0 b0 c0 a1 c1 a2"] * 2


def test_switch_outside_a_hub_and_alone_says_so():
    """Nobody else could run."""
    assert switch() is False
    answers = []
    Hub([lambda: answers.append(switch())]).run()
    assert answers == [False]


def test_an_exception_ends_the_run_and_the_hub_is_gone():
    """It is raised where the hub runs; the next hub starts clean."""

    def fail():
        switch()
        raise KeyError("x")

    with pytest.raises(KeyError):
        Hub([fail, lambda: switch()]).run()
    assert HUB == []
    assert switch() is False


@only_jit_off
def test_leaving_ends_only_this_cpu():
    """`leave_process` ends the CPU that was told to stop; the others come to their own end."""
    seen = []

    def leaver():
        switch()
        leave_process(0)

    def stayer():
        for i in range(4):
            seen.append(i)
            switch()

    try:
        Hub([leaver, stayer]).run()
    except ProcessLeft:
        pytest.fail(f"the hub ended with one CPU, the other had done {len(seen)} of 4 steps")
    assert seen == [0, 1, 2, 3]


@only_jit_off
@pytest.mark.parametrize("sleepers", [1, 2])
def test_all_asleep_for_ever_is_a_deadlock(sleepers):
    """Nobody is left to wake anyone: an error at once, not an endless loop."""
    play = Play()
    with pytest.raises(Deadlock):
        Hub([lambda i=i: sleep_once(play.cpus[i], 4096, 1 << 62) for i in range(sleepers)]).run()
