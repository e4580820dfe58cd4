"""Cold builds are compiled by processes of their own, as many at a time as there are cores; the caller only loads."""

import contextlib
import multiprocessing
import os
import signal
import time

import pytest

from vmconc.coordinator import warm
from vmconc.coordinator.anew import call_anew
from vmconc.coordinator.errors import EmulatorError
from vmconc.memory.build import Build

BUILDS = [Build(mode, "backing") for mode in ("off", "counted", "timed", "recorded", "controlled")]


def compiling(monkeypatch, body):
    """Have `body(build, count)` stand for compiling."""
    monkeypatch.setattr(warm, "compile_one", body)


def shown(monkeypatch, note):
    """Have `note(done)` stand for the bar."""
    monkeypatch.setattr(warm, "progress", lambda cold, show: contextlib.nullcontext(note))


def test_each_is_compiled_once_in_another_process_and_counted(monkeypatch, tmp_path):
    def compile_one(build, count):
        count[0] = 7
        (tmp_path / f"{build}-{os.getpid()}").touch(exist_ok=False)

    seen = []
    compiling(monkeypatch, compile_one)
    shown(monkeypatch, seen.append)
    warm.compile_all(BUILDS, True)
    names, pids = zip(*(path.name.rsplit("-", 1) for path in tmp_path.iterdir()), strict=True)
    assert sorted(names) == sorted(map(str, BUILDS)) and str(os.getpid()) not in pids
    assert seen[-1] == 7 * len(BUILDS) and seen == sorted(seen)


def test_no_more_at_a_time_than_there_are_cores(monkeypatch, tmp_path):
    """Each looks for a while how many are at it."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1})

    def compile_one(build, count):
        mine = tmp_path / f"{build}"
        mine.touch()
        deadline = time.monotonic() + 0.2
        while time.monotonic() < deadline:
            assert len(list(tmp_path.iterdir())) <= 2
        mine.unlink()
        count[0] = 1

    seen = []
    compiling(monkeypatch, compile_one)
    shown(monkeypatch, seen.append)
    warm.compile_all(BUILDS, True)
    assert seen[-1] == len(BUILDS)


def test_one_that_is_killed_is_told(monkeypatch):
    compiling(monkeypatch, lambda build, count: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(EmulatorError, match=r"^compiling counted\.backing was killed by signal 9$"):
        warm.compile_all([Build("counted", "backing")], False)


def test_one_that_fails_is_left_to_the_caller_who_shows_why(monkeypatch):
    compiling(monkeypatch, lambda build, count: 1 // 0)
    warm.compile_all([Build("counted", "backing")], False)


def test_none_is_left_after_an_interruption(monkeypatch):
    def interrupt(done):
        raise KeyboardInterrupt

    compiling(monkeypatch, lambda build, count: signal.pause())
    shown(monkeypatch, interrupt)
    with pytest.raises(KeyboardInterrupt):
        warm.compile_all(BUILDS, True)
    assert multiprocessing.active_children() == []


def compiled_here():
    """Make a build ready, and return how many functions this process has compiled and whether that build is cold."""
    import numpy as np
    from numba.core import event

    count, build = np.zeros(1, dtype=np.int64), Build("counted", "backing")
    with event.install_listener("numba:compile", warm.Counter(count)):
        warm.warm([build], False)
    return int(count[0]), warm.is_cold(build)


@pytest.mark.parallel
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_with_an_empty_cache_the_caller_compiles_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("VMCONC_CACHE", str(tmp_path))
    assert call_anew(compiled_here) == (0, False)
    assert int(next(tmp_path.glob("*/warm-counted.backing")).read_text()) > 300
