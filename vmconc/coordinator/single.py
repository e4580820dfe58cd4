"""One program under one protocol, once: what `vmconc run` does."""

from vmconc.coordinator.options import RunOptions
from vmconc.coordinator.result import RunResult
from vmconc.coordinator.session import Session
from vmconc.coordinator.validate import leave
from vmconc.memory.build import Build
from vmconc.program.plan import Plan


def run_once(plan: Plan, protocol: str, options: RunOptions, show: bool = False) -> RunResult:
    """Run the plan and leave `run.json`."""
    with Session([Build(options.mode, protocol, options.bugs)], options, f"{plan.name}-{protocol}", show) as session:
        result = session.run(plan, protocol)
        leave(session.directory, result, options, show)
        session.keep |= result.exit_code != 0
    return result
