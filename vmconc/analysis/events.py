"""The events of a run as columns: those of CPU 0 first, in the order in which it made them, and so on."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from vmconc.analysis.unended import BEGUN, unended_run
from vmconc.memory.ring import ACTION_MASK, CLASS_MASK, CLASS_SHIFT, FOLDER, MODE_SHIFT, SITE_MASK, SITE_SHIFT
from vmconc.schedule.steps import (
    STEP_ACQUIRE,
    STEP_DOWNGRADE,
    STEP_LOSE,
    STEP_RELEASE,
    STEP_REOWN,
    STEP_TRIED,
    STEP_UPGRADE,
)

EVENT = np.dtype([("time", "<i8"), ("lock", "<i8"), ("number", "<i8"), ("what", "<i8")])


class RunError(Exception):
    """A directory is no run, or nothing was recorded there."""


@dataclass(frozen=True)
class Events:
    """Columns of the same length; `first[c]` is where the events of CPU c begin."""

    run: dict[str, Any]  # what run.json says
    raw: np.ndarray  # dtype EVENT
    first: np.ndarray

    @cached_property
    def cpu(self) -> np.ndarray:
        """Return the CPU of each event."""
        return np.repeat(np.arange(len(self.first) - 1, dtype=np.uint16), np.diff(self.first))

    @cached_property
    def action(self) -> np.ndarray:
        """Return what was done: one of the STEP_ numbers."""
        return (self.raw["what"] & ACTION_MASK).astype(np.uint8)

    @cached_property
    def cls(self) -> np.ndarray:
        """Return the lock class."""
        return (self.raw["what"] >> CLASS_SHIFT & CLASS_MASK).astype(np.uint8)

    @cached_property
    def mode(self) -> np.ndarray:
        """Return 0 for shared, 1 for exclusive."""
        return (self.raw["what"] >> MODE_SHIFT & 1).astype(np.uint8)

    @cached_property
    def site(self) -> np.ndarray:
        """Return where in the source it was done."""
        return (self.raw["what"] >> SITE_SHIFT & SITE_MASK).astype(np.uint32)

    @cached_property
    def acquired(self) -> np.ndarray:
        """Tell which events are acquisitions; to own a token again after a sleep is none."""
        return np.isin(self.action, (STEP_ACQUIRE, STEP_TRIED))

    @cached_property
    def gain(self) -> np.ndarray:
        """Return 1 where a CPU has one hold of a lock more, -1 where it has one less, else 0."""
        more = np.zeros(256, np.int8)
        more[[STEP_ACQUIRE, STEP_TRIED, STEP_REOWN]] = 1
        more[[STEP_RELEASE, STEP_LOSE]] = -1
        return more[self.action]

    @cached_property
    def gain_exclusive(self) -> np.ndarray:
        """Return the same of exclusive holds only."""
        gain = self.gain * self.mode
        gain[self.action == STEP_UPGRADE] = 1
        gain[self.action == STEP_DOWNGRADE] = -1
        return gain

    @cached_property
    def turn(self) -> np.ndarray:
        """Return what the changes of one lock are ordered by: a gain has the turn after those it came behind."""
        return 2 * self.raw["number"] + ((self.gain < 0) | (self.action == STEP_DOWNGRADE))

    @property
    def cpus(self) -> int:
        """Return how many CPUs there were; of a program about locks each thread has one.  The disk's events follow."""
        return int(self.run.get("cpus") or self.run.get("threads") or len(self.first) - 1)

    @property
    def protocol(self) -> str:
        """Return the protocol; empty: a program about locks was run."""
        return str(self.run.get("protocol", ""))

    @property
    def unended(self) -> str:
        """Return what is missing because the run did not end; empty: it did."""
        return str(self.run.get("unended", ""))

    @property
    def gap(self) -> str:
        """Return why what was held is not known from these events; empty: none is missing between others."""
        if self.lost:
            return f"{self.lost:,} events were lost, and what was held is known only from all of them"
        if self.unended and (self.run.get("options") or {}).get("drop"):
            return "with --when-full drop events may be missing, and how many is known only of a run that has ended"
        return ""

    @property
    def lost(self) -> int:
        """Return how many events were not recorded, as far as that is known."""
        recording = self.run["recording"]
        return sum(recording["dropped"]) + sum(recording["unwritten"])

    @property
    def tick(self) -> float:
        """Return how many ns a tick lasts."""
        (begin, end), (early, late) = self.run["recording"]["ticks"], self.run["recording"]["nanoseconds"]
        return float((late - early) / max(1, end - begin))

    @property
    def wall_nanoseconds(self) -> int:
        """Return how long the run took; of one that did not end, how long it is known to have gone on."""
        if self.unended:
            begin, late = self.run["recording"]["nanoseconds"]
            return int(late - begin)
        return round(self.run["wall_seconds"] * 1e9)

    def nanoseconds(self, ticks: Any) -> Any:
        """Return the ns since the run began that some ticks stand for."""
        return (ticks - self.run["recording"]["ticks"][0]) * self.tick


def read_run(path: Path) -> dict[str, Any]:
    """Return what a run directory says of its run, see `unended_run` if that did not end.

    Raises RunError, naming it, if it is none.
    """
    try:
        if (path / BEGUN).exists() and not (path / "run.json").exists():
            return unended_run(path)
        return msgspec.json.decode((path / "run.json").read_bytes(), type=dict[str, Any])
    except (OSError, KeyError, msgspec.DecodeError, msgspec.ValidationError) as error:
        if (path / FOLDER).is_dir():
            raise RunError(f"{path} has no run.json yet: its run goes on, or was killed as it began") from error
        raise RunError(f"{path} is no run: run.json cannot be read; name a directory below --runs-dir") from error


def load_all(path: Path) -> Events:
    """Return the events of a run directory of which none was lost.  Raises RunError, naming it, if one was."""
    events = load(path)
    if events.gap:
        raise RunError(f"{path}: {events.gap}")
    return events


def load(path: Path) -> Events:
    """Return the events of a run directory.  Raises RunError, naming it, if there are none."""
    run = read_run(path)
    if not run.get("recording"):
        timed = "report, histogram and html read those of --mode timed, too"
        raise RunError(f"{path} has no events; record some with vmconc run --mode recorded ({timed})")
    try:
        return read(path, run)
    except (OSError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise RunError(f"{path} is damaged ({type(error).__name__}: {error}); record again") from error


def read(path: Path, run: dict[str, Any]) -> Events:
    """Return the events of a run directory whose run.json was read."""
    counts = run["recording"]["events"]
    files = [path / FOLDER / f"cpu{index}" for index in range(len(counts))]
    if "unended" not in run:
        counts = [count_of(file, run, index) for index, file in enumerate(files)]
    first = np.concatenate([[0], np.cumsum(counts)])
    if not first[-1] and "unended" in run:
        raise RunError(f"{path} has no events yet: its run goes on, or was killed before the first was written")
    raw = np.empty(first[-1], EVENT)
    for file, begin, end in zip(files, first[:-1], first[1:], strict=True):
        with file.open("rb") as opened:
            opened.readinto(raw[begin:end].view(np.uint8))
    return Events(run, raw, first)


def count_of(file: Path, run: dict[str, Any], index: int) -> int:
    """Return how many events a file has.  Raises RunError if it has fewer than its run has written."""
    recording = run["recording"]
    found = file.stat().st_size // EVENT.itemsize if file.exists() else 0
    written = recording["events"][index] - recording["unwritten"][index]
    if found != written:
        what = "cut short" if found < written else "not that of this run"
        raise RunError(f"{file} is {what}: {found:,} events, {written:,} were written")
    return found
