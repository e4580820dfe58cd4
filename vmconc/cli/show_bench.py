"""Writes a benchmark for people: rates, then ratios with their confidence intervals."""

from rich.table import Table

from vmconc.cli.show import console
from vmconc.coordinator.bench import BenchResult
from vmconc.coordinator.bench_tracking import TrackingResult
from vmconc.statistics import Ratio


def show_bench(result: BenchResult) -> None:
    """Print the benchmark."""
    out = console()
    rates = Table("arm", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("faults per CPU-second", "low", "high", "covers", "lock operations per fault"):
        rates.add_column(name, justify="right")
    for arm in result.arms:
        rate = arm.rate
        locks = f"{arm.locks_per_fault:.2f}" if arm.locks_per_fault else "-"
        rates.add_row(arm.name, f"{rate.median:,.0f}", *ends(rate, ",.0f"), locks)
    out.print(rates)
    ratios = Table("ratio", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("median", "low", "high", "covers", "expected"):
        ratios.add_column(name, justify="right")
    for found in result.ratios:
        value = found.value
        ratios.add_row(found.name, f"{value.median:.2f}", *ends(value, ".2f"), found.expected)
    out.print(ratios)
    if result.flagged:
        out.print(
            f"{result.flagged} of {result.rounds} rounds shared the machine with more than half a CPU of other work"
        )


def show_tracking(result: TrackingResult) -> None:
    """Print what tracking costs."""
    out = console()
    costs = Table("faults", "mode", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("ns of CPU time", "times mode off", "interval", "expected"):
        costs.add_column(name, justify="right")
    for cost in result.costs:
        spent = f"{cost.nanoseconds.median:,.0f}"
        costs.add_row(f"{cost.protocol} zero", cost.mode, spent, *said(cost.of_off), cost.expected)
    out.print(costs)
    events = Table("events of", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("a fault", "ns each", "interval", "ns beyond the time stamp", "interval", "expected"):
        events.add_column(name, justify="right", no_wrap=name == "interval")
    for event in result.events:
        beyond = said(event.beyond_stamp)
        events.add_row(event.protocol, f"{event.events_per_fault:.1f}", *said(event.nanoseconds), *beyond, "at most 15")
    out.print(events)
    lasting = result.endurance
    out.print(
        f"a time stamp takes {result.stamp.median:.1f} ns; two CPUs recorded for {lasting.seconds:.1f} s "
        f"in {lasting.runs:,} runs: {lasting.events:,} events, {lasting.megabytes_a_second:,.0f} MB/s, "
        f"{lasting.lost:,} lost, {lasting.waits:,} waits for the recorder"
    )


def said(value: Ratio) -> tuple[str, str]:
    """Write a median and its confidence interval."""
    low, high, covers = ends(value, ".2f")
    return f"{value.median:.2f}", f"{low} to {high} ({covers})" if value.coverage else covers


def ends(value: Ratio, form: str) -> tuple[str, str, str]:
    """Write where an interval ends, and how often such a one holds the true median; of one round there is none."""
    if not value.coverage:
        return "-", "-", "no interval"
    return format(value.low, form), format(value.high, form), f"{100 * value.coverage:.1f} %"
