"""When was waited, and how long: the heat map of `vmconc heat`, the histograms of `vmconc histogram`."""

from vmconc.analysis.heat import heated
from vmconc.analysis.histogram import Histogram, counted
from vmconc.page.figures import lasting
from vmconc.page.parts import Bars, Choice, Heat, Lines, Part, Section, section
from vmconc.page.recorded import Recorded

BINS = 200
NO_WAIT, NO_HOLD = "Nobody had to wait for a lock.", "No lock was held and given up."


def heat(run: Recorded) -> Section:
    """Return the heat map."""
    found = heated(run.used.waited, run.summary, BINS)
    rows = [*found.rows, found.total] if len(found.rows) > 1 else found.rows
    note = f"each column is {lasting(found.bin_ns)}"
    values = [row.percents for row in rows]
    part = Heat(0, found.bin_ns / 1e6, [row.name for row in rows], values, "% of the CPUs' time", note)
    text = "How much of the time of all CPUs together was waiting for locks of a class, in each stretch of the run."
    return section("heat", "When was waited", text, part if rows else Lines([NO_WAIT]))


def histograms(run: Recorded) -> Section:
    """Return histograms of waits and of holds, by class and mode."""
    return lasting_section(counted(run.used.waited, by_mode=True), counted(run.used.held, by_mode=True))


def lasting_section(waits: list[Histogram], holds: list[Histogram]) -> Section:
    """Return histograms as a section."""
    text = "How long each wait and hold lasted. Both axes are logarithmic, and that of time is the same in all."
    parts: list[list[Part]] = [[bars(one) for one in found] for found in (waits, holds)]
    choices = [Choice("waits", parts[0] or [Lines([NO_WAIT])]), Choice("holds", parts[1] or [Lines([NO_HOLD])])]
    return Section("histograms", "How long was waited and held", text, choices)


def bars(found: Histogram) -> Bars:
    """Return one histogram."""
    title = f"{f'{found.cls} {found.mode}'.strip()}: {found.count:,}, {lasting(found.total_ns)} in all"
    edges = [one.from_ns for one in found.bins]
    return Bars(title, edges, [one.count for one in found.bins], [one.total_ns for one in found.bins])
