"""Medians and their uncertainty: exact confidence intervals from the order of the values.  Numbers in, numbers out."""

from math import comb

import msgspec
import numpy as np

ONE_IN = 20  # intervals at most misses the true median: 95 % hold it


class Ratio(msgspec.Struct):
    """A paired ratio: median over the rounds and its confidence interval."""

    median: float
    low: float
    high: float
    rounds: list[float] = []
    coverage: float = 0.0  # the chance of such an interval to hold the true median


def paired_ratio(above: list[float], below: list[float]) -> Ratio:
    """Return median and confidence interval of above[i] / below[i]; rounds that lack a value are left out."""
    return summarise([a / b for a, b in zip(above, below, strict=True) if a > 0 and b > 0])


def summarise(values: list[float]) -> Ratio:
    """Return the median of some values and its interval; all zero if there is no value.

    It is that of the sign test, for values that are drawn independently from whatever distribution.  Of those that may
    be equal, as counts, it covers at least what it says, of others exactly that.
    """
    if not values:
        return Ratio(0.0, 0.0, 0.0)
    ordered, (rank, coverage) = sorted(map(float, values)), interval(len(values))
    return Ratio(float(np.median(ordered)), ordered[rank - 1], ordered[-rank], [float(v) for v in values], coverage)


def interval(count: int) -> tuple[int, float]:
    """Return which of `count` values, from either end, an interval of the median ends at, and what it covers.

    The true median lies outside if fewer than that many values lie on one side of it, which they do as coins fall.
    The ends are the innermost ones with which 95 % is covered, or the outermost ones, where these cover less.
    """
    rank, outside = 1, 1  # so many of the 2**count ways in which coins fall have fewer than `rank` heads
    while 2 * ONE_IN * (outside + comb(count, rank)) <= 2**count:
        outside, rank = outside + comb(count, rank), rank + 1
    return rank, 1 - 2 * outside / 2**count
