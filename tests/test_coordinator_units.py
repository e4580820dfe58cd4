"""What users write as durations, rates and probabilities, and the statistics behind ratios."""

import pytest

from vmconc.coordinator.errors import UsageError
from vmconc.coordinator.units import bandwidth, duration, probability, say_duration


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
