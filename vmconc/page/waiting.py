"""When was waited, and how long: the heat map of `vmconc heat`, the histograms of `vmconc histogram`."""

from vmconc.analysis.heat import heated
from vmconc.analysis.histogram import Histogram, counted
from vmconc.analysis.spans import Spans
from vmconc.page.figures import lasting
from vmconc.page.parts import Bars, Choice, Heat, Lines, Part, Section, section
from vmconc.page.recorded import Recorded

BINS = 200
NO_WAIT = "Nobody had to wait for a lock."


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
    """Return histograms of waits and of holds."""
    text = "How long each wait and hold lasted. Both axes are logarithmic, and that of time is the same in all."
    choices = [choice("waits", run.used.waited), choice("holds", run.used.held)]
    return Section("histograms", "How long was waited and held", text, choices)


def choice(name: str, spans: Spans) -> Choice:
    """Return those of some spans, by class and mode."""
    parts: list[Part] = [bars(one) for one in counted(spans, by_mode=True)]
    return Choice(name, parts or [Lines([NO_WAIT])])


def bars(found: Histogram) -> Bars:
    """Return one histogram."""
    title = f"{found.cls} {found.mode}: {found.count:,}, {lasting(found.total_ns)} in all"
    edges = [one.from_ns for one in found.bins]
    return Bars(title, edges, [one.count for one in found.bins], [one.total_ns for one in found.bins])
