"""All that was done with the locks of a run: acquisitions, waits and holds."""

from typing import NamedTuple

import numpy as np

from vmconc.analysis.events import Events
from vmconc.analysis.spans import Spans, acquisitions, holds, waits


class Usage(NamedTuple):
    """Spans of one run, or those of some of its lock classes."""

    acquired: Spans  # each ends where it begins
    waited: Spans
    held: Spans

    def only(self, classes: list[int]) -> "Usage":
        """Return what is of some classes; none: of all."""
        return Usage(*[spans.only(np.isin(spans.cls, classes)) for spans in self]) if classes else self


def usage(events: Events) -> Usage:
    """Find them."""
    return Usage(acquisitions(events), waits(events), holds(events))
