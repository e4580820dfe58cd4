"""What tracking costs is measured for every protocol and mode, from runs whose events are all there."""

import pytest

from vmconc.coordinator.bench_tracking import MODES, PROTOCOLS, bench

pytestmark = [pytest.mark.parallel, pytest.mark.slow, pytest.mark.timeout(500)]


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Measure two rounds over few pages."""
    return bench(2, 256, 0.01, 0, tmp_path_factory.mktemp("runs"), False, lambda done: None)


def test_every_mode_is_measured_against_mode_off(measured):
    assert {(cost.protocol, cost.mode) for cost in measured.costs} == {(p, m) for p in PROTOCOLS for m in MODES}
    assert all(cost.nanoseconds.low > 0 for cost in measured.costs)
    assert {cost.of_off.median for cost in measured.costs if cost.mode == "off"} == {1.0}


def test_a_fault_has_two_events_for_each_lock_and_two_of_its_own(measured):
    """15 and 10 locks, as `test_coordinator_bench.py` has it; and the few events of the mmap before."""
    events = {cost.protocol: cost.events_per_fault for cost in measured.events}
    assert events == {"chained": pytest.approx(32, abs=1), "backing": pytest.approx(22, abs=1)}


def test_what_an_event_costs_beyond_its_time_stamp_is_less_than_what_it_costs(measured):
    assert measured.stamp.low > 0
    assert all(cost.beyond_stamp.median < cost.nanoseconds.median for cost in measured.events)


def test_two_cpus_at_full_speed_lose_nothing(measured):
    lasting = measured.endurance
    assert lasting.seconds >= 0.01 and lasting.runs == 1 and lasting.events > 1_000_000 and lasting.lost == 0
