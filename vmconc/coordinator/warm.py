"""Compiles every kernel of a build before the first fork, and shows on a cold cache how far it is.

A warmed build leaves a marker in the cache directory: how many functions it compiled.  No marker means cold.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from numba.core import event

from vmconc.coordinator.errors import EmulatorError
from vmconc.coordinator.logs import LOGGER
from vmconc.memory.build import Build
from vmconc.memory.jit import CACHE

EXPECTED = 330  # functions of a build when no earlier digest tells


def marker(build: Build) -> Path:
    """Return where it is noted that a build is compiled."""
    return Path(str(CACHE)) / f"warm-{build}"


def is_cold(build: Build) -> bool:
    """Tell whether a build has to be compiled."""
    return CACHE is not None and not marker(build).exists()


def expected(build: Build) -> int:
    """Return how many functions a cold compilation compiles: as many as under the last digest."""
    counts = []
    for path in Path(str(CACHE)).parent.glob(f"*/warm-{build}"):
        with contextlib.suppress(OSError, ValueError):
            counts.append((path.stat().st_mtime, int(path.read_text())))
    return max(counts)[1] if counts else EXPECTED


class Counter(event.Listener):
    """Counts functions as Numba compiles them."""

    def __init__(self, note: Callable[[int], None]):
        self.done, self.note = 0, note

    def on_start(self, event: Any) -> None:
        """Nothing to count yet."""

    def on_end(self, event: Any) -> None:
        """One more is compiled."""
        self.done += 1
        self.note(self.done)


def warm(builds: list[Build], show: bool) -> None:
    """Make every kernel of the builds ready in this process; cold ones compile side by side, one on each core."""
    cold = [build for build in builds if is_cold(build)]
    aside = {build: compile_aside(build) for build in cold[1 : len(os.sched_getaffinity(0))]}
    with progress(cold, show) as note:
        for build in builds:
            if build not in aside:
                warm_one(build, note)
        for build, helper in aside.items():
            wait_for(build, helper)
            warm_one(build, note)


def warm_one(build: Build, note: Callable[[int], None]) -> None:
    """Make the kernels of one build ready in this process."""
    counter = Counter(note)
    with event.install_listener("numba:compile", counter):
        call_kernels(build)
    if is_cold(build):
        marker(build).write_text(str(counter.done))
        LOGGER.info("compiled %d functions of %s", counter.done, build)


def call_kernels(build: Build) -> None:
    """Run a machine with one CPU that has nothing to do: it goes through every kernel's compiler."""
    from vmconc.coordinator.machine import empty_machine
    from vmconc.vm.disk import disk_complete, disk_wait
    from vmconc.vm.run import run_cpu

    segment = empty_machine(build)
    segment.machine.go = 1
    run_cpu(segment.nth("Cpu", 0))
    disk = segment.nth("Cpu", 1)
    disk_wait(disk, 0)
    disk_complete.compile(tuple(disk_complete.typeof_pyval(value) for value in (disk, 0, 0)))


def compile_aside(build: Build) -> int:
    """Compile a build in a child process; return its pid.

    The child logs nothing: it ends without waiting for its records to be sent, and the log would wait for them.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    LOGGER.disabled = True
    status = 1
    try:
        warm_one(build, lambda done: None)
        status = 0
    finally:
        os._exit(status)


def wait_for(build: Build, pid: int) -> None:
    """Wait for a helper.  If it failed, compiling here will show why."""
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        raise EmulatorError(f"compiling {build} was killed by signal {os.WTERMSIG(status)}")


@contextlib.contextmanager
def progress(cold: list[Build], show: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error while something compiles."""
    if not cold or not show:
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    names = " and ".join(dict.fromkeys(build.protocol for build in cold))
    if not sys.stderr.isatty():
        print(f"compiling {names}: first run of this version, up to a minute", file=sys.stderr, flush=True)
        yield lambda done: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("functions"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"compiling {names} (first run of this version)", total=expected(cold[0]))
        yield lambda done: bar.update(task, completed=done)
