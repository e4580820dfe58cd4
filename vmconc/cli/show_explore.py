"""Writes what an exploration found: what was done, what is wrong, and each step in the column of its CPU."""

import sys
import textwrap
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.table import Table

from vmconc.cli.show import console, lock_table, recorded, show_stop
from vmconc.cli.show_checked import show_in_run
from vmconc.cli.show_steps import show_explained
from vmconc.coordinator.errors import EXIT_STUCK, EXIT_VIOLATION
from vmconc.explore.bench import Found, Rate
from vmconc.explore.bugs import Bug
from vmconc.explore.failure import Failure
from vmconc.explore.lockrun import LockRun
from vmconc.explore.search import Tally
from vmconc.explore.session import Explored, Replayed, Watcher
from vmconc.explore.target import Target
from vmconc.program.written import said

TEXT_WIDTH = 100
SAID = 10.0  # seconds between two lines where there is no terminal
OPERATIONS_SHOWN = 30


class Progress(Watcher):
    """Shows on standard error how far it is: in one place if that is a terminal, else with a line now and then."""

    def __init__(self, wanted: bool):
        self.wanted, self.terminal = wanted, sys.stderr.isatty()
        self.status: Any = None
        self.said = time.monotonic()

    def __enter__(self) -> "Progress":
        from rich.console import Console

        self.status = Console(stderr=True).status("") if self.wanted and self.terminal else None
        if self.status:
            self.status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.status:
            self.status.stop()

    def say(self, text: str, at_once: bool = False) -> None:
        """Replace the line, or write another if the last one is some time ago."""
        if self.status:
            self.status.update(text)
        elif self.wanted and (at_once or time.monotonic() - self.said >= SAID):
            self.said = time.monotonic()
            print(text, file=sys.stderr, flush=True)

    def compiling(self, target: Target) -> None:
        """Say what is being made."""
        self.say(f"{target.name}: compiling, if this is the first time", at_once=True)

    def searched(self, tally: Tally) -> None:
        """Say how fast it goes."""
        rate = tally.executions / tally.seconds if tally.seconds else 0
        classes = f", {tally.classes.seen:,} happens-before classes" if tally.classes.seen else ""
        self.say(f"{tally.executions:,} executions, {rate:,.0f} a second{classes}, nothing found")

    def simplified(self, best: Failure) -> None:
        """Say how simple it is."""
        self.say(f"making it simpler: {best.preemptions} preemptions, {best.steps} steps")


def show_explored(explored: Explored, checkpoint: Path | None = None) -> None:
    """Print what came of one target."""
    out = console()
    out.print(headline(explored), markup=False)
    for line in explored.meaning:
        out.print(f"  {line}", markup=False)
    if checkpoint:
        out.print(f"go on: the same command with --resume {checkpoint}", markup=False)
    if explored.failure is None:
        return
    for line in explored.failure.lines:
        out.print(f"  {line}", markup=False)
    found, failure = explored.found, explored.failure
    if found and failure != found:
        out.print(
            f"execution {failure.execution:,}, found by {failure.strategy}: {found.preemptions} preemptions and "
            f"{found.steps} steps, made simpler to {failure.preemptions} and {failure.steps}"
        )
    elif found:
        out.print(f"execution {found.execution:,}, found by {found.strategy}: {found.preemptions} preemptions")
    if explored.simplest:
        out.print(explored.simplest)
    if explored.small:
        out.print(program_said(explored.small), markup=False)
    if explored.explained:
        show_explained(explored.explained)
    out.print(f"replay it: vmconc replay {explored.artifact}", markup=False)


def program_said(target: Target) -> str:
    """Say what the program of a failure does, if that is short; of a lock program with which options it is run."""
    if target.written and len(target.written.operations) <= OPERATIONS_SHOWN:
        return f"the program: {said(target.written, target.cpus)}"
    if target.written:
        return f"the program: {len(target.written.operations)} operations on {target.cpus} CPUs"
    return " ".join(["the program:", target.name, *(f"{name}={value}" for name, value in target.options.items())])


def headline(explored: Explored) -> str:
    """Say what was done and whether it failed."""
    tally = explored.tally
    rate = tally.executions / tally.seconds if tally.seconds else 0
    points = tally.points / tally.seconds if tally.seconds else 0
    by = ", ".join(f"{name} {count:,}" for name, count in tally.by_strategy.items())
    result = explored.failure.rule if explored.failure else "nothing found"
    if explored.interrupted:
        result = f"interrupted, {result}"
    return (
        f"{explored.target.name}: {result} in {tally.executions:,} executions ({by}), {tally.seconds:.1f} s, "
        f"{rate:,.0f} executions and {points:,.0f} steps a second, longest {tally.longest:,} steps"
    )


