"""Our faults held against the recorded kernel's, one by one: a table, a share, and why the rest may differ.

Both sides decided independently; a disagreement is a difference in policy until somebody shows that it is a bug.
"""

from dataclasses import dataclass

import numpy as np

from vmconc.vm import opcodes as op

# Outcomes that are the same decision as the recorded one.
_SAME = {
    op.RECORDED_ZERO: (op.OUTCOME_ZERO,),
    op.RECORDED_FILE: (op.OUTCOME_PAGEIN, op.OUTCOME_HIT),  # HIT: another space has read the page in
    op.RECORDED_FILE_COPY: (op.OUTCOME_PAGEIN_COPY, op.OUTCOME_COPY),  # COPY: likewise
    op.RECORDED_COPY: (op.OUTCOME_COPY,),
    op.RECORDED_SHARED: (op.OUTCOME_HIT, op.OUTCOME_PAGEIN, op.OUTCOME_ZERO),
}

_ZERO_PAGE = "Linux had mapped its zero page for an earlier read and copied it on this write; here the read got a page"
_EARLIER = "the translation was there already, through an earlier touch of the page that Linux did not keep"
_SURVIVED = "the page existed already: it survived a madvise(DONTNEED), a hint here, or another LWP touched it first"

_WHY = {
    (op.RECORDED_COPY, op.OUTCOME_PAGEIN_COPY): (
        "Linux's fault-around had mapped the neighbours of a file page that was read, so its write found this page "
        "present; here it is the first touch"
    ),
    (op.RECORDED_COPY, op.OUTCOME_HIT): _ZERO_PAGE,
    (op.RECORDED_COPY, op.OUTCOME_RESIDENT): _ZERO_PAGE,
    (op.RECORDED_COPY, op.OUTCOME_ZERO): "Linux found the page present through a touch that is not in the trace",
    (op.RECORDED_FILE, op.OUTCOME_RESIDENT): _EARLIER,
    (op.RECORDED_FILE, op.OUTCOME_COPY): "the page was in memory, but a fork had left it to be copied here",
    (op.RECORDED_FILE_COPY, op.OUTCOME_HIT): "the private copy existed already, from a touch that Linux did not keep",
    (op.RECORDED_FILE_COPY, op.OUTCOME_RESIDENT): _EARLIER,
    (op.RECORDED_ZERO, op.OUTCOME_HIT): _SURVIVED,
    (op.RECORDED_ZERO, op.OUTCOME_RESIDENT): _SURVIVED,
    (op.RECORDED_ZERO, op.OUTCOME_COPY): _SURVIVED + ", and a fork had left it to be copied",
    (op.RECORDED_SHARED, op.OUTCOME_RESIDENT): _EARLIER,
}
_NOT_FORESEEN = "not foreseen: look at it"
_UNMAPPED = "no mapping here: an operation is missing from the trace, or one failed here that succeeded on Linux"


@dataclass(frozen=True)
class Agreement:
    """How often both sides decided alike; `table` is {recorded: {outcome: count}}, `why` explains its other cells."""

    table: dict[str, dict[str, int]]
    comparable: int
    agree: int
    why: dict[tuple[str, str], str]

    @property
    def share(self) -> float:
        """Return the share of comparable faults that agree, 1 if there are none."""
        return self.agree / self.comparable if self.comparable else 1.0


def compare(recorded: np.ndarray, outcome: np.ndarray) -> Agreement:
    """Compare recorded decisions with outcomes; touches without either are not comparable."""
    comparable = (recorded > 0) & (outcome != op.OUTCOME_NONE)
    pairs, counts = np.unique(np.stack([recorded[comparable], outcome[comparable]]), axis=1, return_counts=True)
    table: dict[str, dict[str, int]] = {}
    why: dict[tuple[str, str], str] = {}
    agree = 0
    for theirs, ours, count in zip(*pairs.tolist(), counts.tolist(), strict=True):
        names = op.RECORDED_NAMES[theirs], op.OUTCOME_NAMES[ours]
        table.setdefault(names[0], {})[names[1]] = count
        if ours in _SAME[theirs]:
            agree += count
        else:
            why[names] = _UNMAPPED if ours == op.OUTCOME_UNMAPPED else _WHY.get((theirs, ours), _NOT_FORESEEN)
    return Agreement(table, int(comparable.sum()), agree, why)
