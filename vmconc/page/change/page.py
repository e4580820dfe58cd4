"""The page about a comparison."""

from pathlib import Path

from vmconc.analysis.diff import Diff
from vmconc.analysis.diff_tables import Beside
from vmconc.page.change.about import about, title
from vmconc.page.change.beside import beside
from vmconc.page.change.charted import Charted, as_timed, together
from vmconc.page.change.depth import depth
from vmconc.page.change.figures import contention, table
from vmconc.page.change.flames import flames
from vmconc.page.change.ordering import ordering
from vmconc.page.change.times import histograms
from vmconc.page.parts import Section
from vmconc.page.writing import written


def change_page(found: Diff, tables: list[Beside], asked: list[str], seen: dict[Path, Charted]) -> str:
    """Return the page; `asked`: the conditions; `seen`: the runs, if all of them are recorded or timed."""
    timed = any(run.timed for run in seen.values())
    sections = [about(found, asked, bool(tables), bool(seen), timed), table(found)]
    sections += [beside(tables), contention(found, tables)] if tables else []
    sections += charts(found, seen) if seen else []
    old, new = found.before, found.after
    names = f"{title(old)} → {title(new)}" if title(old) != title(new) else f"{title(old)}, before and after"
    pairs = len(old.runs)
    subtitle = "one run before, one after" if pairs == 1 else f"{pairs:,} runs before, as many after, in pairs"
    return written(names, f"{subtitle}; what vmconc diff finds", sections)


def charts(found: Diff, seen: dict[Path, Charted]) -> list[Section]:
    """Return what counters do not tell; if any run was timed, what all have."""
    runs = [[seen[Path(run)] for run in side.runs] for side in (found.before, found.after)]
    if any(run.timed for run in seen.values()):
        before, after = (together([as_timed(run) for run in side]) for side in runs)
        return [histograms(before, after), flames(before, after)]
    before, after = (together(side) for side in runs)
    layers = depth(before, after, len(found.after.runs))
    return [histograms(before, after), flames(before, after), ordering(before, after), layers]
