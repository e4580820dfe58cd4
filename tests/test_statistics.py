"""Medians and their intervals: exact, from the order of the values."""

from itertools import product
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmconc.cli.show_bench import said, show_bench
from vmconc.cli.show_compare import said_ratio
from vmconc.coordinator.bench import ArmResult, BenchResult, RatioResult
from vmconc.statistics import interval, paired_ratio, summarise

SAMPLE = st.lists(st.floats(0.01, 1e6), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("count", "rank", "percent"),
    [(1, 1, 0), (2, 1, 50), (5, 1, 93.75), (6, 1, 96.875), (8, 1, 99.21875), (9, 2, 96.09375), (20, 6, 95.8611)],
)
def test_the_ends_are_those_of_the_tables_of_the_sign_test(count, rank, percent):
    found, coverage = interval(count)
    assert found == rank and 100 * coverage == pytest.approx(percent, abs=1e-4)


@given(st.integers(1, 1500))
def test_no_narrower_interval_covers_95_percent_and_no_wider_one_is_needed(count):
    def covers(rank):
        return 1 - 2 * sum(comb(count, heads) for heads in range(rank)) / 2**count

    rank, coverage = interval(count)
    assert coverage == pytest.approx(covers(rank), abs=1e-12) and 1 <= rank <= (count + 1) // 2
    assert coverage >= 0.95 or (rank == 1 and count < 6)
    assert covers(rank + 1) < 0.95


@given(SAMPLE)
def test_the_ends_are_values_of_the_sample_on_either_side_of_the_median(values):
    found = summarise(values)
    assert found.low in values and found.high in values
    assert found.low <= found.median <= found.high and found.rounds == values
    assert found.coverage == interval(len(values))[1]


@given(SAMPLE, st.sampled_from([0.25, 2.0, 1024.0]))  # exact in binary
def test_what_is_scaled_has_a_scaled_interval(values, factor):
    one, other = summarise(values), summarise([value * factor for value in values])
    scaled = [value * factor for value in (one.low, one.median, one.high)]
    assert [other.low, other.median, other.high] == scaled and other.coverage == one.coverage


@given(SAMPLE, st.randoms())
def test_the_order_of_the_rounds_does_not_matter(values, random):
    mixed = random.sample(values, len(values))
    one, other = summarise(values), summarise(mixed)
    assert (one.low, one.median, one.high, one.coverage) == (other.low, other.median, other.high, other.coverage)


def test_a_constant_ratio_has_no_width():
    ratio = paired_ratio([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert (ratio.median, ratio.low, ratio.high) == (2.0, 2.0, 2.0)


def test_pairing_cancels_what_both_sides_suffer():
    below = [100.0, 50.0, 10.0, 80.0]
    ratio = paired_ratio([1.5 * rate for rate in below], below)
    assert ratio.low == ratio.high == pytest.approx(1.5)


@pytest.mark.parametrize("count", [2, 5, 6])
def test_of_values_that_may_be_equal_it_covers_at_least_that(count):
    """Of 0, 1 and 2, as likely each, the median is 1."""
    found = [summarise(values) for values in product((0.0, 1.0, 2.0), repeat=count)]
    held = sum(each.low <= 1 <= each.high for each in found) / len(found)
    assert held > interval(count)[1]


def test_more_rounds_narrow_the_interval():
    few, many = summarise([1.0, 2.0, 3.0, 4.0]), summarise([1.0, 2.0, 3.0, 4.0] * 25)
    assert many.high - many.low < few.high - few.low


def test_rounds_without_a_value_are_left_out():
    assert paired_ratio([1.0, 0.0, 3.0], [1.0, 2.0, 0.0]).rounds == [1.0]
    assert paired_ratio([], []).median == 0.0
    assert paired_ratio([0.0], [0.0]).rounds == []


@pytest.mark.parametrize(("values", "row"), [([3.25], "3.25 - - no interval"), ([3.0, 3.5], "3.25 3.00 3.50 50.0 %")])
def test_of_one_round_the_benchmark_prints_no_interval(values, row, capsys):
    ratio = summarise(values)
    show_bench(BenchResult(len(values), 9, [ArmResult("x", ratio)], [RatioResult("y", ratio)], 0, ""))
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert f"y {row}" in rows and ("x 3 - - no interval -" in rows) == (len(values) == 1)


def test_of_one_round_no_confidence_is_said():
    assert said_ratio(summarise([1.625])) == "1.62 (no interval: it takes two paired rounds)"
    assert said_ratio(summarise([1.5, 1.75])) == "1.62 (50.0 % confidence 1.50 to 1.75, 2 paired rounds)"
    assert said(summarise([1.625])) == ("1.62", "no interval")
    assert said(summarise([1.5, 1.75])) == ("1.62", "1.50 to 1.75 (50.0 %)")
