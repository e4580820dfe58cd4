"""A program about locks on worker processes, one for each thread, all really parallel: rounds from its beginning."""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from vmconc.analysis.checked import Checked
from vmconc.checks.violations import inline_violations
from vmconc.coordinator import facts
from vmconc.coordinator.collect import lock_counts, order_edges
from vmconc.coordinator.delays import delays_of, lay_out_delays
from vmconc.coordinator.engine import said
from vmconc.coordinator.errors import UsageError
from vmconc.coordinator.logs import Log
from vmconc.coordinator.options import RunOptions
from vmconc.coordinator.processes import finish, start
from vmconc.coordinator.recorder import Recording, both_clocks, recorder_of
from vmconc.coordinator.result import Ending, Locks, broken_in
from vmconc.coordinator.rundir import RunDirectory
from vmconc.coordinator.signals import StopRequests
from vmconc.coordinator.timing import leave_times
from vmconc.coordinator.validate import leave
from vmconc.coordinator.watch import Watch
from vmconc.coordinator.worker import BEGUN, ENDED, Clocks
from vmconc.explore.failure import text
from vmconc.explore.laboratory import address_of
from vmconc.explore.lockprogram import begin_with, declared_by, load_file, make_segment
from vmconc.locks.cpu import STATE_DONE, STATE_RUNNING
from vmconc.locks.rounds import await_round, await_start, begin_threads, end_thread, next_round
from vmconc.locks.rules import MESSAGES
from vmconc.locks.times import times_tables
from vmconc.memory.jit import why_off
from vmconc.memory.rings import lay_out_rings, ring_tables
from vmconc.memory.struct import STRUCTS


class LockRun(msgspec.Struct):
    """What came of it."""

    program: str
    threads: int
    mode: str
    rounds: int = 0  # that were finished
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    locks: dict[str, Locks] = {}
    order: list[tuple[str, str]] = []
    violations: list[str] = []
    ending: Ending = msgspec.field(default_factory=Ending)
    recording: Recording | None = None
    checked: Checked | None = None
    run_dir: str = ""
    settings: dict[str, int] = {}  # options of the program's file
    options: dict[str, Any] = {}
    machine: dict[str, Any] = {}
    versions: dict[str, str] = {}

    @property
    def exit_code(self) -> int:
        """Return the exit code the run deserves."""
        return self.ending.exit_code or int(bool(self.violations or broken_in(self.checked)))


def run_locks(path: str, given: dict[str, int], rounds: int, options: RunOptions, show: bool = False) -> LockRun:
    """Run the program's threads side by side for so many rounds, or until one fails, and leave `run.json`.

    Raises ProgramError if the file is no such program, and UsageError without compiled code.
    """
    if why := why_off():
        raise UsageError(f"{why}: there are no worker processes without compiled code; vmconc explore needs none")
    module = load_file(Path(path), given)
    with ExitStack() as opened:
        directory = RunDirectory(options.runs, Path(path).stem)
        opened.callback(lambda: directory.close(options.keep))
        opened.callback(Log(directory.path / "log.txt").close)
        segment, works = prepare(module, rounds, options)
        directory.announce(segment.fd, "", options.mode, program=(str(Path(path).resolve()), given))
        known = partial(known_of, Path(path).stem, len(works), options, given, directory)
        result = conduct(segment, works, options, directory, known)
        leave(directory, result, options, show)
        return result


