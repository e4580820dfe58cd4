"""How deep faults had to look, as `vmconc layers` has it."""

from vmconc.analysis.events import RunError
from vmconc.analysis.layers import Layers, layered
from vmconc.page.parts import Curves, Lines, Part, Section, section
from vmconc.page.recorded import Recorded

BINS = 100
TEXT = (
    "How many layers (objects) faults looked into before they had their page; and how many objects there were that the "
    "run made and had not freed yet, with the records that join them."
)


def depth(run: Recorded) -> Section:
    """Return depth and number of layers over time; of events that do not tell of it, why."""
    parts: list[Part]
    try:
        parts = curves(layered(run.events, BINS, run.summary))
    except RunError as error:
        parts = [Lines([f"Not known: {error}."], "note")]
    return section("layers", "How deep the layers grew", TEXT, *parts)


def curves(found: Layers) -> list[Part]:
    """Return a chart of depths, and one of how many there were."""
    width = found.bin_ns / 1e6
    depths, there = (
        [series(found, field) for field in fields] for fields in (("most", "mean", "least"), ("objects", "backings"))
    )
    return [
        Curves(0, [width] * 3, ["deepest", "mean", "least deep"], depths, "layers looked into"),
        Curves(0, [width] * 2, ["objects", "backing records"], there, "how many there were"),
    ]


def series(found: Layers, field: str) -> list[float | None]:
    """Return a value for each bin; where there was no fault it had no depth."""
    always = field in ("objects", "backings")
    return [float(getattr(one, field)) if always or one.faults else None for one in found.bins]
