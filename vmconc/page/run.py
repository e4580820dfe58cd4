"""The page about one recorded run."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from vmconc.analysis.events import Events
from vmconc.analysis.summary import Summary
from vmconc.page.about import about
from vmconc.page.blaming import blaming
from vmconc.page.depth import depth
from vmconc.page.flames import flames
from vmconc.page.ordering import ordering
from vmconc.page.parts import Section
from vmconc.page.recorded import Recorded
from vmconc.page.tables import tables
from vmconc.page.timeline import timeline
from vmconc.page.waiting import heat, histograms
from vmconc.page.writing import written

Run = TypeVar("Run")
Sections = Mapping[str, Callable[[Run], Section]]
SECTIONS = {
    "rules and summary": about, "tables": tables, "heat map": heat, "histograms": histograms, "timeline": timeline,
    "blame": blaming, "lock order": ordering, "flame graphs": flames, "layers": depth,
}  # fmt: skip


def run_page(events: Events, run_dir: str, tell: Callable[[str], None]) -> str:
    """Return the page; `tell` is told what is worked out next, once for each of SECTIONS."""
    run = Recorded(events, run_dir)
    return run_written(run.summary, sections_of(run, SECTIONS, tell))


def sections_of(run: Run, sections: Sections[Run], tell: Callable[[str], None]) -> list[Section]:
    """Work sections out, one after the other."""
    found = []
    for name, make in sections.items():
        tell(name)
        found.append(make(run))
    return found


def run_written(run: Summary, sections: list[Section]) -> str:
    """Return the page about one run."""
    cpus = "CPUs" if run.protocol else "threads"
    subtitle = f"{run.cpus} {cpus}, seed {run.seed}, {run.mode} in {run.run_dir}"
    return written(f"{run.program}{run.under}", subtitle, sections)
