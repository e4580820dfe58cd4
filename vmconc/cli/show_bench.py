"""Writes a benchmark for people: rates, then ratios with their confidence intervals."""

from rich.table import Table

from vmconc.cli.show import console
from vmconc.coordinator.bench import BenchResult


def show_bench(result: BenchResult) -> None:
    """Print the benchmark."""
    out = console()
    rates = Table("arm", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("faults per CPU-second", "95 % low", "high", "lock operations per fault"):
        rates.add_column(name, justify="right")
    for arm in result.arms:
        rate = arm.rate
        locks = f"{arm.locks_per_fault:.2f}" if arm.locks_per_fault else "-"
        rates.add_row(arm.name, f"{rate.median:,.0f}", f"{rate.low:,.0f}", f"{rate.high:,.0f}", locks)
    out.print(rates)
    ratios = Table("ratio", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("median", "95 % low", "high", "expected"):
        ratios.add_column(name, justify="right")
    for found in result.ratios:
        value = found.value
        ratios.add_row(found.name, f"{value.median:.2f}", f"{value.low:.2f}", f"{value.high:.2f}", found.expected)
    out.print(ratios)
    if result.flagged:
        out.print(
            f"{result.flagged} of {result.rounds} rounds shared the machine with more than half a CPU of other work"
        )
