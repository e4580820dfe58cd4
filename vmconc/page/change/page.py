"""The page about a comparison."""

from pathlib import Path

from vmconc.analysis.diff import Diff
from vmconc.page.change.about import about, title
from vmconc.page.change.charted import Charted, together
from vmconc.page.change.depth import depth
from vmconc.page.change.figures import contention, table
from vmconc.page.change.flames import flames
from vmconc.page.change.ordering import ordering
from vmconc.page.change.times import histograms
from vmconc.page.parts import Section
from vmconc.page.writing import written


def change_page(found: Diff, asked: list[str], seen: dict[Path, Charted]) -> str:
    """Return the page; `asked`: the conditions; `seen`: the runs, if all of them are recorded."""
    sections = [about(found, asked, bool(seen)), table(found), contention(found)]
    sections += charts(found, seen) if seen else []
    old, new = found.before, found.after
    names = f"{title(old)} → {title(new)}" if title(old) != title(new) else f"{title(old)}, before and after"
    pairs = len(old.runs)
    subtitle = "one run before, one after" if pairs == 1 else f"{pairs:,} runs before, as many after, in pairs"
    return written(names, f"{subtitle}; what vmconc diff finds", sections)


def charts(found: Diff, seen: dict[Path, Charted]) -> list[Section]:
    """Return what only events tell."""
    before, after = (together([seen[Path(run)] for run in side.runs]) for side in (found.before, found.after))
    layers = depth(before, after, len(found.after.runs))
    return [histograms(before, after), flames(before, after), ordering(before, after), layers]
