"""Lays the rings of mode `recorded` out in a fresh mapping.  No kernels here."""

from vmconc.memory.ring import COUNTERS, EVENT_BYTES
from vmconc.memory.segment import Segment


def ring_tables(cpus: int, events: int) -> dict[str, int]:
    """Return how many records the tables of `cpus` rings have, of so many events each; 0: there are none."""
    return {"Ring": cpus, "Counter": COUNTERS, "Event": cpus * events} if events else {}


def lay_out_rings(segment: Segment, events: int, stops: bool) -> None:
    """Give every CPU its part of the table of events; `stops`: a full ring stops its CPU, else events are dropped."""
    size = events * EVENT_BYTES
    for index in range(segment.table("Ring").capacity):
        ring = segment.nth("Ring", index)
        ring.first, ring.size, ring.limit = segment.table("Event").first + index * size, size, size
        ring.stops = int(stops)
