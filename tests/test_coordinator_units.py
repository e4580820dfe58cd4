"""What users write as durations, rates and probabilities, and the statistics behind ratios."""

import pytest

from vmconc.coordinator.errors import UsageError
from vmconc.coordinator.units import bandwidth, duration, probability, say_duration
from vmconc.statistics import paired_ratio, summarise


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("5ms", 5_000_000),
        ("100us", 100_000),
        ("0", 0),
        ("1.5s", 1_500_000_000),
        ("2", 2_000_000_000),
        (".5 ms", 500_000),
    ],
)
def test_duration(text, nanoseconds):
    assert duration("--io-latency", text) == nanoseconds


@pytest.mark.parametrize("text", ["", "fast", "-5ms", "5 parsecs", "ms", "1e3ms"])
def test_a_bad_duration_names_option_and_value(text):
    with pytest.raises(UsageError) as caught:
        duration("--io-latency", text)
    assert "--io-latency" in str(caught.value) and repr(text) in str(caught.value)


@pytest.mark.parametrize(("text", "rate"), [("200MB/s", 200e6), ("1KiB/s", 1024), ("0", 0), ("3 gb/s", 3e9), ("7", 7)])
def test_bandwidth(text, rate):
    assert bandwidth("--io-bandwidth", text) == rate


@pytest.mark.parametrize("text", ["-1MB/s", "5 apples/s", "MB/s"])
def test_a_bad_bandwidth_is_refused(text):
    with pytest.raises(UsageError, match="--io-bandwidth"):
        bandwidth("--io-bandwidth", text)


def test_probability():
    assert probability("--io-error-rate", 0.25) == 0.25
    for value in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match="--io-error-rate"):
            probability("--io-error-rate", value)


def test_durations_are_written_in_a_fitting_unit():
    assert [say_duration(n) for n in (12, 1500, 2_000_000, 3_500_000_000)] == ["12 ns", "1.5 us", "2 ms", "3.5 s"]


def test_a_constant_ratio_has_no_width():
    ratio = paired_ratio([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert (ratio.median, ratio.low, ratio.high) == (2.0, 2.0, 2.0)


def test_pairing_cancels_what_both_sides_suffer():
    below = [100.0, 50.0, 10.0, 80.0]
    ratio = paired_ratio([1.5 * rate for rate in below], below)
    assert ratio.low == ratio.high == pytest.approx(1.5)


def test_the_interval_covers_the_median_and_does_not_depend_on_the_run():
    values = [1.0, 1.1, 1.2, 0.9, 1.3, 1.05, 1.15]
    found = summarise(values, seed=3)
    assert found == summarise(values, seed=3)
    assert min(values) <= found.low < found.median == 1.1 < found.high <= max(values)


def test_more_rounds_narrow_the_interval():
    few, many = summarise([1.0, 2.0, 3.0, 4.0]), summarise([1.0, 2.0, 3.0, 4.0] * 25)
    assert many.high - many.low < few.high - few.low


def test_rounds_without_a_value_are_left_out():
    assert paired_ratio([1.0, 0.0, 3.0], [1.0, 2.0, 0.0]).rounds == [1.0]
    assert paired_ratio([], []).median == 0.0
    assert paired_ratio([0.0], [0.0]).rounds == []
