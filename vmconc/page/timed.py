"""The page about one timed run: what its histograms tell, in the sections of a recorded run's page."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from vmconc.analysis.summary import Summary
from vmconc.analysis.timed_histogram import WHAT, counted_timed
from vmconc.analysis.timed_report import GROUPS, OTHERS, summary, tabulated_timed
from vmconc.analysis.timing import Timing, unlisted
from vmconc.export.stacks import root
from vmconc.locks.cpu import ENDED_MAX
from vmconc.page.about import facts_of_all, left_out, wrong
from vmconc.page.flames import TEXT as FLAMES
from vmconc.page.flames import TIMED, Weighed, icicle
from vmconc.page.parts import Choice, Fact, Facts, Lines, Part, Section, section
from vmconc.page.run import run_written, sections_of
from vmconc.page.tables import ROWS
from vmconc.page.tables import choice as table_choice
from vmconc.page.waiting import lasting_section

NOT_HERE = (
    "not here: heat map, timeline, who kept whom waiting, lock order, rules checked from events, depth of layers, "
    "bounces. A timed run keeps how long waits and holds lasted, not when; vmconc run --mode recorded keeps that, too"
)
BINS = "p50 and p99 are the upper ends of bins, at most a 16th too high; sums, counts and longest times are exact"
ONE_LOCK = (
    "Locks that somebody waited for, each with its holds from about its first wait on: of those before, at most the "
    f"last {ENDED_MAX} of each CPU may be in its row."
)
TABLES = (
    "Click a heading to sort by it. A wait belongs to the place where the lock was acquired afterwards, a hold to "
    "where it was acquired. How often a lock bounced between CPUs takes events."
)


@dataclass(frozen=True)
class Timed:
    """One run."""

    run: dict[str, Any]
    timing: Timing
    run_dir: str

    @cached_property
    def summary(self) -> Summary:
        """Return the head of every report."""
        return summary(self.run, self.timing, self.run_dir)


def timed_page(run: dict[str, Any], timing: Timing, run_dir: str, tell: Callable[[str], None]) -> str:
    """Return the page; `tell` is told what is worked out next, once for each of SECTIONS."""
    found = Timed(run, timing, run_dir)
    return run_written(found.summary, sections_of(found, SECTIONS, tell))


def about(run: Timed) -> Section:
    """Return what ran, how fast, how much of it was waiting, and what is not known."""
    count = run.run.get("violation_count", len(run.summary.found))
    found = Fact("violations", f"{count:,}" if count else "none", "found while it ran", "bad" if count else "good")
    facts = Facts([*facts_of_all(run.summary, "by the clock"), found])
    notes = Lines([*left_out(run.summary), BINS, NOT_HERE], "note")
    return section("summary", "Summary", "", facts, *wrong(run.summary), notes)


def tables(run: Timed) -> Section:
    """Return a table for each way to sum up."""
    return Section("tables", "Who waited, who held", TABLES, [by(run, way) for way in GROUPS])


def by(run: Timed, way: str) -> Choice:
    """Return one table."""
    more = [Lines([ONE_LOCK, *unlisted(run.timing)], "note")] if way == "instance" else []
    return table_choice(tabulated_timed(run.summary, run.timing, way, "wait", ROWS, []), *more)


def histograms(run: Timed) -> Section:
    """Return histograms of waits and of holds, by class and mode."""
    return lasting_section(*(counted_timed(run.timing, what, True, []) for what in WHAT))


def flames(run: Timed) -> Section:
    """Return a graph each by wait and by hold."""
    name, stacks = root(run.run), stacked(run.timing)
    return Section("flames", "Flame graphs", FLAMES, [choice(name, what, some) for what, some in stacks.items()])


def choice(name: str, what: str, stacks: list[Weighed]) -> Choice:
    """Return one graph."""
    graph: Part = icicle(name, stacks, TIMED)
    return Choice(f"by {what}", [graph])


def stacked(timing: Timing) -> dict[str, list[Weighed]]:
    """Return the stacks, place and lock, by what they are weighed with."""
    return {
        what: [
            ((times.site or OTHERS, f"{times.cls} {times.mode}".strip() or OTHERS), round(times.total * timing.tick))
            for times in timing.kinds
            if times.what in of
        ]
        for what, of in WHAT.items()
    }


SECTIONS = {"summary": about, "tables": tables, "histograms": histograms, "flame graphs": flames}
