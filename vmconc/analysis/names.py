"""What the numbers in events are called."""

from vmconc.analysis.events import Events
from vmconc.checks.places import path
from vmconc.vm import structs  # noqa: F401 (declares the records that have locks)


def lock_name(events: Events, offset: int) -> str:
    """Name the record, and the lock inside it, that stands at a byte offset: `VmObject 12 token`."""
    for name, (first, stride, capacity) in events.run["recording"]["tables"].items():
        if first <= offset < first + capacity * stride:
            index, inside = divmod(offset - first, stride)
            return " ".join([name, str(index), *path(name, inside)])
    return f"offset {offset:#x}" if offset else "not known"


def site_name(events: Events, number: int) -> str:
    """Return the name of a place in the source, as in `vnode_pager.getpage`."""
    return str(events.run["recording"]["sites"].get(str(number), f"site {number}" if number else "not known"))
