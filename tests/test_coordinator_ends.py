"""However a run ends, it ends in bounded time, says who held what, and leaves no process and no shared memory."""

import gc
import json
import os
import signal
import time

import pytest
from helpers_runs import (
    SHARED_FILE,
    alive,
    await_gone,
    await_workers,
    deadlocked,
    run,
    start_command,
    zero_fill,
)

from vmconc.checks.held import held_locks
from vmconc.locks.cpu import STATE_BLOCKED
from vmconc.memory.build import Build
from vmconc.memory.segment import Segment

pytestmark = pytest.mark.parallel


@pytest.fixture
def slow_run(tmp_path):
    """Start a run in which cpu0 holds a page during a read of a minute and cpu1 waits for that page."""
    program = tmp_path / "shared_file.py"
    program.write_text(SHARED_FILE)
    process = start_command(
        tmp_path, "run", str(program), "--cpus", "2", "--frames", "4096", "--io-latency", "60s", "--json"
    )
    pids: dict[str, int] = {}
    try:
        pids.update(await_workers(process, 2))
        await_page_wait(tmp_path, 2)
        yield process, pids
    finally:
        process.kill()
        process.communicate()
        assert await_gone(pids.values()), "a worker outlived its coordinator"


def await_page_wait(tmp_path, count, seconds=30):
    """Wait, by the CPUs' own records, until all sleep and one of them holds the page: it stays so during the read."""
    (live,) = (tmp_path / "runs").glob("*/live.json")
    found = json.loads(live.read_text())
    fd = os.open(found["path"], os.O_RDWR)  # not by `attach`: the tests' own structs change this process's digest
    segment = Segment(fd, os.fstat(fd).st_size, Build(found["mode"], found["protocol"]))
    cpus = [segment.nth("Cpu", i) for i in range(count)]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        holders = [cpu for cpu in cpus if any(lock["class"] == "vm_page" for lock in held_locks(segment, cpu))]
        if len(holders) == 1 and all(cpu.state == STATE_BLOCKED and cpu.channel for cpu in cpus):
            return
        time.sleep(0.01)
    raise AssertionError("the CPUs did not come to wait for the page")


def finish(process, seconds=10):
    """Return (seconds taken, exit code, answer) of a run that is about to end."""
    begun = time.monotonic()
    out, _ = process.communicate(timeout=seconds)
    return time.monotonic() - begun, process.returncode, json.loads(out)


def test_a_killed_worker_is_reported_with_what_it_held(slow_run):
    process, pids = slow_run
    os.kill(pids["cpu0"], signal.SIGKILL)
    taken, code, answer = finish(process)
    assert code == 4 and taken < 5
    ending = answer["ending"]
    assert "cpu0" in ending["message"] and "SIGKILL" in ending["message"]
    holders = {cpu["cpu"] for cpu in ending["cpus"] if "vm_page" in [lock["class"] for lock in cpu["held"]]}
    assert len(holders) == 1  # one reads the page in, the other waits for it: which is which is a race
    assert [(edge["from"], edge["to"]) for edge in ending["wait_for"]] == [(1 - cpu, cpu) for cpu in holders]
    assert await_gone(pids.values())


def test_a_killed_disk_is_reported(slow_run):
    process, pids = slow_run
    os.kill(pids["disk"], signal.SIGKILL)
    taken, code, answer = finish(process)
    assert code == 4 and taken < 5 and "disk" in answer["ending"]["message"]
    assert await_gone(pids.values())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_stop_gives_the_partial_report(slow_run, number):
    process, pids = slow_run
    process.send_signal(number)
    taken, code, answer = finish(process)
    assert code == 130 and taken < 5
    assert answer["ending"]["reason"] == "interrupted" and answer["locks"]["vm_map"]["shared"] > 0
    assert await_gone(pids.values())


def test_a_killed_coordinator_takes_its_workers_and_its_memory_along(slow_run):
    process, pids = slow_run
    assert all(alive(pid) for pid in pids.values())
    with open(f"/proc/{pids['cpu0']}/maps") as maps:
        ours = [line for line in maps if "/dev/shm/#" in line]
    assert ours and all("(deleted)" in line for line in ours)
    process.kill()
    process.wait(timeout=5)
    assert await_gone(pids.values())


def test_the_live_file_leads_to_the_mapping(slow_run, tmp_path):
    process, _ = slow_run
    (live,) = (tmp_path / "runs").glob("*/live.json")
    found = json.loads(live.read_text())
    assert found["pid"] == process.pid and os.path.exists(found["path"])


def test_a_deadlock_is_reported_at_once_with_its_cycle(tmp_path):
    begun = time.monotonic()
    result = run(deadlocked(), tmp_path, stall=60.0)
    assert time.monotonic() - begun < 30
    assert result.exit_code == 3 and "deadlock" in result.ending.message
    assert sorted(result.ending.cycle) == [0, 1]
    assert result.ending.report[0].startswith("cycle of 2: cpu ")
    assert sum("-- up to --> cpu " in line and line.endswith("   in the cycle") for line in result.ending.report) == 2


def test_a_pool_that_runs_out_names_the_option(tmp_path):
    result = run(zero_fill(pages=64, lwps=2), tmp_path, frames=40)
    assert result.exit_code == 3 and "raise --frames" in result.ending.message


def test_slow_io_is_no_deadlock(tmp_path):
    from helpers_runs import shared_file

    result = run(shared_file(spaces=2, pages=1), tmp_path, io_latency=400_000_000, stall=0.1)
    assert result.ending.reason == "done" and result.exit_code == 0


def test_the_time_limit_ends_a_run_with_its_counts(tmp_path):
    from helpers_runs import shared_file

    result = run(shared_file(), tmp_path, io_latency=60 * 10**9, time_limit=0.3)
    assert result.ending.reason == "time limit" and result.exit_code == 0
    assert 0.3 <= result.wall_seconds < 5


def test_a_stopped_worker_is_a_stall(tmp_path):
    program = tmp_path / "shared_file.py"
    program.write_text(SHARED_FILE)
    process = start_command(
        tmp_path,
        "run",
        str(program),
        "--cpus",
        "1",
        "--frames",
        "4096",
        "--io-latency",
        "4s",
        "--stall",
        "0.5",
        "--json",
    )
    pids = await_workers(process, 1)
    await_page_wait(tmp_path, 1)
    os.kill(pids["disk"], signal.SIGSTOP)
    taken, code, answer = finish(process, 20)
    assert code == 3 and "stall" in answer["ending"]["message"]
    assert taken < 10 and await_gone(pids.values())


def shared_memory():
    """Return this process's mappings and open files of shared memory."""
    with open("/proc/self/maps") as maps:
        mapped = {(line.split()[0], line.split()[4]) for line in maps if "/dev/shm/" in line}
    return mapped | {(fd, target(fd)) for fd in os.listdir("/proc/self/fd") if "/dev/shm/" in target(fd)}


def test_no_run_leaves_shared_memory(tmp_path):
    for _ in range(3):
        run(zero_fill(), tmp_path)
    gc.collect()  # semaphores of the log's queues, and what earlier tests made, may lie in cycles
    assert shared_memory() == set()


def target(fd):
    """Return what a descriptor of this process leads to."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""
