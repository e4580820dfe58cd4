"""Plans and helpers for tests that run the process engine; every run is bounded and leaves nothing."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil

from vmconc.coordinator.options import RunOptions
from vmconc.coordinator.single import run_once
from vmconc.program.builder import PlanBuilder
from vmconc.program.plan import WAIT_DTYPE
from vmconc.vm.opcodes import MAP_SHARED, PROT_READ, PROT_WRITE

PAGE = 4096
BASE = 0x4000_0000
PROTOCOL = "backing"

SHARED_FILE = f'''"""Two spaces read one page of a file: the first reads it in, the second waits for the page."""
OPTIONS = {{}}


def program(build, cpus, options):
    file = build.file("data", 4)
    for number in range(cpus):
        lwp = build.spawn()
        build.mmap(lwp, {BASE}, 4 * {PAGE}, {PROT_READ}, {MAP_SHARED}, file)
        build.touch(lwp, {BASE})
'''


def options(tmp_path, **changed) -> RunOptions:
    """Return options for a small run."""
    return RunOptions(**{"cpus": 2, "frames": 4096, "runs": tmp_path / "runs", **changed})


def zero_fill(pages=64, lwps=2):
    """Return a plan in which every LWP writes fresh pages."""
    build = PlanBuilder("test-zero")
    for _ in range(lwps):
        lwp = build.spawn()
        build.mmap(lwp, BASE, pages * PAGE, PROT_READ | PROT_WRITE, 0)
        for page in range(pages):
            build.touch(lwp, BASE + page * PAGE, write=True)
        build.exit_(lwp)
    return build.finish()


def shared_file(spaces=2, pages=1):
    """Return a plan in which every space reads the same pages of a file."""
    build = PlanBuilder("test-file")
    file = build.file("data", 4 + pages)
    for _ in range(spaces):
        lwp = build.spawn()
        build.mmap(lwp, BASE, (4 + pages) * PAGE, PROT_READ, MAP_SHARED, file)
        for page in range(pages):
            build.touch(lwp, BASE + page * PAGE)
    return build.finish()


def deadlocked():
    """Return a plan whose two LWPs wait for one another."""
    plan = zero_fill(pages=4)
    plan.waits = np.array([(1, 99), (0, 99)], dtype=WAIT_DTYPE)
    for number, lwp in enumerate((0, 1)):
        last = np.flatnonzero(plan.ops["lwp"] == lwp)[-1]
        plan.ops["wait_first"][last], plan.ops["wait_count"][last] = number, 1
    return plan


def run(plan, tmp_path, protocol=PROTOCOL, **changed):
    """Run a plan."""
    return run_once(plan, protocol, options(tmp_path, **changed))


def start_command(tmp_path: Path, *arguments: str) -> subprocess.Popen:
    """Start `vmconc ARGUMENTS` in a directory of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "vmconc", *arguments],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def await_workers(process: subprocess.Popen, count: int, seconds: float = 60) -> dict[str, int]:
    """Wait until a run's processes exist; return the pids of its children by role: cpu0, cpu1, ..., disk."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        children = psutil.Process(process.pid).children()
        if len(children) == count + 1 and all(child.cpu_times().system >= 0 for child in children):
            ordered = sorted(child.pid for child in children)
            return {**{f"cpu{i}": pid for i, pid in enumerate(ordered[:-1])}, "disk": ordered[-1]}
        time.sleep(0.02)
    raise AssertionError("the run did not begin")


def alive(pid: int) -> bool:
    """Tell whether a process exists and is no zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def await_gone(pids, seconds: float = 5) -> bool:
    """Wait until none of the processes lives."""
    deadline = time.monotonic() + seconds
    while any(alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
