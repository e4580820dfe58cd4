"""Writes a run for people, and any result as JSON."""

import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vmconc.cli.show_checked import show_in_run
from vmconc.coordinator.recorder import Recording
from vmconc.coordinator.result import Ending, Locks, RunResult, encode

VIOLATIONS_SHOWN = 10
WIDTH = 110  # when standard output is no terminal


def console() -> Console:
    """Return the console for results: fixed width when piped, so that output does not depend on the environment."""
    return Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, soft_wrap=True)


def print_json(result: Any) -> None:
    """Print one JSON object."""
    sys.stdout.write(encode(result).decode() + "\n")


def show_run(result: RunResult) -> None:
    """Print one run."""
    out = console()
    out.print(headline(result))
    out.print(lock_table(result.locks, result.faults))
    for line in facts(result):
        out.print(line, markup=False)
    show_ending(out, result)


def headline(result: RunResult) -> Text:
    """Say what was run and how fast it went."""
    wrong = " with ".join(["", *result.options.get("bugs", ())])
    return Text(
        f"{result.program} under {result.protocol}{wrong} on {result.cpus} CPUs ({result.mode}, seed {result.seed}): "
        f"{result.operations:,} operations, {result.faults:,} faults, {result.wall_seconds:.3f} s wall, "
        f"{result.cpu_seconds:.3f} CPU-s, {result.faults_per_cpu_second:,.0f} faults per CPU-second"
    )


def lock_table(counts: dict[str, Locks], faults: int, each: str = "per fault") -> Table:
    """Return acquisitions by class and mode, in total and per fault (or what `each` says there are so many of)."""
    table = Table("lock class", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("shared", "exclusive", each, "contended", "waited ms", "failed", "re-owned"):
        table.add_column(name, justify="right")
    for name, locks in counts.items():
        both = locks.shared + locks.exclusive
        per_fault = f"{both / faults:.3f}" if faults else "-"
        waited = f"{locks.wait_ns / 1e6:,.1f}"
        row = [name, f"{locks.shared:,}", f"{locks.exclusive:,}", per_fault, f"{locks.contended:,}", waited]
        if both or locks.contended or locks.failed:
            table.add_row(*row, f"{locks.failed:,}", f"{locks.reowned:,}")
    return table


def facts(result: RunResult) -> list[str]:
    """Return the other numbers of a run, one line each."""
    lines = [
        f"page-ins   {result.pageins:,}: {result.pageins_map_released:,} with the map lock released across I/O, "
        f"{result.pageins_map_held:,} with it held",
        "outcomes   " + said_counts(result.outcomes),
        "retries    " + said_counts(result.retries),
        f"depth      {result.max_depth} layers at most",
    ]
    if result.recording:
        lines.append(recorded(result.recording))
    if result.skipped:
        lines.append("skipped    " + said_counts(result.skipped))
    return lines + [f"note       {note}" for note in result.notes]


def recorded(recording: Recording) -> str:
    """Say how much was recorded, and what was lost."""
    lost = sum(recording.dropped) + sum(recording.unwritten)
    why = f": {recording.error}" if recording.error else ""
    return f"events     {sum(recording.events):,}, {lost:,} of them lost{why}"


def said_counts(counts: dict[str, int]) -> str:
    """Write counts that are not zero, largest first."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {count:,}" for name, count in ordered if count) or "none"


def show_ending(out: Console, result: RunResult) -> None:
    """Print violations, how the run ended if not by itself, and where the results are."""
    if result.violation_count:
        out.print(f"violations {result.violation_count:,}", style="bold red")
        for violation in result.violations[:VIOLATIONS_SHOWN]:
            out.print(f"  {violation['text']}", markup=False)
    else:
        out.print("violations none" if result.ending.reason == "done" else "violations none until it was stopped")
    show_in_run(out, result.checked, {violation["rule"] for violation in result.violations})
    if Path(result.run_dir).exists():
        out.print(f"results    {result.run_dir}", markup=False)
    show_stop(result.ending, result.protocol)


def show_stop(ending: Ending, protocol: str) -> None:
    """Print on standard error why a run did not end by itself, and what every CPU was at; `protocol`: or program."""
    if ending.message:
        complaint = Console(stderr=True, highlight=False, soft_wrap=True)
        complaint.print(f"vmconc: {protocol}: {ending.message}", style="bold", markup=False)
        for line in ending.report:
            complaint.print(f"  {line}", markup=False)
