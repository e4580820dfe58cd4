"""A recorded run with all that more than one section asks for, found once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vmconc.analysis.check import Checked, check
from vmconc.analysis.events import Events
from vmconc.analysis.order_told import Ordered, ordered
from vmconc.analysis.summary import Summary, extent, summarise
from vmconc.analysis.tally import bounced
from vmconc.analysis.usage import Usage, usage


@dataclass(frozen=True)
class Recorded:
    """One run."""

    events: Events
    run_dir: str

    @cached_property
    def used(self) -> Usage:
        """Return all acquisitions, waits and holds."""
        return usage(self.events)

    @cached_property
    def summary(self) -> Summary:
        """Return the head of every report."""
        return summarise(self.events, self.run_dir, self.used)

    @cached_property
    def bounced(self) -> np.ndarray:
        """Tell which events take a lock that another CPU had."""
        return bounced(self.events)

    @cached_property
    def order(self) -> Ordered:
        """Return the lock-order graph."""
        return ordered(self.events, self.run_dir)

    @cached_property
    def checked(self) -> Checked:
        """Return what `vmconc check` finds."""
        return check(self.events, self.run_dir, order=self.order)

    @cached_property
    def extent(self) -> tuple[int, int]:
        """Return the ticks of the first and the last event of a CPU."""
        return extent(self.events)

    def milliseconds(self, ticks: int) -> float:
        """Return the ms from the first event of a CPU to some ticks."""
        return (ticks - self.extent[0]) * self.events.tick / 1e6
