"""A run that goes on, looked at from another process."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from helpers_runs import BASE, PAGE, start_command
from test_coordinator_stuck import Scene

from vmconc.cli import live
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.coordinator import dump
from vmconc.coordinator.dump import LiveRun, described
from vmconc.coordinator.errors import UsageError
from vmconc.coordinator.rundir import RunDirectory
from vmconc.coordinator.signals import StopRequests
from vmconc.coordinator.top import ClassRate, Looker
from vmconc.locks.classes import (
    COUNT_COLUMNS,
    COUNT_CONTENDED,
    COUNT_EXCLUSIVE,
    COUNT_SHARED,
    COUNT_WAIT,
    VM_PAGE,
)

WAITS = f'''"""One CPU waits for the disk, and the other for what it must follow."""
OPTIONS = {{}}


def program(build, cpus, options):
    file, lwp = build.file("data", 64), build.spawn()
    build.mmap(lwp, {BASE}, 64 * {PAGE}, 1, 1, file)
    for page in range(64):
        build.touch(lwp, {BASE} + page * {PAGE})
    build.touch(build.spawn(), {BASE})
'''

HOLDS = '''"""One thread holds the mutex for ever, and the other waits for it."""
from vmconc.concurrent import Mutex, mutex_lock, option, shared, thread, wait_a_turn

OWNER = option("owner", 0)


@shared
class Place:
    mutex: Mutex
    held: int = 0


@thread(2)
def worker(cpu, place):
    while cpu.index != OWNER and place.held == 0:
        wait_a_turn(cpu)
    mutex_lock(cpu, place.mutex)
    place.held = 1
    while True:
        wait_a_turn(cpu)
'''


@pytest.fixture
def scene(monkeypatch):
    return Scene(monkeypatch)


def test_a_cycle_and_those_behind_it_are_told(scene, tmp_path, monkeypatch):
    now = time.monotonic_ns()
    monkeypatch.setattr(time, "monotonic_ns", lambda: now)
    for cpu in (0, 1):
        scene.hold(cpu, cpu)
        scene.sleep(cpu, scene.page(1 - cpu))
        scene.segment.nth("Cpu", cpu).wait_since = now - 5_000_000_000
    scene.sleep(2, scene.page(0))
    found = described(scene.segment, tmp_path, 1)
    assert (found.cycle, found.victims) == ([0, 1], [2])
    assert found.lines[:2] == ["cycle of 2: cpu 0 waits for cpu 1 waits for cpu 0", "behind the cycle: cpu 2"]
    assert found.lines[2].startswith("cpu 0 -- waits 5 s --> VmPage 1 busy (vm_page shared at ")
    assert found.cpus[1]["waits_for"]["waited_ns"] == found.wait_for[0]["held_ns"] == 5_000_000_000


def test_who_waits_for_a_cpu_that_runs_is_no_victim(scene, tmp_path):
    scene.hold(0, 0)
    scene.sleep(1, scene.page(0))
    found = described(scene.segment, tmp_path, 1)
    assert (found.cycle, found.victims, found.wait_for[0]["to"]) == ([], [], 0)


def test_what_locks_do_a_second_is_told_of_the_time_since_the_last_look(scene, tmp_path):
    scene.hold(0, 0)
    looker = Looker(LiveRun(scene.segment, tmp_path, 1))
    counts = scene.segment.nth("Cpu", 1).counts
    for column, amount in ((COUNT_SHARED, 30), (COUNT_EXCLUSIVE, 10), (COUNT_CONTENDED, 4), (COUNT_WAIT, 600_000_000)):
        counts[VM_PAGE * COUNT_COLUMNS + column] = amount
    scene.now += 2
    sample = looker.look()
    assert sample.classes == [ClassRate("vm_page", 20.0, 2.0, pytest.approx(0.1))]
    assert len(sample.cpus) == 3 and sample.cpus[0]["held"][0]["class"] == "vm_page"
    scene.now += 2
    assert looker.look().classes == []


def test_a_run_is_over_when_it_has_ended_and_when_its_owner_is_gone(scene, tmp_path):
    """A directory whose owner was killed still says how to reach the run, but nobody has its lock."""
    directory = RunDirectory(tmp_path, "run")
    directory.announce(scene.segment.fd, "backing", "counted")
    run = LiveRun(scene.segment, directory.path, 1)
    assert not run.over
    directory.lock.release()
    assert run.over and (directory.path / "live.json").exists()
    directory.lock.acquire()
    assert not run.over
    directory.close()
    assert run.over


@pytest.mark.parametrize("command", ["dump", "top"])
@pytest.mark.parametrize(
    "arguments, said",
    [(["nothing"], "nothing is no run that goes on"), (["1"], "1 coordinates no run below runs")],
)
def test_what_is_no_live_run_is_refused(command, arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert guarded(app, [command, *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("option, value", [("--every", "0"), ("--looks", "-1"), ("--wait", "-1")])
def test_an_option_of_top_that_is_out_of_range_is_named_alone(option, value, capsys):
    assert guarded(app, ["top", "1", option, value]) == 2
    assert capsys.readouterr().err.startswith(f"vmconc: {option} {value} is ")


def announced(process, tmp_path):
    """Wait until a run says how to reach it."""
    deadline = time.monotonic() + 200
    while not (live := list(tmp_path.glob("runs/*/live.json"))):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.05)
    return live


@pytest.mark.parallel
def test_a_run_is_looked_at_from_another_process_by_its_directory_and_by_its_number(tmp_path):
    (tmp_path / "waits.py").write_text(WAITS)
    process = start_command(tmp_path, "run", "waits.py", "--cpus", "1", "--io-latency", "1s", "--time-limit", "60")
    try:
        live = announced(process, tmp_path)
        waiting = {}
        while not waiting:
            by_directory = start_command(tmp_path, "dump", str(live[0].parent), "--json")
            waiting = json.loads(by_directory.communicate()[0])["cpus"][0]["waits_for"]
        assert waiting["instance"].startswith("IoRequest ") and waiting["site"] == "disk.io"
        looks = start_command(tmp_path, "top", str(live[0].parent), "--every", "0.1", "--looks", "2", "--json")
        samples = [json.loads(line) for line in looks.communicate()[0].splitlines()]
        assert [len(sample["cpus"]) for sample in samples] == [1, 1] and looks.returncode == 0
        by_number = start_command(tmp_path, "dump", str(process.pid))
        assert "-- up to --> the disk" in by_number.communicate()[0] and by_number.returncode == 0
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parallel
def test_a_program_about_locks_is_looked_at_too_with_the_options_it_runs_with(tmp_path):
    (tmp_path / "holds.py").write_text(HOLDS)
    process = start_command(tmp_path, "run", "holds.py", "--set", "owner=1", "--stall", "60", "--time-limit", "60")
    try:
        live = announced(process, tmp_path)
        waiting = None
        while not waiting:
            looked = start_command(tmp_path, "dump", str(live[0].parent), "--json")
            found = json.loads(looked.communicate()[0])
            waiting = found["cpus"][0]["waits_for"]
        assert (waiting["class"], waiting["site"], looked.returncode) == ("mutex", "mutex.lock", 0)
        (edge,) = found["wait_for"]
        assert (edge["from"], edge["to"], edge["mode"], edge["held_ns"]) == (0, 1, "exclusive", 0)
        looks = start_command(tmp_path, "top", str(process.pid), "--every", "0.1", "--looks", "1", "--json")
        (sample,) = looks.communicate()[0].splitlines()
        assert [cpu["state"] for cpu in json.loads(sample)["cpus"]] == ["blocked", "running"]
        (tmp_path / "holds.py").unlink()
        gone = start_command(tmp_path, "dump", str(live[0].parent))
        assert gone.communicate()[1].startswith("vmconc: ") and gone.returncode == 2
    finally:
        process.kill()
        process.communicate()


def test_a_run_that_has_not_begun_is_waited_for_until_it_begins_the_time_is_over_or_the_user_stops(monkeypatch):
    tries = []

    def find_live(what, runs, declare):
        tries.append(what)
        if len(tries) < 3:
            raise UsageError("no run that goes on")
        return "run"

    monkeypatch.setattr(dump, "find_live", find_live)
    requests, own, ended = StopRequests(), str(os.getpid()), str(gone())
    assert live.await_live(own, None, 60.0, requests) == "run" and tries == [own] * 3
    for what, seconds, requests.count in ((own, 0.0, 0), (own, 60.0, 1), (ended, 60.0, 0)):
        tries.clear()
        with pytest.raises(UsageError, match="no run that goes on"):
            live.await_live(what, None, seconds, requests)
        assert tries == [what]


def gone():
    """Return the number of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_who_watches_a_run_of_this_process_is_ended_with_it_whatever_happens(monkeypatch, tmp_path):
    real, started = live.subprocess.Popen, []

    def popen(command, **more):
        started.append((command, real([sys.executable, "-c", "import time; time.sleep(600)"], **more)))
        return started[-1][1]

    monkeypatch.setattr(live.subprocess, "Popen", popen)
    with pytest.raises(KeyError), live.watched(tmp_path):
        raise KeyError
    ((command, process),) = started
    assert command[1:5] == ["-m", "vmconc", "top", str(os.getpid())] and str(tmp_path) in command
    assert process.returncode == -signal.SIGTERM


def test_who_watches_and_does_not_end_when_asked_to_is_killed(monkeypatch, tmp_path):
    real, started, ready = live.subprocess.Popen, [], tmp_path / "ready"
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); open({!r}, 'w'); time.sleep(600)"

    def popen(command, **more):
        started.append(real([sys.executable, "-c", deaf.format(str(ready))], **more))
        return started[-1]

    monkeypatch.setattr(live.subprocess, "Popen", popen)
    monkeypatch.setattr(live, "LAST", 0.1)
    with live.watched(tmp_path):
        deadline = time.monotonic() + 60
        while not ready.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert started[0].returncode == -signal.SIGKILL


def test_what_a_program_prints_and_what_people_watch_are_not_mixed(capsys):
    for program in ("hot_page", "mutex_pair"):
        assert guarded(app, ["run", program, "--live", "--json"]) == 2
        assert "--live has no effect with --json" in capsys.readouterr().out
