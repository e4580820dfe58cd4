"""What the runs of one command share: compiled kernels, a run directory with its lock and log, the plans' files."""

import gc
from types import TracebackType

from vmconc.coordinator.engine import Job, run_plan
from vmconc.coordinator.errors import EXIT_INTERRUPTED, EmulatorError, UsageError
from vmconc.coordinator.files import PlanFiles, open_files
from vmconc.coordinator.logs import LOGGER, Log
from vmconc.coordinator.options import RunOptions
from vmconc.coordinator.result import RunResult
from vmconc.coordinator.rundir import RunDirectory
from vmconc.coordinator.warm import warm
from vmconc.memory.build import Build
from vmconc.memory.jit import why_off
from vmconc.program.plan import Plan
from vmconc.protocols import load_protocol


class Session:
    """Runs plans as often as wanted.  Use as a context: everything but the results is gone afterwards."""

    def __init__(self, builds: list[Build], options: RunOptions, label: str, show: bool = False):
        if why := why_off():
            raise UsageError(f"{why}: there are no worker processes without compiled code; vmconc explore needs none")
        self.options, self.keep = options, options.keep
        self.files: dict[int, tuple[Plan, PlanFiles]] = {}
        self.directory = RunDirectory(options.runs, label)
        self.log = Log(self.directory.path / "log.txt")
        try:
            for build in builds:
                load_protocol(build.protocol)
            warm(builds, show)
            gc.enable()  # the command line has it off while it loads
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def run(self, plan: Plan, protocol: str, options: RunOptions | None = None) -> RunResult:
        """Execute a plan once under a protocol."""
        options = options or self.options
        LOGGER.info("run %s under %s on %d CPUs", plan.name, protocol, options.cpus)
        result = run_plan(Job(plan, protocol, options, self.files_of(plan), self.directory))
        LOGGER.info("ended: %s, %d faults, %d violations", result.ending.reason, result.faults, result.violation_count)
        self.keep |= result.exit_code != 0  # its log may be needed
        return result

    def run_well(self, plan: Plan, protocol: str, options: RunOptions, name: str) -> RunResult:
        """Execute a plan once, as part of something that is worth nothing if this part fails.

        Raises KeyboardInterrupt if the user stopped it, EmulatorError that begins with `name` if it did not go well.
        """
        result = self.run(plan, protocol, options)
        if result.exit_code == EXIT_INTERRUPTED:
            raise KeyboardInterrupt
        if result.exit_code:
            why = result.ending.message or result.violations[0]["text"]
            raise EmulatorError(f"{name}: {why}; see {result.run_dir}")
        return result

    def files_of(self, plan: Plan) -> PlanFiles:
        """Open the files of a plan, once."""
        if id(plan) not in self.files:
            self.files[id(plan)] = (plan, open_files(plan, self.directory.path))
        return self.files[id(plan)][1]

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            LOGGER.error("the session failed", exc_info=error)
        for _, files in self.files.values():
            files.close()
        self.log.close()
        self.directory.close(keep=self.keep or error is not None)
