"""The first section: what is compared, what has changed most, and what is to be said of the comparison itself."""

from collections import Counter

from vmconc.analysis.changes import Change
from vmconc.analysis.diff import Diff, Side
from vmconc.page.change.figures import TONES
from vmconc.page.figures import percent, quantity
from vmconc.page.parts import Fact, Facts, Lines, Section, section

NAMES = {
    "fault.rate": "faults a second", "fault.per_cpu_second": "faults a second of CPU time", "fault.p50": "faults, p50",
    "fault.p99": "faults, p99", "fault.p99.9": "faults, p99.9", "all.wait.total": "waited for locks, in all",
}  # fmt: skip
NO_CHARTS = (
    "only tables and bars: histograms and flame graphs take runs that are all recorded or timed, lock order and layers "
    "recorded ones"
)


def about(found: Diff, asked: list[str], locks: bool, charts: bool, timed: bool) -> Section:
    """Return it; `asked`: the conditions; `locks`: waits are known; `timed`: what takes events is not known."""
    facts = [fact(row) for row in found.rows if row.figure in NAMES]
    facts += [hot_spot(found)] * locks + [verdicts(found)] + [edges(found)] * (charts and not timed)
    sides = Lines([said_side("before", found.before), said_side("after", found.after)])
    notes = Lines(found.notes + ([] if charts else [NO_CHARTS]), "note")
    return section("summary", "Summary", "", Facts(facts), *warned(found), *conditions(found, asked), sides, notes)


def fact(row: Change) -> Fact:
    """Return how much a figure has changed."""
    said = row.verdict if row.change_percent == 0 or row.change_percent is None else percent(row.change_percent)
    more = f"{quantity(row.before, row.unit)} before, {quantity(row.after, row.unit)} after; {row.verdict}"
    if row.low_percent is not None:
        more += f", interval {percent(row.low_percent)} … {percent(row.high_percent)}"
    return Fact(NAMES[row.figure], said, more, TONES.get(row.verdict, ""))


def hot_spot(found: Diff) -> Fact:
    """Say where most is waited."""
    moved = found.hot_spot
    if not moved:
        return Fact("hot spot", "did not move", "no class has 10 points less of all waiting while another has more")
    more = (
        f"{share(moved.target_before, moved.target_after)} of all waiting; {moved.source} had "
        f"{share(moved.source_before, moved.source_after)}"
    )
    return Fact("hot spot", f"moved to {moved.target}", more)


def share(before: float, after: float) -> str:
    """Write a share before and after."""
    return f"{before:.1f} % before, {after:.1f} % after"


def verdicts(found: Diff) -> Fact:
    """Count what is worse and better."""
    counts = Counter(row.verdict for row in found.rows)
    bad, good = (sum(counts[word] for word in TONES if TONES[word] == tone) for tone in ("bad", "good"))
    others = "; ".join(f"{word}: {count:,}" for word, count in counts.most_common())
    return Fact("figures", f"{bad:,} worse, {good:,} better", others)


def edges(found: Diff) -> Fact:
    """Count lock-order edges of one side."""
    value = f"{len(found.new_edges):,} new, {len(found.gone_edges):,} gone"
    return Fact("lock-order edges", value, "by class and mode")


def warned(found: Diff) -> list[Lines]:
    """Return in what the runs differ that should not."""
    if not found.warnings:
        return []
    return [Lines(["What has changed may have other reasons, too:", *found.warnings], "bad")]


def conditions(found: Diff, asked: list[str]) -> list[Lines]:
    """Return what was asked for with --fail-on, and what came of it."""
    if found.failed:
        return [Lines([f"Conditions that hold: {len(found.failed)} of {len(asked)}", *found.failed], "bad")]
    return [Lines([f"No condition holds of: {', '.join(asked)}"], "good")] if asked else []


def said_side(name: str, side: Side) -> str:
    """Say what was run on a side."""
    count = "one run" if len(side.runs) == 1 else f"{len(side.runs):,} runs"
    return f"{name}: {title(side)} ({side.mode}), {count}: {', '.join(side.runs)}"


def title(side: Side) -> str:
    """Return program and protocol."""
    return f"{side.program} under {side.protocol}" if side.protocol else side.program
