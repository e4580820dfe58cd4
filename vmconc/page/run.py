"""The page about one recorded run."""

from collections.abc import Callable

from vmconc.analysis.events import Events
from vmconc.page.about import about
from vmconc.page.blaming import blaming
from vmconc.page.depth import depth
from vmconc.page.flames import flames
from vmconc.page.ordering import ordering
from vmconc.page.recorded import Recorded
from vmconc.page.tables import tables
from vmconc.page.timeline import timeline
from vmconc.page.waiting import heat, histograms
from vmconc.page.writing import written

SECTIONS = {
    "rules and summary": about, "tables": tables, "heat map": heat, "histograms": histograms, "timeline": timeline,
    "blame": blaming, "lock order": ordering, "flame graphs": flames, "layers": depth,
}  # fmt: skip


def run_page(events: Events, run_dir: str, tell: Callable[[str], None]) -> str:
    """Return the page; `tell` is told what is worked out next, once for each of SECTIONS."""
    run, sections = Recorded(events, run_dir), []
    for name, make in SECTIONS.items():
        tell(name)
        sections.append(make(run))
    cpus = "CPUs" if events.protocol else "threads"
    subtitle = f"{events.cpus} {cpus}, seed {run.summary.seed}, recorded in {run_dir}"
    return written(f"{events.run['program']}{run.summary.under}", subtitle, sections)
