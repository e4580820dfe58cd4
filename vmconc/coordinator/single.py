"""One program under one protocol, once: what `vmconc run` does."""

from vmconc.coordinator.delays import delays_of
from vmconc.coordinator.options import RunOptions
from vmconc.coordinator.result import RunResult
from vmconc.coordinator.session import Session
from vmconc.coordinator.validate import leave
from vmconc.program.plan import Plan
from vmconc.protocols import load_protocol


def run_once(plan: Plan, protocol: str, options: RunOptions, show: bool = False) -> RunResult:
    """Run the plan and leave `run.json`.  Raises UsageError for a delay that there cannot be."""
    load_protocol(protocol)
    delays_of(options.delays)
    with Session([options.build(protocol)], options, f"{plan.name}-{protocol}", show) as session:
        result = session.run(plan, protocol)
        leave(session.directory, result, options, show)
        session.keep |= result.exit_code != 0
    return result
