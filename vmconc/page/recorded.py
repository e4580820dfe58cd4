"""A recorded run with all that more than one section of its page asks for, found once."""

from dataclasses import dataclass
from functools import cached_property

from vmconc.analysis.check import check
from vmconc.analysis.checked import Checked
from vmconc.analysis.findings import Findings
from vmconc.analysis.order_told import Ordered, ordered
from vmconc.analysis.report import Found, find
from vmconc.analysis.summary import extent
from vmconc.analysis.timeline import shown


@dataclass(frozen=True)
class Recorded(Findings):
    """One run."""

    @cached_property
    def found(self) -> Found:
        """Return what there is to sum up."""
        return find(self, [])

    @cached_property
    def order(self) -> Ordered:
        """Return the lock-order graph; in a program about locks that is between single locks."""
        return ordered(self.events, self.run_dir, instances=not self.events.protocol)

    @cached_property
    def checked(self) -> Checked:
        """Return what `vmconc check` finds."""
        return check(self.events, self.run_dir, order=self.order, charged=None if self.events.gap else self.blame)

    @cached_property
    def extent(self) -> tuple[int, int]:
        """Return the ticks of the first and the last event of a CPU."""
        return extent(self.events)

    @cached_property
    def shown(self) -> tuple[int, int]:
        """Return the ticks between which a timeline lies: what never ended lasts until the run's end."""
        return shown(self.events)

    def milliseconds(self, ticks: int) -> float:
        """Return the ms from the first event of a CPU to some ticks."""
        return (ticks - self.extent[0]) * self.events.tick / 1e6
