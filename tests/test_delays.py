"""Delays at lock operations: how they are asked for, and that every hold of the class lasts at least as long."""

from pathlib import Path

import numpy as np
import pytest
from conftest import Play, make_segment
from helpers_play import HERE
from helpers_runs import options

from vmconc.analysis.events import load
from vmconc.analysis.spans import holds, waits
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.coordinator.delays import Asked, delay_of, delays_of
from vmconc.coordinator.errors import UsageError
from vmconc.explore.lockrun import run_locks
from vmconc.locks import busy, chain, hook, lockmgr, mutex, pip, spin, token
from vmconc.locks import range as ranges
from vmconc.locks.classes import CHAIN, EXCLUSIVE, MUTEX, PAGE_SPIN, PIP, RANGE, SHARED, VM_MAP, VM_OBJECT, VM_PAGE
from vmconc.locks.delay import AFTER_ACQUIRE, AFTER_RELEASE, BEFORE_ACQUIRE, BEFORE_RELEASE
from vmconc.memory.build import Build
from vmconc.memory.jit import jit_off
from vmconc.program.programs import lock_program

DELAY = 5_000  # ns
WORDS = ["5us@mutex", "5us@mutex:before-release", "5us@mutex.lock"]
ROUNDS = 30
DRIFT = 0.999  # of the processor's counter against the clock, in a run of milliseconds


def test_a_delay_names_a_time_a_class_or_site_and_a_point():
    assert delay_of("5us@vm_object") == Asked(AFTER_ACQUIRE, VM_OBJECT, 0, 5_000)
    assert delay_of("70ns@vm_object:before-acquire") == Asked(BEFORE_ACQUIRE, VM_OBJECT, 0, 70)
    assert delay_of("2ms@mutex:before-release") == Asked(BEFORE_RELEASE, MUTEX, 0, 2_000_000)
    assert delay_of("2ms@mutex:after-release") == Asked(AFTER_RELEASE, MUTEX, 0, 2_000_000)
    assert delay_of("1us@mutex.lock") == Asked(AFTER_ACQUIRE, 0, mutex.LOCK, 1_000)


def test_delays_that_are_too_long_together_are_refused():
    assert len(delays_of(["500ms@mutex", "500ms@mutex.lock"])) == 2
    with pytest.raises(UsageError, match="longer than 1s together"):
        delays_of(["500ms@mutex", "501ms@mutex.lock"])


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("5us", "names no place; write DELAY@WHERE"), ("5us@", "names no place"), ("@mutex", "no number with a unit"),
        ("5us@mutexx", "no lock class or site 'mutexx'; did you mean 'mutex'"), ("2s@mutex", "out of range"),
        ("0us@mutex", "out of range"), ("5us@mutex:after-acquired", "no point 'after-acquired'; choose one of"),
        ("5us@mutex.lock:before-release", "at a site the only point is after-acquire"),
        ("5us@mutex.lock:after-release", "at a site the only point is after-acquire"),
    ],
)  # fmt: skip
def test_a_delay_that_there_cannot_be_is_refused_with_the_fix(word, says):
    with pytest.raises(UsageError, match=r"--delay .*" + says):
        delay_of(word)


def test_where_cpus_take_turns_there_are_no_delays():
    with pytest.raises(ValueError, match="a delay has no meaning there"):
        Build("controlled", delayed=True)


def recorded(tmp_path, *delays):
    """Return the events of a lock program with these delays."""
    wanted = options(tmp_path, mode="recorded", delays=delays)
    return load(Path(run_locks(lock_program("dining"), {"fixed": 1}, ROUNDS, wanted).run_dir))


@pytest.mark.skipif(jit_off(), reason="worker processes need the JIT")
def test_every_hold_of_a_delayed_class_lasts_at_least_as_long_and_there_are_as_many_as_without(tmp_path):
    without = holds(recorded(tmp_path))
    for word in WORDS:
        events = recorded(tmp_path, word)
        found = holds(events)
        assert len(found.cls) == len(without.cls) > 0
        assert found.nanoseconds[found.cls == MUTEX].min() >= DELAY * DRIFT
        assert events.run["options"]["delays"] == [word]


