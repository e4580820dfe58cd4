"""A plan: everything a run executes, as arrays.  The one thing that programs and traces produce.

Nothing here knows of shared memory: the coordinator copies the arrays into the segment.
"""

from dataclasses import dataclass, field

import numpy as np

OP_FIELDS = (
    "kind", "lwp", "va", "length", "prot", "flags", "file", "offset", "new_length", "target", "stamp",
    "wait_first", "wait_count", "check", "expect_own", "expect_parent", "recorded",
)  # fmt: skip
OP_DTYPE = np.dtype([(name, np.int64) for name in OP_FIELDS])
WAIT_DTYPE = np.dtype([("lwp", np.int64), ("count", np.int64)])


@dataclass(frozen=True)
class FilePlan:
    """A file that operations map.  `path` names a real file to use when it exists; else its pages are made up.

    `pages` is its size; page `p`, word `w` of a made-up file holds `file_word(index, p, w)`.
    """

    name: str
    pages: int
    path: str = ""


@dataclass(frozen=True)
class LwpPlan:
    """One LWP: its own word in every page and the word of the LWP whose fork made its space (-1: none)."""

    word: int
    parent_word: int = -1
    name: str = ""


@dataclass
class Plan:
    """Operations in program order (a valid sequential execution), their waits, the LWPs and files they name.

    `ops`: shape (n,), OP_DTYPE.  `waits`: shape (m,), WAIT_DTYPE.  The first operation is SPAWN of LWP 0 by LWP 0.
    """

    name: str
    ops: np.ndarray
    waits: np.ndarray
    lwps: list[LwpPlan]
    files: list[FilePlan]
    skipped: dict[str, int] = field(default_factory=dict)  # records left out by --skip-bad, by reason
    notes: list[str] = field(default_factory=list)


def file_word(file: int, page: int, word: int) -> int:
    """Return the content of one word of a made-up file: never 0, different for every (file, page, word)."""
    return (file + 1) << 40 | page << 10 | word << 1 | 1
