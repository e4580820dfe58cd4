"""`vmconc fault`: the microscope.  One fault on a chain you describe, every lock operation in order."""

from typing import Annotated, Any

import typer

from vmconc.cli import options as o
from vmconc.coordinator.errors import UsageError

CHOICES = ("both", "chained", "backing")
LAYER_LETTERS = "DSV"


def fault(
    layers: Annotated[str, typer.Option("--layers", help="The chain, front first: D default, S swap, V vnode.")] = "DD",
    page: Annotated[
        str, typer.Option("--page", help="Layer that has the page, 0 is the front; none: zero-fill.")
    ] = "none",
    write: Annotated[bool, typer.Option("--write", help="A write fault; else a read fault.")] = False,
    heuristic: Annotated[
        bool, typer.Option("--heuristic", help="backing: the entry's EXCL_HEUR is set before.")
    ] = False,
    needs_copy: Annotated[
        bool, typer.Option("--needs-copy", help="The map entry still has to get its own front layer.")
    ] = False,
    paged_out: Annotated[bool, typer.Option("--paged-out", help="Only the pager of that layer has the page.")] = False,
    protocol: Annotated[str, typer.Option("--protocol", help="chained, backing or both.")] = "both",
    json: o.Json = False,
) -> int:
    """Build a chain of objects, execute one fault on it and print every lock operation in order.

    Example: vmconc fault --layers DDV --page 2 --write
    """
    where = check(layers, page, protocol, paged_out)
    from vmconc.cli.show import print_json
    from vmconc.cli.show_fault import show_fault
    from vmconc.explore.microscope import examine

    found: dict[str, Any] = examine(layers.upper(), where, write, heuristic, needs_copy, paged_out, protocol)
    print_json(found) if json else show_fault(found)
    return 0


def check(layers: str, page: str, protocol: str, paged_out: bool) -> int | None:
    """Return the layer that has the page, None for none.  Raises UsageError naming option, value and fix."""
    if not layers or set(layers.upper()) - set(LAYER_LETTERS):
        raise UsageError(f"--layers {layers!r} is no chain; write one letter a layer, front first: D, S or V")
    if "V" in layers.upper()[:-1]:
        raise UsageError(f"--layers {layers!r} has a file in front of another layer; V can only be the last")
    if protocol not in CHOICES:
        raise UsageError(f"--protocol {protocol!r} is unknown; choose one of {', '.join(CHOICES)}")
    if page == "none":
        if paged_out:
            raise UsageError("--paged-out needs a layer that has the page; add --page N")
        return None
    if not page.isdigit() or int(page) >= len(layers):
        raise UsageError(f"--page {page!r} is no layer of {layers!r}; choose 0 to {len(layers) - 1}, or none")
    if paged_out and layers.upper()[int(page)] == "D":
        raise UsageError(f"--paged-out: layer {page} of {layers!r} is D, which has no pager; choose an S or V layer")
    return int(page)
