"""What locks are called, with their modes."""

from vmconc.analysis.events import Events
from vmconc.analysis.names import lock_name
from vmconc.locks.classes import CLASS_NAMES, MODE_NAMES


def class_name(cls: int, mode: int) -> str:
    """Name a lock class and a mode: `vm_object exclusive`."""
    return f"{CLASS_NAMES[cls]} {MODE_NAMES[mode]}"


def span_name(events: Events, lock: int, cls: int, mode: int) -> str:
    """Name a lock and a mode, by its class if it is not known which one it is."""
    return f"{lock_name(events, lock)} {MODE_NAMES[mode]}" if lock else class_name(cls, mode)
