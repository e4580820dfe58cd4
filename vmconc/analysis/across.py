"""What was held across I/O: from before a page-in of the same CPU until after it."""

import numpy as np

from vmconc.analysis.held import page_in_pairs
from vmconc.analysis.spans import Spans


def across_page_ins(held: Spans) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each hold, across how many page-ins it lasted, and how many ticks these took."""
    begins, ends = page_in_pairs(held.events)
    time = held.events.raw["time"]
    taken = np.concatenate([[0], np.cumsum(time[ends] - time[begins])])
    first = np.searchsorted(begins, held.begin)
    behind = np.maximum(first, np.searchsorted(ends, held.end))
    return behind - first, taken[behind] - taken[first]
