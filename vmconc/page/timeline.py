"""The timeline: what share of each stretch of the run every CPU spent with what, and windows in which spans are seen.

A window is drawn with at most so many shapes, however much happened in it: what is closer together than can be told
apart there is one shape, which says how many it stands for.
"""

import numpy as np

from vmconc.analysis.grouping import cpu_name
from vmconc.analysis.heat import edges_of, lasted_until
from vmconc.analysis.rows import percent
from vmconc.page.activity import ENDLESS, LANES, OPERATION, PAGE_IN, WAIT, Activity, activity
from vmconc.page.figures import lasting
from vmconc.page.parts import Choice, Heat, Lines, Part, Section, Spans
from vmconc.page.recorded import Recorded

BINS = 200
SHAPES = 3000  # in a window
FINEST, COARSEST = 800, 50  # parts of a window that are told apart
LONGEST = 4  # windows around the longest waits
AROUND = 3  # times as long as the wait
SHARES = {OPERATION: "in operations", PAGE_IN: "reading pages", WAIT: "waiting"}
TEXT = "Drag across a chart to see part of it larger, double-click to go back. Time begins with a CPU's first event."
Window = tuple[str, int, int]  # name, from and to which tick


def timeline(run: Recorded) -> Section:
    """Return the whole run, and windows around its beginning and its longest waits."""
    found = activity(run)
    whole = window(run, found, *run.shown)
    if not whole.spans:
        return Section("timeline", "Timeline", TEXT, [Choice("", [Lines(["Nothing lasted."])])])
    spread = shares(run, found)
    parts: list[Part] = [*doubts(run, found), *([spread] if spread.names else []), whole]
    choices = [Choice("whole run", parts)]
    choices += [Choice(name, [window(run, found, begin, end)]) for name, begin, end in windows(run, found)]
    return Section("timeline", "Timeline", TEXT, choices)


def doubts(run: Recorded, found: Activity) -> list[Lines]:
    """Return what is not sure of what is drawn."""
    if not run.events.gap or not found.endless.any():
        return []
    return [Lines([f"What is shown as {ENDLESS} may have: {run.events.gap}."], "note")]


def windows(run: Recorded, found: Activity) -> list[Window]:
    """Return where to look closer: at the beginning, if the run is long, and at the longest waits."""
    (first, last), events = run.shown, run.events
    told: list[Window] = []
    if len(found.lane) > SHAPES:
        told.append(("the beginning", first, int(np.sort(found.from_tick)[SHAPES // 4])))
    waited = np.flatnonzero(found.kind == WAIT)
    lasted = found.to_tick[waited] - found.from_tick[waited]
    seen: list[tuple[int, int]] = []
    for at in np.argsort(-lasted, kind="stable")[: 50 * LONGEST].tolist():
        begin, length = int(found.from_tick[waited[at]]), int(lasted[at])
        if not length or any(low <= begin < high for low, high in seen) or len(seen) == LONGEST:
            continue
        low, high = max(first, begin - length), min(last, begin + (AROUND - 1) * length)
        seen.append((low, high))
        cpu = int(found.lane[waited[at]]) // LANES
        told.append((f"wait of {lasting(length * events.tick)} by {cpu_name(events, cpu)}", low, high))
    return told


def shares(run: Recorded, found: Activity) -> Heat:
    """Return what share of its time each CPU spent with what."""
    first, last = run.shown
    edges = edges_of(first, last, BINS)
    names, values = [], []
    kinds = [kind for kind in SHARES if (found.kind == kind).any()]
    for cpu in range(run.events.cpus):
        for kind in kinds:
            low, high = (np.searchsorted(found.lane, cpu * LANES + kind, side) for side in ("left", "right"))
            past = lasted_until(found.from_tick[low:high], edges) - lasted_until(found.to_tick[low:high], edges)
            names.append(f"{cpu_name(run.events, cpu)} {SHARES[kind]}")
            values.append(np.nan_to_num(percent(np.diff(past), np.diff(edges))).tolist())
    width = (last - first) / BINS * run.events.tick
    return Heat(0, width / 1e6, names, values, "% of the CPU's time", f"each column is {lasting(width)}")


def window(run: Recorded, found: Activity, begin: int, end: int) -> Spans:
    """Return the spans of a stretch of time, as many as can be drawn."""
    rows = np.flatnonzero((found.from_tick < end) & (found.to_tick > begin))
    parts = FINEST
    apart = 0 if len(rows) <= SHAPES else (end - begin) // parts
    starts = blocks(found, rows, apart)
    while len(starts) > SHAPES and parts > COARSEST:
        parts //= 2
        apart = (end - begin) // parts
        starts = blocks(found, rows, apart)
    lanes = np.unique(found.lane[rows])
    spans, endless = shapes(run, found, rows, starts, lanes), np.flatnonzero(found.endless[rows[starts]])
    note = ""
    if len(starts) < len(rows):
        least = lasting(apart * run.events.tick)
        note = f"{len(rows):,} spans drawn as {len(starts):,}: what is less than {least} apart is one"
    names = [found.lane_name(int(lane)) for lane in lanes]
    return Spans(run.milliseconds(begin), run.milliseconds(end), names, spans, endless.tolist(), note)


def blocks(found: Activity, rows: np.ndarray, apart: int) -> np.ndarray:
    """Return where, among some rows, spans begin that are `apart` ticks or more behind those before them.

    That is of their lane and kind, and which never ended either, or did.
    """
    if not len(rows):
        return rows
    group = (found.lane[rows].astype(np.int64) * 8 + found.kind[rows]) * 2 + ~found.endless[rows]
    origin = found.from_tick[rows].min()
    width = found.to_tick[rows].max() - origin + apart + 1
    reached = np.maximum.accumulate(group * width + found.to_tick[rows] - origin)
    far = group[1:] * width + found.from_tick[rows][1:] - origin >= reached[:-1] + apart
    return np.flatnonzero(np.append(True, far | (apart == 0)))


def shapes(
    run: Recorded, found: Activity, rows: np.ndarray, starts: np.ndarray, lanes: np.ndarray
) -> list[tuple[int, int, float, float, str]]:
    """Return what is drawn: a span, or several together."""
    ends = np.append(starts, len(rows))[1:]
    told = []
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        row, last = int(rows[start]), int(found.to_tick[rows[start:end]].max())
        begin = int(found.from_tick[row])
        text = found.text(row) if end == start + 1 else f"{end - start:,} together, the first one {found.text(row)}"
        lane = int(np.searchsorted(lanes, found.lane[row]))
        told.append((lane, int(found.kind[row]), run.milliseconds(begin), (last - begin) * run.events.tick / 1e6, text))
    return told
