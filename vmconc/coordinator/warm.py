"""Makes every kernel of a build ready before the first fork, and shows on a cold cache how far it is.

Cold builds are compiled by processes of their own, and loaded from the cache like all others: code runs up to a tenth
slower in a process that has compiled it itself, and a first run shall not differ from those after it.

A compiled build leaves a marker in the cache directory: how many functions that took.  No marker means cold.
"""

import contextlib
import mmap
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
from numba.core import event

from vmconc.coordinator.errors import EmulatorError
from vmconc.coordinator.logs import LOGGER
from vmconc.coordinator.processes import LOOK, finish, start
from vmconc.memory.build import Build
from vmconc.memory.jit import CACHE

EXPECTED = 420  # functions of a build when no earlier digest tells


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

    def __init__(self, count: np.ndarray):
        self.count = count

    def on_start(self, event: Any) -> None:
        """Nothing to count yet."""

    def on_end(self, event: Any) -> None:
        """One more is compiled."""
        self.count[0] += 1


def warm(builds: list[Build], show: bool) -> None:
    """Make every kernel of the builds ready in this process."""
    if cold := [build for build in builds if is_cold(build)]:
        compile_all(cold, show)
    for build in builds:
        call_kernels(build)


def compile_all(cold: list[Build], show: bool) -> None:
    """Compile builds side by side, one on each core.  If one fails, loading it will show why.

    Raises EmulatorError if a process that compiles is killed.
    """
    counts = np.frombuffer(mmap.mmap(-1, 8 * len(cold)), dtype=np.int64)  # functions compiled, by build
    crew: list[BaseProcess] = []
    try:
        with progress(cold, show) as note:
            while len(crew) < len(cold) or alive(crew):
                if len(crew) < len(cold) and len(alive(crew)) < len(os.sched_getaffinity(0)):
                    build, count = cold[len(crew)], counts[len(crew) :]
                    crew.append(start(str(build), None, partial(compile_one, build, count)))
                wait([process.sentinel for process in alive(crew)], LOOK)
                note(int(counts.sum()))
    finally:
        finish(crew, grace=0.0)
    for process in crew:
        if process.exitcode is not None and process.exitcode < 0:
            raise EmulatorError(f"compiling {process.name} was killed by signal {-process.exitcode}")


def alive(crew: list[BaseProcess]) -> list[BaseProcess]:
    """Return the processes that have not ended."""
    return [process for process in crew if process.exitcode is None]


def compile_one(build: Build, count: np.ndarray) -> None:
    """Compile one build into the cache, and count in `count[0]` what is done."""
    with event.install_listener("numba:compile", Counter(count)):
        call_kernels(build)
    marker(build).write_text(str(count[0]))
    LOGGER.info("compiled %d functions of %s", count[0], build)


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
        task = bar.add_task(f"compiling {names} (first run of this version)", total=sum(map(expected, cold)))
        yield lambda done: bar.update(task, completed=done)