def prepare(module: ModuleType, rounds: int, options: RunOptions) -> tuple[Any, list[Any]]:
    """Return the mapping and, of each thread, what its process does; everything is compiled."""
    from vmconc.concurrent import LATER

    declared, threads, last = declared_by(module)
    tables = {declared.struct: 2, "Thread": len(threads), "Rounds": 1, "Violation": MESSAGES}
    if options.mode == "recorded":
        tables |= ring_tables(len(threads), options.ring)
    if options.mode == "timed":
        tables |= times_tables(len(threads))
    asked = delays_of(options.delays)
    segment = make_segment(tables | {"Delay": len(asked)}, options.build(), len(threads))
    lay_out_delays(segment, asked)
    lay_out_rings(segment, options.ring, not options.drop)
    segment.machine.fail_fast = 1
    for index in LATER.get(module.__name__, []):
        segment.nth("Thread", index).later = 1
    root = segment.nth(declared.struct, 0)
    for copy in (root, segment.nth(declared.struct, 1)):
        begin_with(copy, declared)
    lay_out(segment, declared.struct, rounds)
    for body in {*threads, *([last] if last else [])}:
        address_of(body, segment.nth("Cpu", 0), root)
    compile_rounds(segment.nth("Cpu", 0))
    return segment, [partial(work, segment, index, body, last, root) for index, body in enumerate(threads)]


def lay_out(segment: Any, struct: str, rounds: int) -> None:
    """Lay out the first round."""
    record = segment.nth("Rounds", 0)
    record.shared, record.first = (segment.nth(struct, copy).off for copy in (0, 1))
    record.bytes, record.number, record.last = STRUCTS[struct].stride, 1, rounds
    record.working = begin_threads(record)


def compile_rounds(cpu: Any) -> None:
    """Compile what the workers call."""
    for called in (await_round, await_start):
        address_of(called, cpu, 1)
    for called in (end_thread, next_round):
        address_of(called, cpu)


def work(segment: Any, index: int, body: Any, last: Any, root: Any, clocks: Clocks) -> None:
    """Be one thread, round after round; who ends one as the last runs what comes last."""
    cpu, later, number = segment.nth("Cpu", index), segment.nth("Thread", index).later, 1
    cpu.pid, cpu.state = os.getpid(), STATE_RUNNING
    times = clocks.times[index]
    times[BEGUN] = time.process_time_ns()
    while await_round(cpu, number):
        if not later or await_start(cpu, number):
            body(cpu, root)
            if end_thread(cpu):
                if last:
                    last(cpu, root)
                next_round(cpu)
        number += 1
    cpu.state = STATE_DONE
    times[ENDED] = time.process_time_ns()


def known_of(
    program: str, threads: int, options: RunOptions, given: dict[str, int], directory: RunDirectory
) -> dict[str, Any]:  # fmt: skip
    """Return what a result says that is known before the run."""
    return {
        "program": program, "threads": threads, "mode": options.mode, "run_dir": str(directory.path),
        "settings": given, "options": said(options), "machine": facts.machine(), "versions": facts.versions(),
    }  # fmt: skip


def conduct(
    segment: Any, works: list[Any], options: RunOptions, directory: RunDirectory, known: Callable[[], dict[str, Any]]
) -> LockRun:
    """Start a process for each thread, watch them, and collect.  No process is left."""
    clocks, crew = Clocks(), []
    begun, both = time.monotonic(), both_clocks()
    try:
        with StopRequests() as requests:
            crew += [start(f"thread{index}", index, partial(body, clocks)) for index, body in enumerate(works)]
            with recorder_of(segment, directory, options.mode, both, known) as recorder:
                ending = Watch(segment, crew, [], options, requests).until_end()
                seconds = time.monotonic() - begun
                spent = sum(clocks.spent([process.pid or 0 for process in crew])) / 1e9
                finish(crew, insisted=lambda: requests.count > 1)
                recording = recorder.close() if recorder else None
            leave_times(segment, directory.path, options.mode, both)
    finally:
        finish(crew, grace=0.0)
    cpus = segment.view("Cpu")
    return LockRun(
        **known(), rounds=segment.nth("Rounds", 0).number - 1, wall_seconds=seconds, cpu_seconds=spent,
        locks=lock_counts(cpus), order=order_edges(cpus),
        violations=[text(violation) for violation in inline_violations(segment)], ending=ending, recording=recording,
    )  # fmt: skip
