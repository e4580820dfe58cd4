"""Fixtures and helpers for tests that need shared memory and several emulated CPUs.

`run_cpus` runs one body per CPU: each in a forked process, which cannot outlive its time, or, with
NUMBA_DISABLE_JIT=1, on the explorer's engine, one at a time.  `orders` does so in many orders there.
"""

import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import numba
import pytest
from helpers_play import Playground, Script  # noqa: F401  declares the structs
from helpers_turns import ORDERS, Turns, turn_tables

from vmconc.locks.classes import MAP_TOKEN, VM_MAP, VM_OBJECT, VNODE
from vmconc.locks.rules import RULES
from vmconc.memory.build import Build
from vmconc.memory.jit import jit_off
from vmconc.memory.segment import Sizes, create

MODE = "controlled" if jit_off() else "counted"
SHM = Path("/dev/shm")
CPUS = 4


def pytest_configure(config) -> None:
    """Register the markers."""
    config.addinivalue_line(
        "markers", "parallel: needs CPUs that really run at the same time; skipped with the JIT off"
    )
    config.addinivalue_line("markers", "slow: takes more than a few seconds")


def pytest_collection_modifyitems(items) -> None:
    """Skip what needs real parallelism when there is none."""
    if jit_off():
        for item in items:
            if item.get_closest_marker("parallel"):
                item.add_marker(pytest.mark.skip(reason="needs real parallelism"))


def children() -> set[str]:
    """Return the process ids of this process's children, zombies too."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@pytest.fixture(scope="session", autouse=True)
def nothing_left_behind():
    """Fail the session if a file of ours stays in /dev/shm or a child process lives on."""
    files, before = set(SHM.iterdir()), children()
    yield
    left = [path for path in set(SHM.iterdir()) - files if "vmconc" in path.name]
    assert not left, f"left in {SHM}: {left}"
    assert children() <= before, "a child process was left behind"


@pytest.fixture
def build_mode() -> str:
    """Return the mode in which several CPUs can run here."""
    return MODE


def make_segment(tables=None, mode=MODE, protocol="", bugs=(), cpus=CPUS, **options):
    """Make a segment with everything that locks need, and `tables` besides."""
    sizes = {"Cpu": cpus, "SleepQueue": 64, "Violation": 64, **(tables or {})}
    if mode == "controlled":
        sizes |= turn_tables(cpus)
    segment = create(Sizes(sizes, options.pop("frames", 0)), Build(mode, protocol, bugs), cpus=cpus, **options)
    segment.table("Scheduler").capacity = 0
    for i in range(cpus):
        segment.nth("Cpu", i).index = i
    return segment


class Play:
    """A segment with one playground, and what a test asks of it."""

    def __init__(self, cpus=CPUS, mode=MODE, tables=None):
        self.segment = make_segment(
            {"Playground": 1, "Script": cpus, "RangeRecord": 64, **(tables or {})}, mode, cpus=cpus
        )
        self.cpus = [self.segment.nth("Cpu", i) for i in range(cpus)]
        self.ground = self.segment.nth("Playground", 0)
        self.machine = self.segment.machine
        ground = self.ground
        ground.map_lock.cls = ground.map_lock2.cls = VM_MAP
        ground.vnode_lock.cls = VNODE
        ground.token.cls = ground.token2.cls = VM_OBJECT
        ground.token3.cls = MAP_TOKEN

    def broken(self) -> list[tuple[str, int]]:
        """Return (rule, CPU) of every violation, in order; more than fit are an error here."""
        count = self.machine.violations
        kept = self.segment.view("Violation")[:count]
        assert len(kept) == count
        return [(RULES[int(v["rule"])][0], int(v["cpu"])) for v in kept]

    def count(self, cpu: int, cls: int, column: int) -> int:
        """Return one counter of one CPU."""
        return self.cpus[cpu].counts[cls * 8 + column]

    def held(self, cpu: int) -> list[tuple[int, int, int]]:
        """Return the held-lock stack of a CPU as (offset, class, mode)."""
        record = self.cpus[cpu]
        return [
            (record.held_lock[i], (record.held_word[i] & 0xFF) >> 1, record.held_word[i] & 1)
            for i in range(record.held_count)
        ]

    def script(self, index: int, steps) -> tuple:
        """Put the steps of CPU `index` into shared memory; return a body for `run_cpus`."""
        from helpers_play import SCRIPT_MAX, act

        assert len(steps) <= SCRIPT_MAX
        script = self.segment.nth("Script", index)
        for i, step in enumerate(steps):
            code, a, b = (*step, 0, 0)[:3]
            script.code[i], script.result[i] = code, 0
            script.a[i], script.b[i] = (value if isinstance(value, int) else value.off for value in (a, b))
        script.length = len(steps)
        return act, self.cpus[index], self.ground, script

    def results(self, index: int) -> list[int]:
        """Return what each step of CPU `index` answered."""
        script = self.segment.nth("Script", index)
        return [script.result[i] for i in range(script.length)]

    def alone(self, index: int, *steps) -> list[int]:
        """Perform steps on CPU `index` in this process; none may block."""
        kernel, *arguments = self.script(index, steps)
        kernel(*arguments)
        return self.results(index)

    def orders(self, *scripts) -> Iterator[list[list[int]]]:
        """Perform one script per CPU, at the same time or in all orders; give the answers of each after each."""
        for _ in orders(self.segment, *[self.script(i, steps) for i, steps in enumerate(scripts)]):
            yield [self.results(i) for i in range(len(scripts))]

    def idle(self) -> None:
        """Assert that every lock of the playground is free, every sleeper gone, every stack empty."""
        ground = self.ground
        words = [ground.map_lock.word, ground.map_lock2.word, ground.vnode_lock.word, ground.token.word]
        words += [ground.token2.word, ground.token3.word, ground.chain.word, ground.busy.word, ground.pip.word]
        assert words == [0] * len(words)
        assert ground.spin.owner == 0
        assert not ground.ranges.head
        assert [cpu.held_count for cpu in self.cpus] == [0] * len(self.cpus)
        assert [cpu.held_classes for cpu in self.cpus] == [0] * len(self.cpus)
        assert [cpu.token_count for cpu in self.cpus] == [0] * len(self.cpus)
        assert [cpu.channel for cpu in self.cpus] == [0] * len(self.cpus)
        assert not self.segment.view("SleepQueue")["head"].any()


@pytest.fixture
def play():
    """Return a fresh playground."""
    return Play()


@pytest.fixture
def lock(play):
    """Return the playground's map lock."""
    return play.ground.map_lock


