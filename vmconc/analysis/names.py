"""What the numbers in events are called."""

from vmconc.analysis.events import Events


def lock_name(events: Events, offset: int) -> str:
    """Name the record, and the lock inside it, that stands at a byte offset: `VmObject 12 token`."""
    for name, table in events.run["recording"]["tables"].items():
        first, stride = table["first"], table["stride"]
        if first <= offset < first + table["capacity"] * stride:
            index, inside = divmod(offset - first, stride)
            return f"{name} {index} {table['parts'].get(str(inside), f'byte {inside}')}".strip()
    return f"offset {offset:#x}" if offset else "not known"


def site_name(events: Events, number: int) -> str:
    """Return the name of a place in the source, as in `vnode_pager.getpage`."""
    return str(events.run["recording"]["sites"].get(str(number), f"site {number}" if number else "not known"))
