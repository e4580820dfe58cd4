"""Named places in the source where a lock is taken or a CPU waits.

A site's number comes from its name, so compiled code on the disk cache and the table of names always agree,
whatever was imported in which order.
"""

import sys
import zlib
from dataclasses import dataclass

SITE_BITS = 20


@dataclass(frozen=True)
class Site:
    """A name, and where it stands."""

    name: str
    file: str
    line: int


SITES: dict[int, Site] = {}


def site(name: str) -> int:
    """Register a site at the caller's line and return its number, a constant for kernels."""
    number = zlib.crc32(name.encode()) & ((1 << SITE_BITS) - 1)
    frame = sys._getframe(1)
    other = SITES.get(number)
    if other is not None and other.name != name:
        raise ValueError(f"sites {other.name!r} and {name!r} have the same number; rename one")
    SITES[number] = Site(name, frame.f_code.co_filename, frame.f_lineno)
    return number


def site_name(number: int) -> str:
    """Return a site's name, or its number if it is not registered in this process."""
    found = SITES.get(number)
    return found.name if found else f"site {number}"