def compile_body(kernel, *arguments) -> None:
    """Compile a kernel for its arguments without calling it, so that no child has to."""
    if not jit_off() and hasattr(kernel, "compile"):
        kernel.compile(tuple(numba.typeof(argument) for argument in arguments))


def orders(segment, *bodies, count: int = 0, seconds: float = 20) -> Iterator[list]:
    """Run `(function, cpu, argument, ...)` per CPU, once on real CPUs, else in all orders; give what each returned.

    `count`: in so many orders at random, for bodies with too many.  The segment is as the last execution left it, and
    the next one begins with what it was before the first.
    """
    if jit_off():
        turns = Turns(segment, bodies)
        yield from turns.some(count) if count else turns.all(ORDERS)
    else:
        yield run_cpus(segment, *bodies, seconds=seconds)


def run_cpus(segment, *bodies, seconds: float = 20) -> list:
    """Run `(function, cpu, argument, ...)` per CPU; return what each returned (None for one that left by itself).

    Fails if one does not end in time, or not well.
    """
    if jit_off():
        return next(Turns(segment, bodies).some(1))
    for body in bodies:
        compile_body(*body)
    pids, pipes = [], []
    try:
        for number, body in enumerate(bodies):
            reader, writer = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(reader)
                run_child(body, number, writer, seconds)
            os.close(writer)
            pids.append(pid)
            pipes.append(reader)
        answers = [read_answer(reader, seconds) for reader in pipes]
        statuses = reap(pids, seconds)
        assert statuses == [0] * len(pids), f"exit statuses {statuses} (negative: killed by that signal)"
        return answers
    finally:
        for pid in pids:
            kill_and_reap(pid)
        for reader in pipes:
            os.close(reader)


def run_child(body, number: int, writer: int, seconds: float) -> None:
    """Run the body of one process; never return."""
    code = 70
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[number % len(cores)]})
        function, *arguments = body
        answer = function(*arguments)
        os.write(writer, json.dumps(None if answer is None else int(answer)).encode())
        code = 0
    except BaseException:
        code = 71
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def read_answer(reader: int, seconds: float):
    """Read the answer of one process to its end."""
    deadline, text = time.monotonic() + seconds + 5, b""
    while time.monotonic() < deadline:
        if select.select([reader], [], [], 0.5)[0]:
            piece = os.read(reader, 65536)
            if not piece:
                break
            text += piece
    return json.loads(text) if text else None


def reap(pids: list[int], seconds: float) -> list[int]:
    """Wait for processes; return exit statuses, negative signal numbers for the killed."""
    statuses, deadline = [], time.monotonic() + seconds + 5
    for i, pid in enumerate(list(pids)):
        while True:
            done, raw = os.waitpid(pid, os.WNOHANG)
            if done:
                statuses.append(os.waitstatus_to_exitcode(raw))
                pids[i] = 0
                break
            assert time.monotonic() < deadline, f"process {pid} does not end"
            time.sleep(0.0005)
    return statuses


def kill_and_reap(pid: int) -> None:
    """End a process that is still there."""
    if pid:
        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
