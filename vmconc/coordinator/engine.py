"""The process engine: one worker process for each emulated CPU, one for the disk, this one watching."""

import dataclasses
import time
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from vmconc.checks.violations import inline_violations
from vmconc.coordinator import facts
from vmconc.coordinator.collect import collect
from vmconc.coordinator.disk import Disk, DiskOptions, Storage, serve
from vmconc.coordinator.errors import EXIT_OWN
from vmconc.coordinator.files import PlanFiles
from vmconc.coordinator.logs import LOGGER
from vmconc.coordinator.machine import make_machine
from vmconc.coordinator.options import RunOptions
from vmconc.coordinator.processes import finish, start
from vmconc.coordinator.recorder import both_clocks, recorder_of
from vmconc.coordinator.result import Ending, RunResult
from vmconc.coordinator.rundir import RunDirectory
from vmconc.coordinator.signals import StopRequests
from vmconc.coordinator.timing import leave_times
from vmconc.coordinator.watch import Watch
from vmconc.coordinator.worker import Clocks, execute
from vmconc.locks.rules import RULES, TABLE_FULL
from vmconc.program.plan import Plan
from vmconc.vm.opcodes import TOUCH

GATE_PATIENCE = 30.0  # seconds for all workers to get ready


@dataclasses.dataclass
class Job:
    """One run: the plan, the protocol that executes it, and where its files and results are."""

    plan: Plan
    protocol: str
    options: RunOptions
    files: PlanFiles
    directory: RunDirectory


def run_plan(job: Job) -> RunResult:
    """Execute a plan once and return what came of it.  No process is left; the mapping goes with `segment`."""
    segment = make_machine(job.plan, job.protocol, job.options)
    job.directory.announce(segment.fd, job.protocol, job.options.mode, job.options.bugs)
    clocks = Clocks()
    crew: list[BaseProcess] = []
    try:
        with StopRequests() as requests:
            start_crew(job, segment, clocks, crew)
            begun, mode = both_clocks(), job.options.mode
            with recorder_of(segment, job.directory, mode, begun, partial(known_of, job)) as recorder:
                result = conduct(job, segment, clocks, crew, requests)
                result.recording = recorder.close() if recorder else None
            leave_times(segment, job.directory.path, mode, begun)
            return result
    finally:
        finish(crew, grace=0.0)


def start_crew(job: Job, segment: Any, clocks: Clocks, crew: list[BaseProcess]) -> None:
    """Fork the disk and the workers; the disk comes last in `crew`."""
    reach = populated_bytes(segment, job.plan)
    for index in range(job.options.cpus):
        crew.append(start(f"cpu{index}", index, partial(execute, segment, index, clocks, reach)))
    crew.append(start("disk", None, lambda: serve(segment, make_disk(job, segment))))


def make_disk(job: Job, segment: Any) -> Disk:
    """Return the disk that the options describe."""
    options = job.options
    slow = DiskOptions(options.io_latency, options.io_bandwidth, options.io_error_rate, options.seed)
    return Disk(segment, Storage(job.files, job.directory.path), slow)


def populated_bytes(segment: Any, plan: Plan) -> int:
    """Return how much of the mapping a run can reach: its tables, and a frame for each touch."""
    touches = int((plan.ops["kind"] == TOUCH).sum())
    machine = segment.machine
    return int(machine.pool + min(machine.frames, touches + touches // 4 + 256) * 4096)


def conduct(job: Job, segment: Any, clocks: Clocks, crew: list[BaseProcess], requests: StopRequests) -> RunResult:
    """Open the gate, watch, end everybody, and collect."""
    *workers, disk = crew
    await_ready(clocks, workers)
    begun = time.monotonic_ns()
    segment.machine.go = 1
    ending = Watch(segment, workers, [disk], job.options, requests).until_end()
    ended = clocks.last_end(len(workers)) or time.monotonic_ns()
    spent = clocks.spent([worker.pid or 0 for worker in workers])
    reap(crew, ending, requests)
    result = RunResult(**known_of(job), ending=ending)
    result.wall_seconds, result.cpu_seconds = (ended - begun) / 1e9, sum(spent) / 1e9
    collect(segment, result)
    for work, nanoseconds in zip(result.per_cpu, spent, strict=True):
        work.cpu_seconds = nanoseconds / 1e9
    if result.cpu_seconds:
        result.faults_per_cpu_second = result.faults / result.cpu_seconds
    judge(job, segment, result)
    return result


def await_ready(clocks: Clocks, workers: list[BaseProcess]) -> None:
    """Wait until every worker stands at the gate or one is gone; the watch sees to the latter."""
    deadline = time.monotonic() + GATE_PATIENCE
    while not clocks.ready(len(workers)) and time.monotonic() < deadline:
        if any(worker.exitcode is not None for worker in workers):
            return
        time.sleep(0.0005)


def reap(crew: list[BaseProcess], ending: Ending, requests: StopRequests) -> None:
    """End everybody: at once if the user insists, else within a bounded time."""
    killed = finish(crew, insisted=lambda: requests.count > 1)
    if killed:
        LOGGER.warning("killed, since they did not stop: %s", ", ".join(killed))
        ending.report.append(f"killed, since they did not stop: {', '.join(killed)}")


def known_of(job: Job) -> dict[str, Any]:
    """Return what a result says that is known before the run."""
    plan, options = job.plan, job.options
    return {
        "program": plan.name, "protocol": job.protocol, "cpus": options.cpus, "mode": options.mode,
        "seed": options.seed, "operations": len(plan.ops), "skipped": plan.skipped, "notes": plan.notes,
        "run_dir": str(job.directory.path), "options": said(options), "machine": facts.machine(),
        "versions": facts.versions(),
    }  # fmt: skip


def said(options: RunOptions) -> dict[str, Any]:
    """Return the options as plain values."""
    return {k: str(v) if isinstance(v, Path) else v for k, v in dataclasses.asdict(options).items()}


def judge(job: Job, segment: Any, result: RunResult) -> None:
    """Add the violations: those the CPUs found, and at quiescence those of the shared state."""
    result.violations = inline_violations(segment, job.plan)
    result.violation_count = segment.machine.violations
    full = [v for v in result.violations if v["rule"] == RULES[TABLE_FULL][0]]
    if full:
        result.ending.exit_code, result.ending.message = EXIT_OWN, full[0]["text"]
    finished = result.ending.reason == "done"
    if finished and job.options.checks and not full:
        from vmconc.checks.quiescent import check_quiescent

        found = check_quiescent(segment, job.protocol)
        result.violations += found
        result.violation_count += len(found)
