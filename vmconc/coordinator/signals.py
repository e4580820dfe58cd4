"""Ctrl-C and SIGTERM ask a run to stop; a second one ends it at once.  Handlers are given back afterwards."""

import signal
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequests:
    """Counts how often the user has asked to stop while the context is open."""

    def __init__(self) -> None:
        self.count = 0
        self.old: dict[signal.Signals, object] = {}

    def __enter__(self) -> "StopRequests":
        for number in SIGNALS:
            self.old[number] = signal.signal(number, self.note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self.old.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def note(self, number: int, frame: FrameType | None) -> None:
        """Count one request."""
        self.count += 1

    def asked(self) -> bool:
        """Tell whether the user has asked to stop.  Raises KeyboardInterrupt if he has asked again."""
        if self.count > 1:
            raise KeyboardInterrupt
        return self.count > 0
