"""A benchmark measures every arm in every round, and its ratios are those of its rates."""

import pytest

from vmconc.coordinator.bench import arms_of, bench

pytestmark = [pytest.mark.parallel, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Run the cheap groups twice over few pages; return (result, rounds as they were told)."""
    told = []
    return bench(2, ["zero", "workers"], 256, 0, tmp_path_factory.mktemp("runs"), False, told.append), told


def test_every_arm_has_a_rate_and_progress_is_told(measured):
    result, told = measured
    assert told == [1, 2]
    assert [arm.name for arm in result.arms] == [arm.name for arm in arms_of(["zero", "workers"])]
    assert all(0 < arm.rate.low <= arm.rate.median <= arm.rate.high for arm in result.arms)


def test_a_fault_takes_the_locks_that_it_takes_elsewhere(measured):
    """15 and 10 lock operations a zero-fill fault, and the few of the mmap before."""
    locks = {arm.name: arm.locks_per_fault for arm in measured[0].arms}
    assert locks["chained zero"] == pytest.approx(15, abs=0.3) and locks["backing zero"] == pytest.approx(10, abs=0.3)
    assert locks["real zero"] == locks["clear only"] == 0


def test_throughput_of_two_workers_counts_both(measured):
    """Two workers that each did half as well would be no gain: the ratio is of throughput, not of rates."""
    result = measured[0]
    rates = {arm.name: arm.rate for arm in result.arms}
    ratio = next(found.value for found in result.ratios if found.name.startswith("backing zero 2w"))
    below, above = rates["backing zero"], rates["backing zero 2w"]
    assert 2 * above.low / below.high <= ratio.median <= 2 * above.high / below.low


def test_only_pairs_that_were_measured_are_reported(measured):
    names = [found.name for found in measured[0].ratios]
    assert "clear only / real zero" in names and not any("cow" in name or "off" in name for name in names)
