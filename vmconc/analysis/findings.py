"""What follows from a run's events and more than one report asks for: each is worked out once, when it is asked for."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vmconc.analysis.blame import Blame, charge
from vmconc.analysis.events import Events
from vmconc.analysis.holders import Holders, who_holds
from vmconc.analysis.summary import Summary, summarise
from vmconc.analysis.tally import bounced
from vmconc.analysis.usage import Usage, usage


@dataclass(frozen=True)
class Findings:
    """One recorded run."""

    events: Events
    run_dir: str

    @cached_property
    def used(self) -> Usage:
        """Return all acquisitions, waits and holds."""
        return usage(self.events)

    @cached_property
    def bounced(self) -> np.ndarray:
        """Tell which events are acquisitions of a lock that another CPU had before."""
        return bounced(self.events)

    @cached_property
    def summary(self) -> Summary:
        """Return the head of every report."""
        return summarise(self.events, self.run_dir, self.used)

    @cached_property
    def holders(self) -> Holders:
        """Return who held, or waited to write, the locks that were waited for."""
        return who_holds(self.events, self.used.waited)

    @cached_property
    def blame(self) -> Blame:
        """Return whom each wait is charged to."""
        return charge(self.used.waited, self.holders)

    @cached_property
    def blame_along_chain(self) -> Blame:
        """Return the same, not of holders while they wait themselves, but of those in their way."""
        return charge(self.used.waited, self.holders, chain=True)
