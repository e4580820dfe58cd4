"""What changed from runs before to runs after, figure by figure, and how sure that is."""

import msgspec
import numpy as np

from vmconc.analysis.figures import meaning
from vmconc.statistics import summarise

PAIRS_LEAST = 6  # of fewer not even the interval from the least to the largest change covers 95 %
SAME, UNSURE, NO_INTERVAL, FIXED, NEW = "same", "no difference shown", "no interval", "fixed", "new"
WORDS = {1: {True: "better", False: "worse"}, -1: {True: "worse", False: "better"}, 0: {True: "more", False: "fewer"}}


class Change(msgspec.Struct):
    """One figure; medians of the runs on each side, the change being the median over the pairs."""

    figure: str
    unit: str  # ns, /s, or nothing: a count
    before: float
    after: float
    change_percent: float | None  # None: from nothing to something
    low_percent: float | None  # of the confidence interval, which covers 95 % or more; None: there is none
    high_percent: float | None
    verdict: str


def change(figure: str, before: list[float], after: list[float]) -> Change:
    """Compare a figure of pairs of runs."""
    unit, better = meaning(figure)
    median, low, high = percents(before, after)
    found = Change(figure, unit, float(np.median(before)), float(np.median(after)), median, low, high, "")
    found.verdict = verdict(found, better, before, after)
    return found


def percents(before: list[float], after: list[float]) -> tuple[float | None, float | None, float | None]:
    """Return the change and its interval, which needs enough pairs, and something before in each."""
    if before == after:
        return 0.0, *((0.0, 0.0) if len(before) >= PAIRS_LEAST else (None, None))
    if not all(before):
        median = float(np.median(before))
        return (100 * (float(np.median(after)) / median - 1) if median else None), None, None
    ratios = [new / old for old, new in zip(before, after, strict=True)]
    if len(before) < PAIRS_LEAST:
        return 100 * (float(np.median(ratios)) - 1), None, None
    ratio = summarise(ratios)
    median, low, high = (100 * (value - 1) for value in (ratio.median, ratio.low, ratio.high))
    return median, low, high


def verdict(found: Change, better: int, before: list[float], after: list[float]) -> str:
    """Return what can be said of a change; I/O under a lock depends on the code, not on chance: one run shows it."""
    if before == after:
        return SAME
    sure = found.figure.endswith((".io.count", ".io.total")) or len(before) >= PAIRS_LEAST
    if better < 0 and sure and all(before) and not any(after):
        return FIXED
    if better < 0 and sure and all(after) and not any(before):
        return NEW
    if found.low_percent is None or found.high_percent is None:
        return NO_INTERVAL
    if found.low_percent <= 0 <= found.high_percent:
        return UNSURE
    return WORDS[better][found.low_percent > 0]
