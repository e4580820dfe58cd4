"""Rule `order-cycle`: the rings of the lock-order graph, as the validator reports them."""

from vmconc.analysis.confidence import LOW
from vmconc.analysis.order_told import Ordered, OrderRing

ORDER_CYCLE = "order-cycle"
MEANING = "no CPUs each hold a lock and ask for one that the next of them holds, in modes that keep each other out"


def order_rule(told: Ordered) -> tuple[str, str, list[str], list[str]]:
    """Return the rule's name and meaning, the rings that break it, and a note on those that may be false alarms."""
    sure = [say(ring) for ring in told.rings if ring.confidence != LOW]
    doubted = len(told.rings) - len(sure)
    rings = "1 ring" if doubted == 1 else f"{doubted} rings"
    notes = [f"{ORDER_CYCLE}: {rings} of low confidence; vmconc order says why"] if doubted else []
    return ORDER_CYCLE, MEANING, sure, notes


def say(ring: OrderRing) -> str:
    """Describe a ring in one line."""
    steps = [
        f"cpu {edge.example.cpu} at {edge.example.at_ms:.6f} ms: {edge.held} {edge.held_mode} -> "
        f"{edge.wanted} {edge.mode} at {edge.example.site}"
        for edge in ring.edges
    ]
    return f"confidence {ring.confidence}: " + "; ".join(steps)
