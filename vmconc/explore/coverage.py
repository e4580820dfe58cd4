"""How many happens-before classes executions fell into, and how many more there may be."""

from typing import Any

import msgspec
import numpy as np

from vmconc.explore.laboratory import Laboratory

LAST = 0.9  # the last tenth


class Classes(msgspec.Struct, frozen=True):
    """The classes of the executions counted, and how often they were seen.  `seen` alone is known at every time."""

    seen: int = 0  # different classes
    counted: int = 0  # executions: all that were run, unless there was no room for more classes
    once: int = 0  # classes of one execution
    twice: int = 0  # classes of two
    late: int = 0  # classes first seen in the last tenth of the executions counted

    @property
    def unseen(self) -> float:
        """Return the probability that one more such execution is of a class not seen (Good-Turing).

        (Good: The population frequencies of species and the estimation of population parameters, Biometrika 1953.)
        """
        return self.once / self.counted if self.counted else 1.0

    @property
    def total(self) -> float:
        """Return how many classes there are at least, seen or not (Chao1, in the form without bias).

        (Chao: Nonparametric estimation of the number of classes in a population, Scandinavian Journal of Statistics
        1984; Estimating species richness, in: Encyclopedia of Statistical Sciences, 2005.)
        """
        return self.seen + self.once * (self.once - 1) / (2 * (self.twice + 1))


def begin_classes(lab: Laboratory) -> None:
    """Have executions counted in their classes from now on, if the machine has room for any."""
    engine: Any = lab.engine
    table = lab.segment.view("Class")
    table[table["fingerprint"] != 0] = 0
    engine.classing = int(len(table) > 0)
    engine.classes = engine.counted = 0


def rows_of(lab: Laboratory) -> np.ndarray:
    """Return the classes seen: fingerprint, executions, number of the first; empty if some word had no room."""
    table, engine = lab.segment.view("Class"), lab.engine
    rows: np.ndarray = table[:0] if engine.crowded else table[table["fingerprint"] != 0]
    return rows.copy()


def summary(rows: np.ndarray) -> Classes:
    """Return what is said of classes."""
    counted = int(rows["executions"].sum())
    return Classes(
        len(rows), counted, int((rows["executions"] == 1).sum()), int((rows["executions"] == 2).sum()),
        int((rows["first"] > LAST * counted).sum()),
    )  # fmt: skip


def united(parts: list[np.ndarray]) -> np.ndarray:
    """Return the classes that several processes have seen; a class is the same to all, when, is put in proportion."""
    together = np.concatenate(parts)
    total = int(together["executions"].sum())
    for part in parts:
        part["first"] = part["first"] * total // max(1, int(part["executions"].sum()))
    first = np.concatenate([part["first"] for part in parts])
    prints, places = np.unique(together["fingerprint"], return_inverse=True)
    rows = np.zeros(len(prints), together.dtype)
    rows["fingerprint"], rows["first"] = prints, total
    np.add.at(rows["executions"], places, together["executions"])
    np.minimum.at(rows["first"], places, first)
    return rows
