"""What the checks at quiescence found, described as violations of the CPUs' own rules are."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vmconc.checks.quiescent_state import Ints, Records

KEPT = 16  # violations of one rule that are described one by one; all are counted

RULES = {
    "ref-count": "an object's references are the entries, layers and files that point to it (invariant 23)",
    "ba-refs": "a heap ba's refs are the pointers to it (invariants 23, 24)",
    "ba-reachable": "an allocated heap ba is pointed to, and what is pointed to is allocated (invariants 12, 24)",
    "head-refs": "the ba embedded in an entry has no refs (invariant 25)",
    "layer-object": "every layer has a live object (invariant 26)",
    "pip": "nobody pages when nobody runs (invariant 27)",
    "dead-object": "a dead object is gone when nobody holds it (invariant 28)",
    "hold-count": "nobody holds an object when nobody runs (invariants 5, 28)",
    "page-identity": "one page for each (object, index), in the object's tree and nowhere else (invariant 29)",
    "resident-count": "an object's resident_page_count is what its tree holds (invariant 29)",
    "radix-tree": "the nodes of page trees are linked, counted and reachable (invariant 29)",
    "free-page": "a free page is not mapped, not busy, not wired (invariant 30)",
    "page-busy": "no page is busy when nobody runs (invariant 31)",
    "lock-free": "every lock is free when nobody runs (invariants 1, 4)",
    "sleeper": "nobody sleeps, holds or waits for anything when all is done (invariant 32)",
    "one-mapping": "no index of an object with ONEMAPPING is reached by two entries (invariant 35)",
    "needs-copy": "no writable translation in the range of an entry that needs a copy (invariant 36)",
    "deep-writable": "a page of a layer below the first is never mapped writable (invariant 37)",
    "translation": "a translation maps the page that its entry resolves to, with no more rights (invariants 15, 37)",
    "acyclic": "no layer is its own backing (invariant 38)",
    "frozen-layer": "a heap ba is what it was when it was made (invariants 12, 43)",
    "entry-order": "entries are sorted, disjoint, page-aligned and each in one map (invariant 39)",
    "entry-size": "an anonymous entry ends within its first object (invariant 39)",
    "transition": "no entry is in transition when nobody runs (invariant 22)",
    "pv-list": "the pv entries of pages are exactly the translations (invariant 40's predecessor)",
    "page-table": "every page of a page table is reached from one root, and all it holds is counted",
    "page-flags": "MAPPED and WRITEABLE are set on every page with such a translation",
    "page-queue": "every page is on exactly the queue it says, and queues count right",
    "wire-count": "a page is wired as often as translations say, and then it is on no paging queue (invariant 30)",
    "space-refs": "a space has as many references as LWPs",
    "leak": "what nothing refers to is free, and all is when all spaces are gone (invariant 45)",
}


class Report:
    """The violations of one look, in the order found."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.violations: list[dict[str, Any]] = []
        self.counts: dict[str, int] = {}

    def add(self, rule: str, subject: str, expected: Any, found: Any) -> None:
        """Note one violation."""
        self.counts[rule] = self.counts.get(rule, 0) + 1
        if self.counts[rule] > KEPT:
            return
        invariant = RULES[rule]
        expected, found = plain(expected), plain(found)
        text = f"{rule}: {invariant}; at quiescence, {subject}: expected {expected}, found {found}; seed {self.seed}"
        self.violations.append(
            {"rule": rule, "invariant": invariant, "subject": subject, "expected": expected, "found": found,
             "text": text}
        )  # fmt: skip

    def same(self, rule: str, table: Records, what: str, places: Ints, expected: Any, found: Ints) -> None:
        """Note every place where a number is not the expected one."""
        expected = np.broadcast_to(expected, found.shape)
        for i in np.flatnonzero(expected != found):
            self.add(rule, f"{table.name} {places[i]}{' ' + what if what else ''}", expected[i], found[i])

    def each(self, rule: str, table: Records, what: str, places: Ints, expected: Any, found: Any) -> None:
        """Note a violation at each of some places."""
        found = np.broadcast_to(found, (len(places),))
        for i, place in enumerate(places):
            self.add(rule, f"{table.name} {place}{' ' + what if what else ''}", expected, found[i])

    def all(self) -> list[dict[str, Any]]:
        """Return the violations; of a rule broken more than KEPT times the last one says how often."""
        rest = []
        for rule, count in self.counts.items():
            if count > KEPT:
                text = f"{rule}: {RULES[rule]}; at quiescence, {count - KEPT} more violations"
                rest.append(
                    {"rule": rule, "invariant": RULES[rule], "subject": f"{count - KEPT} more", "expected": 0,
                     "found": count, "text": text}
                )  # fmt: skip
        return self.violations + rest


def plain(value: Any) -> Any:
    """Turn NumPy scalars into what JSON knows."""
    return value.item() if isinstance(value, np.generic) else value


def tally(places: Ints, size: int) -> NDArray[np.int64]:
    """Count how often each place is named; NULL and BAD do not count."""
    return np.bincount(places[places >= 0], minlength=size)[:size].astype(np.int64)
