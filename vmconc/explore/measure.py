"""What it takes to find each bug of the catalogue, and how small its failure is: `vmconc explore` as a user runs it.

The first process of a bug begins with an empty cache: its time is that of a cold start.  One seed for each process.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from vmconc.coordinator.processes import die_with
from vmconc.explore.bugs import Bug
from vmconc.explore.failure import Failure, breaks, read
from vmconc.memory.jit import jit_off

EXECUTIONS = 20_000  # after which a seed counts as one that did not find it


class Effort(NamedTuple):
    """What one process of `vmconc explore` came to."""

    result: dict[str, Any]
    seconds: float  # from its start to its end
    cpu_seconds: float


class Measured(msgspec.Struct):
    """One bug under one protocol.  Times in seconds; medians are over the seeds."""

    bug: str
    protocol: str
    rule: str  # the one that is to find it
    compiled: bool
    seeds: int
    found: int  # seeds that found it
    by_rule: int  # seeds in which that rule was broken
    executions: float  # median
    most: int  # executions
    cold: float  # from the start of the command, with nothing compiled, until it was found
    cold_cpu: float  # the same in CPU time
    search: float  # median, without making the program and compiling it
    cpus: int  # of the failure made simple, the disk not counted
    operations: int
    preemptions: int
    steps: int
    proven: bool  # no failure of this program has fewer preemptions
    program: str  # in words


def measure(
    cases: list[tuple[Bug, str]], seeds: int, jobs: int, minimise: float, keep: Path | None, note: Callable[[int], None]
) -> list[Measured]:
    """Measure bugs under protocols, `jobs` at a time; their failures are kept in `keep`, if there is such a folder."""
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
    rows: dict[int, Measured] = {}
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {
            pool.submit(measure_bug, bug, protocol, seeds, minimise, keep): i for i, (bug, protocol) in enumerate(cases)
        }
        try:
            for done in as_completed(waiting):
                rows[waiting[done]] = done.result()
                note(len(rows))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [rows[i] for i in range(len(cases))]


def measure_bug(bug: Bug, protocol: str, seeds: int, minimise: float, keep: Path | None) -> Measured:
    """Look for one bug with several seeds; the failure of the first is made simple in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="vmconc-measure-") as folder:
        efforts = [explore(bug, protocol, seed, 0.0, Path(folder)) for seed in range(seeds)]
        simple = explore(bug, protocol, 0, minimise, Path(folder)).result if minimise else efforts[0].result
        if keep and simple["failure"]:
            keep_small(Path(simple["artifact"]), keep / f"{bug.name}-{protocol}.failure.json")
    return summarise(bug, protocol, efforts, simple)


def keep_small(artifact: Path, path: Path) -> None:
    """Keep a failure in one line, without its steps in words."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(msgspec.structs.replace(read(artifact), spoken=[])) + b"\n")


def explore(bug: Bug, protocol: str, seed: int, minimise: float, folder: Path) -> Effort:
    """Run the command with a cache of its own.  Raises RuntimeError with what it said if it could not."""
    command = [
        sys.executable, "-m", "vmconc", "explore", "--bug", bug.name, "--protocol", protocol, "--seed", str(seed),
        "--executions", str(EXECUTIONS), "--minimise", f"{minimise:g}s", "--keep", str(folder / "failures"), "--json",
    ]  # fmt: skip
    environment = {**os.environ, "VMCONC_CACHE": str(folder / "cache")}
    begun = time.monotonic()
    with open(folder / "output", "w+b") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, preexec_fn=partial(die_with, os.getpid())
        )
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - begun
        output.seek(0)
        said = output.read().decode(errors="replace")
    if process.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(command)}: {said}")
    return Effort(json.loads(said)["explored"][0], seconds, usage.ru_utime + usage.ru_stime)


def summarise(bug: Bug, protocol: str, efforts: list[Effort], simple: dict[str, Any]) -> Measured:
    """Put together what the processes found."""
    failures = [msgspec.convert(effort.result["failure"], Failure | None) for effort in efforts]
    executions = [failure.execution if failure else EXECUTIONS + 1 for failure in failures]
    small, failure = simple["small"] or {}, simple["failure"] or {}
    return Measured(
        bug=bug.name, protocol=protocol, rule=bug.rule, compiled=not jit_off(), seeds=len(efforts),
        found=sum(failure is not None for failure in failures),
        by_rule=sum(failure is not None and breaks(failure, bug.rule) for failure in failures),
        executions=statistics.median(executions), most=max(executions),
        cold=efforts[0].seconds, cold_cpu=efforts[0].cpu_seconds,
        search=statistics.median(effort.result["tally"]["seconds"] for effort in efforts),
        cpus=small.get("cpus", 0), operations=len((small.get("written") or {}).get("operations", ())),
        preemptions=failure.get("preemptions", 0), steps=failure.get("steps", 0),
        proven=simple["proven"], program=in_words(small),
    )  # fmt: skip


def in_words(small: dict[str, Any]) -> str:
    """Say the program of a failure."""
    from vmconc.program.written import Written, said

    return said(msgspec.convert(small["written"], Written), small["cpus"]) if small.get("written") else ""
