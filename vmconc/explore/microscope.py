"""The microscope: one fault on a chain of layers built by hand, every lock operation in order, what it all cost.

The fault runs interpreted (NUMBA_DISABLE_JIT=1): same source, nothing to compile, an answer within a second.  Where the
JIT is on that takes a process of its own.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import Any

from vmconc.coordinator.errors import EmulatorError, UsageError

PATIENCE = 60.0  # seconds


@dataclass(frozen=True)
class Scene:
    """What to look at.

    `layers` is the chain that the walk sees, front first.  With `needs_copy` a write itself makes the front layer: it
    is missing when the fault begins.  A read only finds the entry marked.
    """

    layers: str
    page: int | None  # the layer that has the page
    write: bool = False
    heuristic: bool = False
    needs_copy: bool = False
    paged_out: bool = False

    @property
    def missing(self) -> bool:
        """Tell whether the front layer is not there yet."""
        return self.needs_copy and self.write


def examine(
    layers: str, page: int | None, write: bool, heuristic: bool, needs_copy: bool, paged_out: bool, protocol: str
) -> dict[str, Any]:
    """Execute one fault under one protocol or both; return for each its `counts` and its `steps`.

    Lock operations of making the front layer (`needs_copy`) are among the steps but not among the counts.  Raises
    UsageError for a chain that cannot be, EmulatorError if the fault went wrong.
    """
    scene = Scene(layers.upper(), page, write, heuristic, needs_copy, paged_out)
    check(scene)
    if os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0"):
        return elsewhere(scene, protocol)
    from vmconc.explore.microscope_scene import look
    from vmconc.protocols import protocol_names

    names = protocol_names() if protocol == "both" else [protocol]
    if unknown := set(names) - set(protocol_names()):
        raise UsageError(f"no protocol {unknown.pop()!r}; choose one of {', '.join(protocol_names())}, both")
    return {name: look(scene, name) for name in reversed(names)}


def check(scene: Scene) -> None:
    """Refuse a scene that cannot be set."""
    layers, page = scene.layers, scene.page
    if "S" in layers:
        raise UsageError(f"--layers {layers!r}: the swap pager is not there yet; use D and V")
    if not layers or set(layers) - set("DV") or "V" in layers[:-1]:
        raise UsageError(f"--layers {layers!r} is no chain; write D for each layer, and V only for the last")
    if page is not None and not 0 <= page < len(layers):
        raise UsageError(f"--page {page} is no layer of {layers!r}; choose 0 to {len(layers) - 1}, or none")
    if scene.paged_out and (page is None or layers[page] != "V"):
        raise UsageError(f"--paged-out needs a page in a layer with a pager; layer V of {layers!r} if there is one")
    if scene.missing and (layers[0] != "D" or page == 0):
        raise UsageError("--needs-copy --write: the fault makes the front layer, so it is D and cannot have the page")


def elsewhere(scene: Scene, protocol: str) -> dict[str, Any]:
    """Have a process without the JIT examine the scene."""
    wanted = json.dumps([*asdict(scene).values(), protocol])
    command = [sys.executable, "-c", f"from {__name__} import answer; answer()", wanted]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired as error:
        raise EmulatorError(f"the fault did not end within {PATIENCE:.0f} s") from error
    if done.returncode == UsageError.exit_code:
        raise UsageError(done.stdout)
    if done.returncode:
        raise EmulatorError((done.stderr.strip().splitlines() or ["the microscope died"])[-1])
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def answer() -> None:
    """Be the process without the JIT: the scene is the first argument, the answer goes to standard output."""
    try:
        print(json.dumps(examine(*json.loads(sys.argv[1]))))
    except UsageError as error:
        print(error, end="")
        sys.exit(UsageError.exit_code)
