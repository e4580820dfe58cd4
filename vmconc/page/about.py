"""The first section: what ran, how fast, how much of it was waiting, and what the checks found."""

import math

from vmconc.analysis.checked import Checked
from vmconc.analysis.summary import Lasted, Summary
from vmconc.memory.ring import EVENT_BYTES
from vmconc.page.figures import figure, lasting, often
from vmconc.page.parts import Fact, Facts, Lines, Section, section
from vmconc.page.recorded import Recorded

COST = "what recording cost this run is not in its events: vmconc bench tracking measures it"
NOTHING = "nothing"
SHOWN = 20  # violations


def about(run: Recorded) -> Section:
    """Return it."""
    return section("summary", "Summary", "", Facts(facts(run.summary, run.checked)), *said(run))


def facts(run: Summary, checked: Checked) -> list[Fact]:
    """Return the figures that come first."""
    found = f"{len(checked.broken)}" if checked.broken else NOTHING if checked.rules else "not checked"
    return [
        *facts_of_all(run, "from the first event to the last"),
        Fact("rules broken", found, f"of {len(checked.rules)} checked", "good" if found == NOTHING else "bad"),
        Fact("events", f"{run.events:,}", f"{run.events * EVENT_BYTES / 1e6:,.1f} MB"),
        lost(run),
    ]


def lost(run: Summary) -> Fact:
    """Return how many events are missing."""
    if run.unended:
        return Fact("events lost", "not known", "the run did not end", "bad")
    waits = f"a CPU had to wait for room: {run.ring_waits:,} times"
    return Fact("events lost", f"{run.lost:,}", waits, "bad" if run.lost else "good")


def facts_of_all(run: Summary, clock: str) -> list[Fact]:
    """Return the figures that come first of recorded and timed runs; `clock`: from when to when it lasted."""
    rate = f"{run.faults_per_second:,.0f} per second" if run.faults.count else ""
    share = f"{figure(100 * run.contended / max(1, run.acquired))} % of them" if run.contended else "none of them"
    of_machine = [
        Fact("faults", f"{run.faults.count:,}", ", ".join(filter(None, (rate, spread(run.faults))))),
        Fact("page-ins", f"{run.page_ins.count:,}", spread(run.page_ins)),
    ]
    return [
        Fact("lasted", lasting(run.seconds * 1e9), clock),
        *(of_machine if run.protocol else []),
        Fact("locks acquired", f"{run.acquired:,}", f"waits: {run.contended:,}, {share}"),
        Fact("waited", lasting(run.wait_ns), f"{figure(run.wait_percent)} % of the CPUs' time"),
    ]


def spread(times: Lasted) -> str:
    """Say how long something lasted, if that is known."""
    if not times.count or math.isnan(times.total_ns):
        return ""
    return f"p50 {lasting(times.p50_ns)}, p99 {lasting(times.p99_ns)}, max {lasting(times.max_ns)}"


def said(run: Recorded) -> list[Lines]:
    """Return what the rules found, and what the figures do not contain."""
    checked = run.checked
    parts = wrong(run.summary)
    for one in checked.broken:
        parts.append(Lines([f"{one.rule}, {often(one.count)}: {one.meaning}", *one.examples], "bad"))
    if checked.rules and not checked.broken:
        parts.append(Lines(["Nothing broken: " + ", ".join(checked.rules)], "good"))
    skipped = [f"not checked: {line}" for line in checked.not_checked]
    return [*parts, Lines([*checked.notes, *left_out(run.summary), *skipped, times(run), COST], "note")]


def wrong(run: Summary) -> list[Lines]:
    """Return why a run did not end, or not by itself, and what its CPUs, and the check at rest, have found."""
    unended = [run.unended] if run.unended else []
    return [Lines(lines, "bad") for lines in (unended, run.ending, run.found[:SHOWN]) if lines]


def left_out(run: Summary) -> list[str]:
    """Say what is not shown, and what is in no figure."""
    more = len(run.found) - SHOWN
    hidden = [f"violations that are in run.json only: {more:,}"] if more > 0 else []
    unended = [f"not ended, and in no figure: {what} {count:,}" for what, count in run.unfinished]
    return [*run.gaps, *hidden, *unended]


def times(run: Recorded) -> str:
    """Say how times in charts and in texts go together."""
    before = run.events.nanoseconds(run.extent[0]) / 1e6
    return f"charts begin with the first event, {figure(before)} ms after the run's beginning, from which texts count"
