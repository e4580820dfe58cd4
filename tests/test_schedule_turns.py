"""What runs the tests of locks where CPUs take turns: all orders, from the same state, a failure in any is seen."""

import pytest
from conftest import Play, orders
from helpers_play import SAY, SLEEP, TOKEN_GET, TOKEN_RELEASE, UNTIL, WAKEUP
from helpers_turns import ORDERS

from vmconc.locks.classes import EXCLUSIVE
from vmconc.locks.sleep import FOREVER, PATIENCE, look_later
from vmconc.memory.jit import jit_off
from vmconc.schedule.engine import pass_point

pytestmark = pytest.mark.skipif(not jit_off(), reason="with the JIT on the CPUs of these tests are processes")


def write_twice(cpu, ground):
    """Write this CPU's number down, in two steps."""
    for _ in range(2):
        pass_point(cpu, 0)
        ground.total = ground.total * 10 + cpu.index + 1
    return cpu.index


def test_all_orders_are_run_once_each_and_begin_with_the_same_state():
    """Two times two steps: six orders."""
    play, seen = Play(), []
    for answers in orders(play.segment, *[(write_twice, play.cpus[i], play.ground) for i in range(2)]):
        assert answers == [0, 1]
        seen.append(play.ground.total)
    assert sorted(seen) == [1122, 1212, 1221, 2112, 2121, 2211]


def test_where_there_are_too_many_orders_some_are_run_at_random():
    play, seen = Play(), []
    for _ in orders(play.segment, *[(write_twice, cpu, play.ground) for cpu in play.cpus]):
        seen.append(play.ground.total)
    assert len(seen) == 2 * ORDERS and len(set(seen[:ORDERS])) == ORDERS < len(set(seen))


def test_a_wakeup_that_is_lost_in_one_order_is_seen(play):
    """The sleeper may come late: then nobody wakes it.  With a flag that it looks at before, nobody could say so."""
    with pytest.raises(AssertionError, match="deadlock after decisions"):
        for _ in play.orders([(SLEEP, 4096, FOREVER)], [(WAKEUP, 4096)]):
            pass


def test_waiting_for_what_nobody_says_is_seen(play):
    with pytest.raises(AssertionError, match="livelock after decisions"):
        for _ in play.orders([(UNTIL, 0)], [(SAY, 1)]):
            pass


def test_an_exception_on_a_cpu_is_raised(play):
    def fail(cpu):
        look_later(cpu, PATIENCE)
        raise KeyError("x")

    with pytest.raises(KeyError):
        next(orders(play.segment, (fail, play.cpus[0]), (write_twice, play.cpus[1], play.ground)))


def test_between_two_orders_the_test_uses_the_locks_itself(play):
    """Nobody decides whose turn it is then, and the next order begins as the first did."""
    token = play.ground.token
    count = 0
    for _ in play.orders(*[[(TOKEN_GET, token, EXCLUSIVE), (TOKEN_RELEASE, token)]] * 2):
        play.idle()
        play.alone(3, (TOKEN_GET, token, EXCLUSIVE), (TOKEN_RELEASE, token))
        count += 1
        token.word = 99
    assert count > 2
