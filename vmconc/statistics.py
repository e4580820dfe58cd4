"""Medians and their uncertainty: bootstrap confidence intervals of paired ratios.  Numbers in, numbers out."""

import msgspec
import numpy as np

RESAMPLES = 4000
CONFIDENCE = 0.95


class Ratio(msgspec.Struct):
    """A paired ratio: median over the rounds and a bootstrap 95 % confidence interval."""

    median: float
    low: float
    high: float
    rounds: list[float] = []


def paired_ratio(above: list[float], below: list[float], seed: int = 0) -> Ratio:
    """Return median and confidence interval of above[i] / below[i]; rounds that lack a value are left out."""
    ratios = [a / b for a, b in zip(above, below, strict=True) if a > 0 and b > 0]
    return summarise(ratios, seed)


def summarise(values: list[float], seed: int = 0) -> Ratio:
    """Return the median of some values and its percentile-bootstrap interval; all zero if there is no value."""
    if not values:
        return Ratio(0.0, 0.0, 0.0, [])
    data = np.array(values, dtype=np.float64)
    picks = np.random.default_rng(seed).integers(0, len(data), (RESAMPLES, len(data)))
    medians = np.median(data[picks], axis=1)
    tail = (1 - CONFIDENCE) / 2 * 100
    low, high = np.percentile(medians, [tail, 100 - tail])
    return Ratio(float(np.median(data)), float(low), float(high), [float(value) for value in values])
