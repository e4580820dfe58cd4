"""Where a holder waits itself, those who keep it waiting are in the way instead, and so on along the chain."""

import numpy as np

from vmconc.analysis.holders import expanded
from vmconc.analysis.shares import Pieces

Charges = tuple[Pieces, np.ndarray]  # what is charged for which wait, and the row of the holder that is


def followed(charges: Charges, begin: np.ndarray, end: np.ndarray, waiter: np.ndarray, cpu: np.ndarray) -> Charges:
    """Follow what is charged along the chain; `begin`, `end` and `waiter` of each wait, `cpu` of each holder.

    A chain is followed over as many CPUs as there are at most: one that is longer bites its own tail.
    """
    first = charges
    for _ in range(int(max(waiter.max(initial=0), cpu.max(initial=0)))):
        charges, changed = one_further(charges, first, (begin, end, waiter), cpu)
        if not changed:
            break
    return charges


def one_further(
    charges: Charges, first: Charges, waits: tuple[np.ndarray, np.ndarray, np.ndarray], cpu: np.ndarray
) -> tuple[Charges, bool]:
    """Replace what is charged to CPUs while they wait by what is charged for those waits at `first`."""
    pieces, holder = charges
    begin, end, waiter = waits
    row, wait = waits_within(pieces, cpu[holder], begin, end, waiter)
    if not len(row):
        return charges, False
    low, high = np.maximum(pieces.begin[row], begin[wait]), np.minimum(pieces.end[row], end[wait])
    rest, own = gaps(pieces, row, low, high)
    passed, to = inherited(pieces.span[row], Pieces(wait, low, high), first)
    joined = (np.concatenate([getattr(rest, name), getattr(passed, name)]) for name in ("span", "begin", "end"))
    return (Pieces(*joined), np.concatenate([holder[own], to])), True


def waits_within(
    pieces: Pieces, cpu: np.ndarray, begin: np.ndarray, end: np.ndarray, waiter: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of pieces, and of waits that the CPU of each has during it."""
    order = np.lexsort((begin, waiter))
    width = max(end.max(initial=0), pieces.end.max(initial=0)) + 1
    of_wait, of_piece = (numbers.astype(np.int64) * width for numbers in (waiter[order], cpu))
    low = np.searchsorted(end[order] + of_wait, pieces.begin + of_piece, "right")
    high = np.searchsorted(begin[order] + of_wait, pieces.end + of_piece, "left")
    row, place = expanded(low, high)
    return row, order[place]


def gaps(pieces: Pieces, row: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[Pieces, np.ndarray]:
    """Return what is left of pieces without some spans inside them, and the row of the piece that each is left of."""
    every = np.arange(len(pieces.span))
    rows = np.concatenate([every, row])
    begins, ends = np.concatenate([pieces.begin, high]), np.concatenate([low, pieces.end])
    ends_row = np.concatenate([row, every])
    begins = begins[np.lexsort((begins, rows))]
    order = np.lexsort((ends, ends_row))
    ends, rows = ends[order], ends_row[order]
    kept = ends > begins
    return Pieces(pieces.span[rows[kept]], begins[kept], ends[kept]), rows[kept]


def inherited(span: np.ndarray, within: Pieces, first: Charges) -> tuple[Pieces, np.ndarray]:
    """Return what is charged at first for the waits `within` from when to when, as charged for the waits `span`."""
    pieces, holder = first
    order = np.argsort(pieces.span, kind="stable")
    sorted_span = pieces.span[order]
    low, high = (np.searchsorted(sorted_span, within.span, side) for side in ("left", "right"))
    row, place = expanded(low, high)
    place = order[place]
    begin = np.maximum(pieces.begin[place], within.begin[row])
    end = np.minimum(pieces.end[place], within.end[row])
    kept = end > begin
    return Pieces(span[row[kept]], begin[kept], end[kept]), holder[place[kept]]
