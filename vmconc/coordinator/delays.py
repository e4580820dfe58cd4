"""Reads `--delay 5us@vm_object:after-acquire` and lays it out where the CPUs find it."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vmconc.coordinator.errors import UsageError
from vmconc.coordinator.units import duration
from vmconc.locks.classes import CLASS_NAMES
from vmconc.locks.delay import AFTER_ACQUIRE, POINTS
from vmconc.locks.sites import SITES

MOST = 1_000_000_000  # ns: a CPU that is delayed looks at nothing, so nobody can stop it
EXAMPLE = "write DELAY@WHERE[:POINT], for example 5us@vm_object:after-acquire"


@dataclass(frozen=True)
class Asked:
    """One delay; of class and site one is 0."""

    point: int
    cls: int
    site: int
    nanoseconds: int


def delays_of(words: Sequence[str]) -> list[Asked]:
    """Read delays.  Raises UsageError.  Sites are known once the protocol or the lock program is loaded."""
    asked = [delay_of(word) for word in words]
    if sum(one.nanoseconds for one in asked) > MOST:
        raise UsageError(f"--delay {' --delay '.join(words)}: longer than 1s together; choose less")
    return asked


def delay_of(word: str) -> Asked:
    """Read one delay."""
    length, at, rest = word.partition("@")
    where, _, point = rest.partition(":")
    if not at or not where:
        raise UsageError(f"--delay {word!r} names no place; {EXAMPLE}")
    point = point or "after-acquire"
    if point not in POINTS:
        raise UsageError(f"--delay {word!r}: no point {point!r}; choose one of {', '.join(POINTS)}")
    nanoseconds = duration("--delay", length)
    if not 0 < nanoseconds <= MOST:
        raise UsageError(f"--delay {word!r}: {length} is out of range; choose more than 0 and at most 1s")
    cls = {name: number for number, name in CLASS_NAMES.items()}.get(where, 0)
    site = 0 if cls else site_of(word, where)
    if site and POINTS[point] != AFTER_ACQUIRE:
        raise UsageError(f"--delay {word!r}: at a site the only point is after-acquire; name a lock class for others")
    return Asked(POINTS[point], cls, site, nanoseconds)


def site_of(word: str, name: str) -> int:
    """Return the number of a site."""
    numbers: dict[str, int] = {site.name: number for number, site in SITES.items()}
    if name not in numbers:
        close = difflib.get_close_matches(name, [*numbers, *CLASS_NAMES.values()], 1)
        hint = f"did you mean {close[0]!r}?" if close else "see vmconc list locks, and vmconc report RUN --by site"
        raise UsageError(f"--delay {word!r}: no lock class or site {name!r}; {hint}")
    return numbers[name]


def lay_out_delays(segment: Any, asked: Sequence[Asked]) -> None:
    """Write delays into the table of a fresh mapping."""
    for index, one in enumerate(asked):
        delay = segment.nth("Delay", index)
        delay.point, delay.cls, delay.site, delay.nanoseconds = one.point, one.cls, one.site, one.nanoseconds
