"""Cuts spans of time where pieces of them begin and end, and deals each part out, to the last tick."""

from dataclasses import dataclass

import numpy as np

from vmconc.analysis.groups import group_starts


@dataclass(frozen=True)
class Pieces:
    """Columns of the same length: a span, and from when to when, in ticks, something was so during it."""

    span: np.ndarray
    begin: np.ndarray
    end: np.ndarray


def cut(begin: np.ndarray, end: np.ndarray, pieces: Pieces) -> tuple[Pieces, np.ndarray, np.ndarray]:
    """Cut spans at the ends of their pieces.

    Returns the parts, one behind the other, and of each piece its first part and the one behind its last.
    """
    every = np.arange(len(begin))
    span = np.concatenate([every, every, pieces.span, pieces.span])
    points = np.concatenate([begin, end, pieces.begin, pieces.end]) - begin[span]
    far = int(points.max(initial=0)) + 1
    keys, place = np.unique(span * far + points, return_inverse=True)
    owner, point = np.divmod(keys, far)
    time = point + begin[owner]
    last = np.append(owner[1:] != owner[:-1], True)[: len(keys)]
    until = np.where(last, time, np.append(time[1:], 0)[: len(keys)])
    of_pieces = place[2 * len(begin) :]
    return Pieces(owner, time, until), of_pieces[: len(pieces.span)], of_pieces[len(pieces.span) :]


def dealt(lengths: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Deal each part out equally to those that are in it; what does not divide goes to the first ones."""
    order = np.argsort(part, kind="stable")
    starts = group_starts(part[order])
    number = np.diff(np.append(starts, len(order)))
    rank = np.empty(len(part), np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(starts, number)
    share, rest = np.divmod(lengths[part], np.bincount(part, minlength=len(lengths))[part])
    return share + (rank < rest)
