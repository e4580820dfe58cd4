"""Runs the same operations under several protocols in alternated rounds, so that a noisy machine hits all alike."""

import random
from collections.abc import Callable

import msgspec

from vmconc.coordinator.options import RunOptions
from vmconc.coordinator.result import CompareResult, Locks, RunResult, encode, worst
from vmconc.coordinator.session import Session
from vmconc.memory.build import Build
from vmconc.program.plan import Plan
from vmconc.statistics import paired_ratio

PROTOCOLS = ("chained", "backing")
SUMMED = (
    "faults",
    "wall_seconds",
    "cpu_seconds",
    "pageins",
    "pageins_map_released",
    "pageins_map_held",
    "violation_count",
)
SUMMED_TABLES = ("events", "retries", "outcomes")


def compare(plan: Plan, options: RunOptions, rounds: int, show: bool, note: Callable[[int], None]) -> CompareResult:
    """Run the rounds.  A run that does not end by itself ends the comparison; `note` is told the rounds done.

    `rounds.json` has what each run counted, `run.json` the sums.
    """
    order = random.Random(options.seed)
    runs: list[dict[str, RunResult]] = []
    builds = [Build(options.mode, protocol) for protocol in PROTOCOLS]
    with Session(builds, options, f"{plan.name}-compare", show) as session:
        for number in range(rounds):
            runs.append(one_round(session, plan, order.sample(PROTOCOLS, len(PROTOCOLS))))
            note(number + 1)
            if worst([result.exit_code for result in runs[-1].values()]) > 1:
                break
        result = combine(plan, runs, str(session.directory.path))
        session.directory.write_json("rounds.json", encode(runs))
        session.directory.write_json("run.json", encode(result))
    return result


def one_round(session: Session, plan: Plan, protocols: list[str]) -> dict[str, RunResult]:
    """Run each protocol once, in the order given."""
    done: dict[str, RunResult] = {}
    for protocol in protocols:
        done[protocol] = session.run(plan, protocol)
        if done[protocol].exit_code > 1:
            break
    return done


def combine(plan: Plan, runs: list[dict[str, RunResult]], run_dir: str) -> CompareResult:
    """Sum the rounds of each protocol and pair their rates."""
    rates = {name: [done[name].faults_per_cpu_second if name in done else 0.0 for done in runs] for name in PROTOCOLS}
    protocols = {
        name: total([done[name] for done in runs if name in done])
        for name in PROTOCOLS
        if any(name in done for done in runs)
    }
    per_round = [{name: result.faults_per_cpu_second for name, result in done.items()} for done in runs]
    ratio = paired_ratio(rates["backing"], rates["chained"])
    agreement = {name: result.agreement for name, result in protocols.items() if result.agreement}
    return CompareResult(plan.name, len(runs), protocols, ratio, per_round, agreement, run_dir)


def total(runs: list[RunResult]) -> RunResult:
    """Return one result whose counts are the sums over `runs`, and whose ending is the worst of theirs."""
    last = max(runs, key=lambda result: (result.exit_code, result is runs[-1]))
    merged = msgspec.convert(msgspec.to_builtins(last), RunResult)
    for name in SUMMED:
        setattr(merged, name, sum(getattr(result, name) for result in runs))
    for name in SUMMED_TABLES:
        setattr(merged, name, add_tables([getattr(result, name) for result in runs]))
    merged.locks = {
        name: Locks(**{column: sum(getattr(r.locks[name], column) for r in runs) for column in Locks.__struct_fields__})
        for name in last.locks
    }
    merged.max_depth = max(result.max_depth for result in runs)
    merged.order = sorted({edge for result in runs for edge in result.order})
    merged.violations = [violation for result in runs for violation in result.violations]
    merged.faults_per_cpu_second = merged.faults / merged.cpu_seconds if merged.cpu_seconds else 0.0
    return merged


def add_tables(tables: list[dict[str, int]]) -> dict[str, int]:
    """Add dictionaries of counts."""
    names = {name: None for table in tables for name in table}
    return {name: sum(table.get(name, 0) for table in tables) for name in names}
