"""Looks at a run that goes on, from another process: who holds what and who waits for whom, read without a lock."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from vmconc.coordinator import deadlock
from vmconc.coordinator.errors import UsageError
from vmconc.coordinator.rundir import is_live
from vmconc.coordinator.stuck import CONFIRM
from vmconc.coordinator.wait_graph import say
from vmconc.memory.build import Build
from vmconc.memory.segment import SegmentError, attach
from vmconc.protocols import load_protocol
from vmconc.vm import boot, run  # noqa: F401 (declare what a machine consists of, and where its CPUs wait)

LIVE = "live.json"
Declare = Callable[[str, dict[str, int]], object]  # file, options


class Dump(msgspec.Struct):
    """A run at one instant.  CPUs go on meanwhile, so what stands in two records may be of two instants."""

    run_dir: str
    pid: int  # of the coordinator
    cpus: list[dict[str, Any]]
    wait_for: list[dict[str, Any]]
    cycle: list[int]  # CPUs that wait for one another, in order
    victims: list[int]  # CPUs that wait for one of those
    lines: list[str]  # the same for people


class LiveRun(NamedTuple):
    """A run that goes on, as another process sees it."""

    segment: Any
    directory: Path
    pid: int  # of the coordinator

    @property
    def over(self) -> bool:
        """Tell whether it has ended since, or was killed."""
        return read_live(self.directory) is None


def dump(what: str, runs: Path, declare: Declare) -> Dump:
    """Describe the live run in a directory, or that of a coordinator's pid.  Raises UsageError as `find_live`."""
    found = find_live(what, runs, declare)
    return described(found.segment, found.directory, found.pid)


def find_live(what: str, runs: Path, declare: Declare) -> LiveRun:
    """Open the live run in a directory, or that of a coordinator's pid; `declare` imports a program about locks.

    Raises UsageError if there is none that can be looked at.
    """
    directory = of_pid(int(what), runs) if what.isdecimal() else Path(what)
    live = read_live(directory)
    if live is None:
        raise UsageError(f"{directory} is no run that goes on; name one below --runs-dir that has {LIVE}")
    load_protocol(live["protocol"]) if live["protocol"] else declare(*live["program"])
    try:
        segment = attach(Path(live["path"]), Build(live["mode"], live["protocol"], tuple(live["bugs"])))
    except SegmentError as error:
        raise UsageError(f"{directory}: {error}") from error
    return LiveRun(segment, directory, live["pid"])


def read_live(directory: Path) -> dict[str, Any] | None:
    """Return how to reach the run in a directory; None: there is none, it has ended, or it was killed."""
    try:
        live = json.loads((directory / LIVE).read_text())
    except (OSError, ValueError):
        return None
    return live if isinstance(live, dict) and is_live(directory) else None


def of_pid(pid: int, runs: Path) -> Path:
    """Return the directory of the run that a process coordinates.  Raises UsageError if there is none."""
    for path in sorted(runs.glob(f"*/{LIVE}")):
        live = read_live(path.parent)
        if live and live["pid"] == pid:
            return path.parent
    raise UsageError(f"{pid} coordinates no run below {runs}; name the process that vmconc run started, or --runs-dir")


def described(segment: Any, directory: Path, pid: int) -> Dump:
    """Describe a machine as it stands; a cycle is one if it is still there, unchanged, when looked at again."""
    found = deadlock.describe(segment)
    if found["cycle"]:
        time.sleep(CONFIRM)
        again = deadlock.describe(segment)
        if again["cycle"] != found["cycle"] or moved(found, again):
            found = {**again, "cycle": [], "victims": []}
    return Dump(str(directory), pid, **found, lines=say(found))


def moved(found: dict[str, Any], again: dict[str, Any]) -> bool:
    """Tell whether a CPU of a cycle has done anything between two looks."""
    return any(found["cpus"][cpu]["progress"] != again["cpus"][cpu]["progress"] for cpu in found["cycle"])
