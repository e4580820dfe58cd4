"""Reads the histograms of a run in mode `timed` out of the mapping, and only those that there are."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from vmconc.analysis.timing import FILE, WHAT, Times, Timing
from vmconc.checks.places import place
from vmconc.coordinator.recorder import both_clocks
from vmconc.locks.classes import CLASS_NAMES, MODE_NAMES
from vmconc.locks.cpu import HELD_SITE_MASK, HELD_SITE_SHIFT, HELD_WHAT_MASK
from vmconc.locks.sites import SITES, site_name
from vmconc.locks.times import LOCKS_FIRST, LONGEST, ROWS, TIMED_SHIFT, WAIT, bin_of

ENDED = ("ended_key", "ended_lock", "ended_ticks")


def leave_times(segment: Any, directory: Path, mode: str, begun: tuple[int, int]) -> None:
    """Write what a run in mode `timed` has timed into its directory; `begun`: both clocks, from before."""
    if mode == "timed":
        (directory / FILE).write_bytes(msgspec.json.encode(collect_times(segment, begun)))


def collect_times(segment: Any, begun: tuple[int, int]) -> Timing:
    """Return what was timed."""
    ended = both_clocks()
    cpus = segment.view("Cpu")
    tick = (ended[1] - begun[1]) / max(1, ended[0] - begun[0])
    sites = sorted(site.name for site in SITES.values())
    waiting = int(np.count_nonzero(cpus["wait_class"]))
    found = Timing(tick, unlisted=int(cpus["unlisted"].sum()), unfinished=waiting, sites=sites)
    for cpu in cpus:
        found.kinds += kinds_of(segment, int(cpu["index"]))
        found.locks += locks_of(segment, int(cpu["index"]))
        add_last(found, segment, cpu)
    return found


def kinds_of(segment: Any, cpu: int) -> Iterator[Times]:
    """Yield a CPU's histograms by site, class and mode."""
    for record in segment.view("Times")[cpu * ROWS : cpu * ROWS + LOCKS_FIRST]:
        if record["key"]:
            yield filled(Times(cpu, *named(int(record["key"]))), record)


def locks_of(segment: Any, cpu: int) -> Iterator[Times]:
    """Yield a CPU's histograms of those locks that were waited for."""
    listed = segment.view("TimedLocks")["lock"][0]
    for number in np.flatnonzero(listed).tolist():
        row = cpu * ROWS + LOCKS_FIRST + 2 * number
        for record in segment.view("Times")[row : row + 2]:
            if record["key"]:
                yield filled(of_lock(cpu, int(record["key"]), place(segment, int(listed[number]))), record)


def of_lock(cpu: int, key: int, lock: str) -> Times:
    """Return the empty histogram of a lock: of all sites and both modes; to hold a token again is to hold it."""
    what, cls, _, _ = named(key)
    return Times(cpu, what.partition(" ")[0], cls, lock=lock)


def filled(times: Times, record: np.void) -> Times:
    """Put what stands in a record into a histogram."""
    times.total, times.most = int(record["total"]), int(record["most"])
    times.bins = {number: int(record["bins"][number]) for number in np.flatnonzero(record["bins"]).tolist()}
    return times


def named(key: int) -> tuple[str, str, str, str]:
    """Return what a key says: what was timed, class, mode and site; only the first, if it stands for all others."""
    cls, mode = divmod(key & HELD_WHAT_MASK, 2)
    if not cls:
        return WHAT[key >> TIMED_SHIFT], "", "", ""
    site = key >> HELD_SITE_SHIFT & HELD_SITE_MASK
    return WHAT[key >> TIMED_SHIFT], CLASS_NAMES[cls], MODE_NAMES[mode], site_name(site) if site else "not known"


def add_last(found: Timing, segment: Any, cpu: np.void) -> None:
    """Count the holds and the wait that a CPU ended last: it does so itself only when more follow."""
    index, listed = int(cpu["index"]), segment.view("TimedLocks")["lock"][0]
    rows = zip(*(cpu[name][: int(cpu["ended"])].tolist() for name in ENDED), strict=True)
    for key, lock, ticks in rows:
        add(found.kinds, Times(index, *named(key)), ticks)
        if lock in listed:
            add(found.locks, of_lock(index, key, place(segment, lock)), ticks)
    if cpu["waited"]:
        key = WAIT << TIMED_SHIFT | int(cpu["waited_site"]) << HELD_SITE_SHIFT | int(cpu["waited_what"])
        add(found.kinds, Times(index, *named(key)), int(cpu["waited"]))
        if found.unlisted and cpu["wait_lock"] not in listed:  # it may have had waits that are in no row
            found.unlisted += 1
        else:
            add(found.locks, of_lock(index, key, place(segment, int(cpu["wait_lock"]))), int(cpu["waited"]))


def add(among: list[Times], new: Times, ticks: int) -> None:
    """Count a duration in the histogram of its kind, which is `new` if there is none yet."""

    def kind(times: Times) -> tuple[object, ...]:
        return times.cpu, times.what, times.cls, times.mode, times.site, times.lock

    times = next((times for times in among if kind(times) == kind(new)), new)
    if times is new:
        among.append(new)
    ticks = min(max(ticks, 0), LONGEST)
    number = int(bin_of(ticks))
    times.total, times.most = times.total + ticks, max(times.most, ticks)
    times.bins[number] = times.bins.get(number, 0) + 1
