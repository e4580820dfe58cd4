"""Writes a comparison for people: one column for each protocol, per fault and in total."""

import contextlib
import sys
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.table import Table

from vmconc.cli.show import console, said_counts, show_stop
from vmconc.coordinator.result import CompareResult, RunResult
from vmconc.statistics import Ratio

VIOLATIONS_SHOWN = 5


@contextlib.contextmanager
def rounds_shown(rounds: int, show: bool) -> Iterator[Callable[[int], None]]:
    """Give a function that tells, on a terminal, how many rounds are done."""

    def note(done: int) -> None:
        if show and sys.stderr.isatty():
            print(f"\rround {done} of {rounds}", end="\n" if done == rounds else "", file=sys.stderr, flush=True)

    yield note


def show_compare(result: CompareResult) -> None:
    """Print the comparison."""
    out = console()
    runs = result.protocols
    first = next(iter(runs.values()))
    out.print(
        f"{result.program} on {first.cpus} CPUs ({first.mode}, seed {first.seed}), {result.rounds} rounds, "
        f"{first.operations:,} operations each", markup=False,
    )  # fmt: skip
    out.print(table(runs))
    out.print(f"faults per CPU-second, backing over chained: {said_ratio(result.ratio)}")
    show_agreement(out, result)
    show_endings(out, result)


def said_ratio(ratio: Ratio) -> str:
    """Write a median with its interval; of one round there is none."""
    if not ratio.coverage:
        return f"{ratio.median:.2f} (no interval: it takes two paired rounds)"
    ends = f"{100 * ratio.coverage:.1f} % confidence {ratio.low:.2f} to {ratio.high:.2f}"
    return f"{ratio.median:.2f} ({ends}, {len(ratio.rounds)} paired rounds)"


def table(runs: dict[str, RunResult]) -> Table:
    """Return all the rows: for each number, per fault and in total, both protocols."""
    shown = Table("", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in runs:
        shown.add_column(f"{name}\nper fault", justify="right")
        shown.add_column("\ntotal", justify="right")
    lock_rows(shown, runs)
    shown.add_section()
    number_rows(shown, runs)
    return shown


def lock_rows(shown: Table, runs: dict[str, RunResult]) -> None:
    """Add acquisitions by class and mode, then contended ones by class."""
    classes = list(next(iter(runs.values())).locks)
    for column in ("shared", "exclusive", "contended"):
        for name in classes:
            values = [getattr(run.locks[name], column) for run in runs.values()]
            if any(values) or (name == "chain" and column != "contended"):
                row(shown, f"{name} {column}", values, runs)


def number_rows(shown: Table, runs: dict[str, RunResult]) -> None:
    """Add page-ins, retries, depth and rates."""
    row(shown, "page-ins, map lock released across I/O", [run.pageins_map_released for run in runs.values()], runs)
    row(shown, "page-ins, map lock held across I/O", [run.pageins_map_held for run in runs.values()], runs)
    reasons = {reason: None for run in runs.values() for reason in run.retries}
    for reason in reasons:
        row(shown, f"retry: {reason}", [run.retries.get(reason, 0) for run in runs.values()], runs)
    row(shown, "faults", [run.faults for run in runs.values()], runs)
    plain(shown, "deepest layer", [f"{run.max_depth:,}" for run in runs.values()])
    plain(shown, "CPU seconds", [f"{run.cpu_seconds:.3f}" for run in runs.values()])
    plain(shown, "faults per CPU-second", [f"{run.faults_per_cpu_second:,.0f}" for run in runs.values()])
    plain(shown, "violations", [f"{run.violation_count:,}" for run in runs.values()])


def row(shown: Table, name: str, values: list[int], runs: dict[str, RunResult]) -> None:
    """Add one number of each protocol, per fault and in total."""
    cells = []
    for value, run in zip(values, runs.values(), strict=True):
        cells += [f"{value / run.faults:.3f}" if run.faults else "-", f"{value:,}"]
    shown.add_row(name, *cells)


def plain(shown: Table, name: str, values: list[str]) -> None:
    """Add one value of each protocol that has no per-fault form."""
    shown.add_row(name, *[cell for value in values for cell in ("", value)])


def show_agreement(out: Console, result: CompareResult) -> None:
    """Print what the recorded kernel did against what the protocols did, for traces."""
    for name, found in result.agreement.items():
        out.print(
            f"agreement of {name} with the recorded kernel: {found['agree']:,} of {found['comparable']:,} faults "
            f"({100 * found['share']:.1f} %)"
        )
        shown = Table("kernel", "vmconc", box=None, pad_edge=False, padding=(0, 2, 0, 0))
        shown.add_column("faults", justify="right")
        shown.add_column("why")
        for entry in found["rows"]:
            shown.add_row(entry["recorded"], entry["outcome"], f"{entry['count']:,}", entry["why"])
        out.print(shown)


def show_endings(out: Console, result: CompareResult) -> None:
    """Print violations, what did not end by itself, and where the results are."""
    for run in result.protocols.values():
        for violation in run.violations[:VIOLATIONS_SHOWN]:
            out.print(f"{run.protocol}: {violation['text']}", markup=False)
        if run.skipped:
            out.print(f"skipped: {said_counts(run.skipped)}", markup=False)
            break
    out.print(f"results: {result.run_dir}", markup=False)
    for run in result.protocols.values():
        show_stop(run.ending, run.protocol)