@pytest.mark.skipif(jit_off(), reason="worker processes need the JIT")
def test_a_delay_of_another_class_or_before_a_request_makes_no_hold_longer(tmp_path):
    """A hold of another class is not delayed: some are shorter than the delay, as they are without."""
    for word in ("5ms@vm_object", "5ms@condition.wait"):
        events = recorded(tmp_path, word)
        assert holds(events).nanoseconds.min() < 5_000_000
        assert len(waits(events).cls) <= len(holds(events).cls)


@pytest.mark.skipif(jit_off(), reason="worker processes need the JIT")
def test_a_delay_that_there_cannot_be_ends_the_command(tmp_path, capsys):
    assert guarded(app, ["run", "dining", "--delay", "5us@nowhere", "--runs-dir", str(tmp_path)]) == 2
    assert "no lock class or site 'nowhere'" in capsys.readouterr().err


X, S = EXCLUSIVE, SHARED
LOCKS = {  # how each lock is taken and given up, its class, and whether it is free and nobody is still to be woken
    "spin": (
        lambda cpu, g: spin.spin_lock(cpu, g.spin, PAGE_SPIN, HERE),
        lambda cpu, g, _: spin.spin_unlock(cpu, g.spin, PAGE_SPIN),
        PAGE_SPIN, lambda g: g.spin.owner == 0,
    ),
    "lockmgr": (
        lambda cpu, g: lockmgr.lock_exclusive(cpu, g.map_lock, HERE),
        lambda cpu, g, _: lockmgr.lock_release(cpu, g.map_lock),
        VM_MAP, lambda g: g.map_lock.word == 0,
    ),
    "lockmgr shared": (
        lambda cpu, g: lockmgr.lock_shared(cpu, g.map_lock, HERE),
        lambda cpu, g, _: lockmgr.lock_release(cpu, g.map_lock),
        VM_MAP, lambda g: g.map_lock.word == 0,
    ),
    "lockmgr upgrade that fails": (
        lambda cpu, g: upgrade_waits(cpu, g.map_lock),
        lambda cpu, g, _: lockmgr.lock_upgrade(cpu, g.map_lock),
        VM_MAP, lambda g: g.map_lock.word & lockmgr.SHARES == 0,
    ),
    "token": (
        lambda cpu, g: token.token_get(cpu, g.token, X, HERE), lambda cpu, g, _: token.token_release(cpu, g.token),
        VM_OBJECT, lambda g: g.token.word == 0,
    ),
    "token shared": (
        lambda cpu, g: token.token_get(cpu, g.token, S, HERE), lambda cpu, g, _: token.token_release(cpu, g.token),
        VM_OBJECT, lambda g: g.token.word == 0,
    ),
    "busy": (
        lambda cpu, g: busy.busy_wait(cpu, g.busy, True, HERE), lambda cpu, g, _: busy.busy_release(cpu, g.busy),
        VM_PAGE, lambda g: g.busy.word == g.busy.owner == 0,
    ),
    "soft busy": (
        lambda cpu, g: busy.soft_try(cpu, g.busy, HERE), lambda cpu, g, _: busy.soft_release(cpu, g.busy),
        VM_PAGE, lambda g: g.busy.word == 0,
    ),
    "pip": (
        lambda cpu, g: pip.pip_add(cpu, g.pip, HERE), lambda cpu, g, _: pip.pip_wakeup(cpu, g.pip),
        PIP, lambda g: g.pip.word == 0,
    ),
    "chain": (
        lambda cpu, g: chain.chain_acquire(cpu, g.chain, X, HERE), lambda cpu, g, _: chain.chain_release(cpu, g.chain),
        CHAIN, lambda g: g.chain.word == 0,
    ),
    "range": (
        lambda cpu, g: ranges.range_acquire(cpu, g.ranges, 0, 8, HERE),
        lambda cpu, g, record: ranges.range_release(cpu, g.ranges, record),
        RANGE, lambda g: not g.ranges.head,
    ),
}  # fmt: skip


def upgrade_waits(cpu, lock):
    """Take a share beside that of another CPU, which waits to have the lock exclusively."""
    lockmgr.lock_shared(cpu, lock, HERE)
    lock.word |= lockmgr.UPREQ | 2 << lockmgr.UPREQ_SHIFT


