"""The benchmark of the engine measures what it says."""

import pytest

from vmconc.explore import bench


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """Measure for a moment only."""
    monkeypatch.setattr(bench, "MEASURED", 0.001)
    monkeypatch.setattr(bench, "BATCH", 5)


@pytest.mark.slow  # compiles both protocols for CPUs that take turns
def test_every_program_is_measured_under_every_strategy_once_a_round():
    rounds = []
    rates = bench.bench(2, 0, rounds.append)
    assert rounds == [1, 2]
    assert {(rate.name, rate.strategy) for rate in rates} == {
        (workload.name, choice) for workload in bench.workloads() for choice in bench.CHOICES
    }
    for rate in rates:
        assert 0 < rate.low <= rate.executions <= rate.high
        assert rate.points > rate.executions and rate.steps > 3


def test_the_steps_are_those_of_the_programs(monkeypatch):
    """One mutex each way, two CPUs: four steps; two steps an update."""
    locks = bench.workloads()[:3]
    monkeypatch.setattr(bench, "workloads", lambda: locks)
    steps = {(rate.name, rate.strategy): rate.steps for rate in bench.bench(1, 0, lambda done: None)}
    assert steps["mutex 2 x 1", "uniform"] == 4 and steps["updates 4 x 50", "uniform"] == 400


def test_what_is_expected_stands_with_the_uniform_strategy_only():
    workload = bench.workloads()[0]
    measured = [(3.0, 30.0, 10.0), (1.0, 10.0, 10.0), (2.0, 20.0, 10.0)]
    rate = bench.summarise(workload, "uniform", measured)
    assert (rate.executions, rate.low, rate.high, rate.points) == (2.0, 1.0, 3.0, 20.0)
    assert rate.expected and not bench.summarise(workload, "pos", measured).expected


def test_each_classic_bug_is_looked_for_once_a_seed(monkeypatch):
    monkeypatch.setattr(bench, "CLASSICS", (("account", 0, 3.0), ("dining", 3, 2.9)))
    numbers = []
    found = bench.power(3, numbers.append)
    assert numbers == [1, 2]
    assert [(row.program, row.options, row.found, row.seeds) for row in found] == [
        ("account", {}, 3, 3), ("dining", {"philosophers": "3"}, 3, 3),
    ]  # fmt: skip
    assert all(1 <= row.median <= row.most <= 300 for row in found)


def test_what_is_not_found_counts_as_more_than_the_cap(monkeypatch):
    monkeypatch.setattr(bench, "CLASSICS", (("reorder", 20, 39.7),))
    monkeypatch.setattr(bench, "CAP", 2)
    assert [(row.median, row.most, row.found) for row in bench.power(2, lambda done: None)] == [(3, 0, 0)]