def show_replayed(replayed: Replayed) -> None:
    """Print what came of a replay."""
    out = console()
    show_explained(replayed.explained, limit=0)
    if replayed.failure:
        for line in replayed.failure.lines:
            out.print(line, markup=False)
    if replayed.diverged:
        code = "the code is the same: the program is not" if replayed.same_code else "the code has changed"
        out.print(f"decision {replayed.diverged} could not be made as recorded ({code})")
    for line in said_of(replayed):
        out.print(line, markup=False)
    out.print("it fails again" if replayed.reproduced else "it does not fail again")


def said_of(replayed: Replayed) -> list[str]:
    """Say how often the replay was exactly what was recorded, how it departed if not, and on which processes it ran."""
    repeated, handed = replayed.repeated, replayed.handed
    lines = []
    if repeated.times > 1 or handed:
        where = "replays on processes" if handed else "replays"
        lines.append(f"{repeated.exact:,} of {repeated.times:,} {where} were exactly what was recorded")
    if repeated.differs:
        lines.append(repeated.differs)
    if not repeated.alike:
        lines.append("the replays did not all come to the same: this is a bug of vmconc, please report it")
    if handed:
        cores = ", ".join(str(core) for core in handed.cores)
        lines.append(
            f"{handed.processes} processes, one of them the engine's, on core {cores}: "
            f"{handed.turns:,} hand-overs, {handed.microseconds:.1f} us each with the steps between"
        )
    return lines


def show_lock_run(result: LockRun, path: str) -> None:
    """Print what came of running a lock program on worker processes."""
    out = console()
    rate = result.rounds / result.wall_seconds if result.wall_seconds else 0
    out.print(
        f"{result.program} on {result.threads} threads ({result.mode}): {result.rounds:,} rounds, "
        f"{result.wall_seconds:.3f} s wall, {result.cpu_seconds:.3f} CPU-s, {rate:,.0f} rounds a second"
    )
    out.print(lock_table(result.locks, result.rounds, "per round"))
    if result.recording:
        out.print(recorded(result.recording), markup=False)
    for violation in result.violations:
        out.print(f"round {result.rounds + 1:,}: {violation}", markup=False)
    show_in_run(out, result.checked, {violation.partition(":")[0] for violation in result.violations})
    if Path(result.run_dir).exists():
        out.print(f"results    {result.run_dir}", markup=False)
    show_stop(result.ending, result.program)
    if result.exit_code in (EXIT_VIOLATION, EXIT_STUCK):
        out.print(f"find an order of steps in which it fails: vmconc explore {path}", markup=False)


def show_bugs(bugs: list[Bug]) -> None:
    """Print the catalogue, a line each."""
    table = Table("bug", "what is wrong", "protocol", "found by", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for bug in bugs:
        table.add_row(bug.name, bug.title, ", ".join(bug.protocols), bug.rule)
    out = console()
    out.print(table)
    out.print("vmconc bugs NAME tells more; vmconc explore --bug NAME shows it")


def show_bug(bug: Bug) -> None:
    """Print one bug in full."""
    out = console()
    out.print(f"{bug.name}: {bug.title}", markup=False)
    out.print(f"protocol {', '.join(bug.protocols)}; found by {bug.rule}; origin: {bug.origin}", markup=False)
    if bug.committed:
        out.print("the protocol was committed with it; here it is mended")
    for line in textwrap.wrap(bug.interleaving, TEXT_WIDTH):
        out.print(line, markup=False)
    out.print(f"vmconc explore --bug {bug.name}", markup=False)


def show_rates(rates: list[Rate]) -> None:
    """Print how fast executions are explored."""
    table = Table("program", "strategy", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("executions/CPU-s", "low", "high", "points/CPU-s", "steps", "expected"):
        table.add_column(name, justify="right")
    for rate in rates:
        numbers = [f"{value:,.0f}" for value in (rate.executions, rate.low, rate.high, rate.points, rate.steps)]
        table.add_row(rate.name, rate.strategy, *numbers, rate.expected)
    console().print(table)


def show_power(found: list[Found]) -> None:
    """Print after how many executions classic bugs are found."""
    table = Table("classic bug", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("found after", "at most", "seeds that found it", "best single strategy known"):
        table.add_column(name, justify="right")
    for row in found:
        name = " ".join([row.program, *(f"{option}={value}" for option, value in row.options.items())])
        table.add_row(name, f"{row.median:,.0f}", f"{row.most:,}", f"{row.found} of {row.seeds}", f"{row.best:g}")
    console().print(table)
