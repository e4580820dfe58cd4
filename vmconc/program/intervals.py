"""Disjoint ranges of pages with a value each: the one structure behind both address spaces and change histories."""

from bisect import bisect_left, bisect_right
from typing import Generic, TypeVar

Value = TypeVar("Value")


class IntervalMap(Generic[Value]):
    """Map disjoint half-open ranges [start, end) to values; a later range replaces what it covers."""

    __slots__ = ("ends", "starts", "values")

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.values: list[Value] = []

    def copy(self) -> "IntervalMap[Value]":
        """Return an independent map with the same values."""
        twin: IntervalMap[Value] = IntervalMap()
        twin.starts, twin.ends, twin.values = self.starts[:], self.ends[:], self.values[:]
        return twin

    def index(self, page: int) -> int:
        """Return the position of the range that holds `page`, -1 if there is none."""
        i = bisect_right(self.starts, page) - 1
        return i if i >= 0 and page < self.ends[i] else -1

    def find(self, page: int) -> Value | None:
        """Return the value at `page`."""
        i = bisect_right(self.starts, page) - 1
        return self.values[i] if i >= 0 and page < self.ends[i] else None

    def index_above(self, page: int) -> int:
        """Return the position of the first range that starts above `page`, -1 if there is none."""
        i = bisect_right(self.starts, page)
        return i if i < len(self.starts) else -1

    def append(self, start: int, end: int, value: Value) -> None:
        """Add a range above all others."""
        self.starts.append(start)
        self.ends.append(end)
        self.values.append(value)

    def cut(self, start: int, end: int) -> list[tuple[int, int, Value]]:
        """Remove [start, end) and return the pieces that were there, in order."""
        self._split(start)
        self._split(end)
        i, j = bisect_left(self.starts, start), bisect_left(self.starts, end)
        pieces = list(zip(self.starts[i:j], self.ends[i:j], self.values[i:j], strict=True))
        del self.starts[i:j], self.ends[i:j], self.values[i:j]
        return pieces

    def assign(self, start: int, end: int, value: Value) -> None:
        """Let [start, end) have this value."""
        if start >= end:
            return
        self.cut(start, end)
        i = bisect_left(self.starts, start)
        self.starts.insert(i, start)
        self.ends.insert(i, end)
        self.values.insert(i, value)

    def _split(self, page: int) -> None:
        """Make `page` a boundary if a range straddles it."""
        i = bisect_right(self.starts, page) - 1
        if i < 0 or self.starts[i] == page or page >= self.ends[i]:
            return
        self.starts.insert(i + 1, page)
        self.ends.insert(i + 1, self.ends[i])
        self.values.insert(i + 1, self.values[i])
        self.ends[i] = page
