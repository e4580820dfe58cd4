"""Delays that are asked for, at lock operations: to widen a race, or to see who waits when a lock is held for longer.

Builds without delays contain nothing of this.
"""

from vmconc.memory.jit import kernel
from vmconc.memory.struct import guard
from vmconc.memory.system import cpu_pause, nanoseconds
from vmconc.memory.table import record, table
from vmconc.memory.twins import struct

BEFORE_ACQUIRE, AFTER_ACQUIRE, BEFORE_RELEASE, AFTER_RELEASE = range(1, 5)
POINTS = {
    "before-acquire": BEFORE_ACQUIRE, "after-acquire": AFTER_ACQUIRE, "before-release": BEFORE_RELEASE,
    "after-release": AFTER_RELEASE,
}  # fmt: skip
NO_SITE = 0


@struct(align=8)
class Delay:
    """One delay: at all locks of a class, or at one site."""

    point: int = guard("const")
    cls: int = guard("const")  # 0: given by site
    site: int = guard("const")  # NO_SITE: given by class
    nanoseconds: int = guard("const")


@kernel
def delay(cpu, point, cls, site):
    """Pass the time that is asked for at a point, of a class or a site; NO_SITE: it is not known there.

    The CPU runs meanwhile: to others it is busy with what it holds.
    """
    for i in range(table(cpu, "Delay").capacity):
        asked = record(cpu, "Delay", i)
        here = asked.cls == cls or (asked.site != NO_SITE and asked.site == site)
        if here and asked.point == point:
            end = nanoseconds() + asked.nanoseconds
            while nanoseconds() < end:
                cpu_pause()
