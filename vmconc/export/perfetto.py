"""Perfetto's trace format: a process for each CPU, with tracks for operations, page-ins, waiting, and locks held.

An arrow leads from a release to the next acquisition of the lock, if that is another CPU's: next by the counts that the
events carry, not by clocks.  Times begin with the first event.  Holds that overlap get tracks of their
own, for slices of one track would be taken for nested.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.grouping import cpu_name
from vmconc.analysis.names import site_name
from vmconc.analysis.spans import Spans, holds, waits
from vmconc.analysis.tracks import Track, left_out, tracks
from vmconc.export.perfetto_packets import Arrows, Names, Slices, encoded

AT_ONCE = 1 << 16  # slices


def write_perfetto(events: Events, out: BinaryIO, say: Callable[[str], None]) -> list[str]:
    """Write a trace; `say` is told how far it is.  Returns what there is to say about it."""
    say("finding what was held, and who gave what to whom")
    held, waited = holds(events), waits(events)
    arrows = find_arrows(events, held)
    early = int(events.raw["time"].min()) if len(events.raw) else 0
    done = 0
    titles, found = tracks(events, held, waited)
    for slices in all_slices(events, out, titles, found):
        for start in range(0, len(slices.begin), AT_ONCE):
            some = part(slices, slice(start, start + AT_ONCE))
            begin, end = (times(events, places, early) for places in (some.begin, some.end))
            out.write(encoded(some, arrows, begin, end))
            done += len(some.begin)
            say(f"{done:,} slices written")
    left = left_out(events, found)
    notes = [f"{done:,} slices, {np.count_nonzero(arrows.begins):,} arrows"]
    return [*notes, f"left out: {left:,} operations, page-ins, waits and holds that did not end"] if left else notes


def find_arrows(events: Events, held: Spans) -> Arrows:
    """Find each acquisition of a lock that another CPU was the last to give up."""
    rows = np.flatnonzero(events.gain)
    rows = rows[np.lexsort((events.turn[rows], events.cls[rows], events.raw["lock"][rows]))]
    before, after = rows[:-1], rows[1:]
    handed = (events.raw["lock"][before] == events.raw["lock"][after]) & (events.cls[before] == events.cls[after])
    handed &= (events.gain[before] < 0) & (events.gain[after] > 0) & (events.cpu[before] != events.cpu[after])
    handed &= within(held.end, before) & within(held.begin, after)
    arrows = Arrows(np.zeros(len(events.raw), np.int64), np.zeros(len(events.raw), np.int64))
    arrows.begins[before[handed]] = arrows.ends[after[handed]] = before[handed] + 1
    return arrows


def within(places: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Tell which places are among others."""
    among = np.zeros(max(places.max(initial=0), asked.max(initial=0)) + 1, bool)
    among[places] = True
    found: np.ndarray = among[asked]
    return found


def all_slices(events: Events, out: BinaryIO, titles: list[str], found: list[Track]) -> Iterator[Slices]:
    """Yield the slices of every track, in the order of time, after writing what their numbers mean."""
    sites = np.unique(np.concatenate([[0], *(track.spans.site for track in found)]))
    names = Names(out, [site_name(events, site) for site in sites[1:].tolist()])
    numbers = names.name(titles)
    processes = [names.process(cpu + 1, cpu_name(events, cpu)) for cpu in range(len(events.first) - 1)]
    for track in found:
        spans, number = track.spans, names.track(processes[track.cpu], track.name)
        site = np.searchsorted(sites, spans.site)
        yield Slices(spans.begin, spans.end, np.full(len(site), number), numbers[track.title], site)


def part(slices: Slices, rows: slice) -> Slices:
    """Return some of the slices."""
    return Slices(slices.begin[rows], slices.end[rows], slices.track[rows], slices.name[rows], slices.site[rows])


def times(events: Events, places: np.ndarray, early: int) -> np.ndarray:
    """Return the times of events, in whole ns since the first one."""
    since = events.nanoseconds(events.raw["time"][places]) - events.nanoseconds(early)
    whole: np.ndarray = np.rint(since).astype(np.int64)
    return whole
