"""Whether a condition can be judged by what is known of some runs."""

from vmconc.analysis.conditions import Condition
from vmconc.analysis.events import RunError
from vmconc.analysis.figures import way_of, well_named
from vmconc.analysis.sides import TIMED, Measured
from vmconc.analysis.timed_figures import takes_events


def refuse_unknown(condition: Condition, runs: list[Measured]) -> None:
    """Raise RunError if events were lost, a run has none that are needed, or had no room for what is asked for."""
    for run in runs:
        if run.lost:
            raise RunError(f"{run.path}: {run.lost:,} events were lost, so no condition on its figures can be judged")
        if run.source == TIMED and takes_events(condition.figure):
            why = f"'{condition}' takes events; record it: vmconc run --mode recorded"
            raise RunError(f"{run.path} was timed, and {why}")
        if missing(condition.figure, run):
            raise RunError(f"{run.path}: {'; '.join(run.gaps)}; so '{condition}' cannot be judged")


def missing(figure: str, run: Measured) -> bool:
    """Tell whether gaps of a run are why a figure is not known, rather than that there is none of its name."""
    return bool(run.gaps) and figure not in run.figures and well_named(figure) and way_of(figure) not in run.ways
