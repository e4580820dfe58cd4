"""Whether a condition can be judged by what is known of some runs."""

from vmconc.analysis.conditions import Condition
from vmconc.analysis.events import RunError
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
        if run.gaps and condition.figure not in run.figures:
            raise RunError(f"{run.path}: {'; '.join(run.gaps)}; so '{condition}' cannot be judged")