def seen_by_delays(monkeypatch, cls, look):
    """Have the hook ask for a delay everywhere; return a list that fills with points of a class and what they see."""
    seen = []
    monkeypatch.setattr(hook, "delayed", lambda cpu: True)
    monkeypatch.setattr(hook, "delay", lambda cpu, point, of, site: seen.append((point, look())) if of == cls else None)
    return seen


@pytest.mark.skipif(not jit_off(), reason="compiled code calls what it was compiled with")
@pytest.mark.parametrize("name", LOCKS)
def test_a_delay_after_a_release_finds_the_lock_free_and_one_before_it_does_not(name, monkeypatch):
    play = Play()
    cpu, ground = play.cpus[0], play.ground
    take, give, cls, is_free = LOCKS[name]
    taken = take(cpu, ground)
    seen = seen_by_delays(monkeypatch, cls, lambda: is_free(ground))
    give(cpu, ground, taken)
    assert seen == [(BEFORE_RELEASE, False), (AFTER_RELEASE, True)]


@pytest.mark.skipif(not jit_off(), reason="compiled code calls what it was compiled with")
def test_a_delay_after_a_mutex_finds_it_free_and_its_waiters_woken(monkeypatch):
    segment = make_segment({"Mutex": 1})
    cpu, door = segment.nth("Cpu", 0), segment.nth("Mutex", 0)
    mutex.mutex_lock(cpu, door)
    door.waiters = 1
    seen = seen_by_delays(monkeypatch, MUTEX, lambda: door.owner == door.waiters == 0)
    mutex.mutex_unlock(cpu, door)
    assert seen == [(BEFORE_RELEASE, False), (AFTER_RELEASE, True)]


@pytest.mark.skipif(not jit_off(), reason="compiled code calls what it was compiled with")
def test_to_release_a_token_that_is_owned_below_makes_nothing_free_and_delays_nothing(monkeypatch):
    play = Play()
    cpu, ground = play.cpus[0], play.ground
    for _ in range(2):
        token.token_get(cpu, ground.token, X, HERE)
    seen = seen_by_delays(monkeypatch, VM_OBJECT, lambda: ground.token.word == 0)
    token.token_release(cpu, ground.token)
    assert seen == []
    token.token_release(cpu, ground.token)
    assert seen == [(BEFORE_RELEASE, False), (AFTER_RELEASE, True)]


DOOR = '''"""Two threads that each go through a door once."""
from vmconc.concurrent import Mutex, kernel, mutex_lock, mutex_unlock, shared, thread
from vmconc.locks.classes import MUTEX
from vmconc.locks.hook import given_up, released
from vmconc.locks.sleep import wake_all
from vmconc.memory.atomics import atomic_store, atomic_swap
from vmconc.memory.refs import offset

@shared
class Room:
    door: Mutex

@kernel
def unlock_late(cpu, door):
    """Release, but be delayed while the door is still shut: what a delay after a release must not do."""
    released(cpu, offset(door), MUTEX)
    given_up(cpu, MUTEX)
    atomic_store(door, "owner", 0)
    if atomic_swap(door, "waiters", 0) != 0:
        wake_all(cpu, offset(door))

@thread(2)
def enter(cpu, room):
    mutex_lock(cpu, room.door)
    UNLOCK(cpu, room.door)
'''
LONG = 5_000_000  # ns


@pytest.mark.skipif(jit_off(), reason="worker processes need the JIT")
@pytest.mark.parametrize(("unlock", "meanwhile"), [("mutex_unlock", True), ("unlock_late", False)])
def test_others_get_the_lock_while_its_last_holder_is_delayed_after_the_release(unlock, meanwhile, tmp_path):
    program = tmp_path / f"{unlock}.py"
    program.write_text(DOOR.replace("UNLOCK", unlock))
    wanted = options(tmp_path, mode="recorded", delays=("5ms@mutex:after-release",))
    events = load(Path(run_locks(str(program), {}, ROUNDS, wanted).run_dir))
    time = events.nanoseconds(events.raw["time"])
    gave, got = (np.flatnonzero((events.cls == MUTEX) & (events.gain == gain)) for gain in (-1, 1))
    assert len(gave) == len(got) == 2 * ROUNDS and holds(events).nanoseconds.min() < LONG
    during = (time[got] > time[gave][:, None]) & (time[got] < time[gave][:, None] + LONG * DRIFT)
    assert (during & (events.cpu[got] != events.cpu[gave][:, None])).any() == meanwhile
