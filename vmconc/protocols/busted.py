"""Protocols that are wrong on purpose: each breaks one rule, so that anybody can see that the checks would notice.

Each is a protocol with one bug switched on: `if bug(cpu, "NAME")` in the kernels, compiled only into such builds.
"""

from dataclasses import dataclass

PREFIX = "busted-"


@dataclass(frozen=True)
class Busted:
    """What is wrong, and which rule must notice."""

    bug: str
    breaks: str
    rule: str
    seen_by: str  # CPUs, events or both
    base: str = "backing"


BUSTED = {
    PREFIX + name: busted
    for name, busted in {
        "order-reversal": Busted(
            "order-reversal", "a fault locks the file while it has the page busy", "lock-order", "both"
        ),
        "lost-wakeup": Busted("lost-wakeup", "who un-busies a page wakes nobody", "lost-wakeup", "events"),
        "two-writers": Busted(
            "two-writers", "an exclusive token is free for others before its holder is done", "two-writers", "events"
        ),
        "reader-ignores-writer": Busted(
            "reader-ignores-writer", "a token is shared although somebody owns it", "reader-and-writer", "events"
        ),
        "token-over-sleep": Busted(
            "token-over-sleep", "who sleeps keeps its tokens", "token-over-sleep", "events"
        ),
        "map-dropped-in-io": Busted("B4", "the map is unlocked while a page is read", "io-map-released", "both"),
        "lock-leak": Busted(
            "lock-leak", "a fault of a file's first page leaves the file locked", "held-at-return", "both"
        ),
        "stranger-unlock": Busted(
            "stranger-unlock", "a page is un-busied once more, by who no longer has it", "not-held", "both"
        ),
    }.items()
}  # fmt: skip


def unmask(protocol: str) -> tuple[str, tuple[str, ...]]:
    """Return the protocol that is meant by a name, and the bugs that are switched on in it."""
    busted = BUSTED.get(protocol)
    return (busted.base, (busted.bug,)) if busted else (protocol, ())
