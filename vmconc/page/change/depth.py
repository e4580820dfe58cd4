"""How deep faults had to look, before and after."""

from vmconc.analysis.layers import Layers
from vmconc.page.change.charted import Charted
from vmconc.page.depth import series
from vmconc.page.parts import Curves, Lines, Part, Section, section

CURVES = {
    "most": "layers looked into: deepest", "mean": "layers looked into: mean", "objects": "objects there were",
    "backings": "backing records there were",
}  # fmt: skip
TEXT = (
    "How many layers (objects) faults looked into before they had their page; and how many objects there were that the "
    "run made and had not freed yet, with the records that join them. Solid: after; dashed: before."
)
FIRST = "of the first pair of runs"


def depth(before: Charted, after: Charted, pairs: int) -> Section:
    """Return curves of both sides, if both have layers."""
    old, new = before.layers, after.layers
    parts: list[Part]
    if isinstance(old, Layers) and isinstance(new, Layers):
        parts = [curves(field, old, new) for field in CURVES if any_of(field, old, new)]
        parts += [Lines([FIRST], "note")] if pairs > 1 else []
    else:
        parts = [Lines([f"Not known: {why}." for why in (old, new) if isinstance(why, str)], "note")]
    return section("layers", "How deep the layers grew", TEXT, *parts)


def curves(field: str, before: Layers, after: Layers) -> Curves:
    """Return one chart; each run's time begins with its first event."""
    sides = [after, before]
    widths = [side.bin_ns / 1e6 for side in sides]
    return Curves(0, widths, ["after", "before"], [series(side, field) for side in sides], CURVES[field])


def any_of(field: str, *sides: Layers) -> bool:
    """Tell whether there is any of it."""
    return any(value for side in sides for value in series(side, field))
