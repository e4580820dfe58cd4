"""Speedscope's file format: a profile for each CPU, in which every stack is one sample with its weight.

Locks are not given up in the reverse order of their acquisition, which the format's timed profiles would ask for.
"""

from collections.abc import Callable
from typing import Any, BinaryIO

import msgspec

from vmconc.analysis.events import Events
from vmconc.analysis.grouping import cpu_name
from vmconc.export.stacks import UNITS, WEIGHTS, Stack, root, stacks

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
SAID_UNITS = {"count": "none", "nanoseconds": "nanoseconds"}  # a count has none, there


def write_speedscope(events: Events, out: BinaryIO, say: Callable[[str], None], weight: str) -> list[str]:
    """Write the stacks that have any of the weight."""
    say("adding up stacks")
    found = [stack for stack in stacks(events) if stack.weights[WEIGHTS.index(weight)]]
    frames = {name: index for index, name in enumerate(sorted({frame for s in found for frame in s.frames}))}
    profiles = [profile(events, cpu, found, frames, weight) for cpu in sorted({stack.cpu for stack in found})]
    file = {
        "$schema": SCHEMA, "name": root(events.run), "exporter": "vmconc",
        "shared": {"frames": [{"name": name} for name in frames]}, "profiles": profiles,
    }  # fmt: skip
    out.write(msgspec.json.encode(file))
    return [f"{len(found):,} stacks of {len(profiles)} CPUs by {weight}"]


def profile(events: Events, cpu: int, found: list[Stack], frames: dict[str, int], weight: str) -> dict[str, Any]:
    """Return the profile of one CPU."""
    own = [stack for stack in found if stack.cpu == cpu]
    weights = [stack.weights[WEIGHTS.index(weight)] for stack in own]
    return {
        "type": "sampled", "name": f"{cpu_name(events, cpu)}: {weight}", "unit": SAID_UNITS[UNITS[weight]],
        "startValue": 0, "endValue": sum(weights), "weights": weights,
        "samples": [[frames[frame] for frame in stack.frames] for stack in own],
    }  # fmt: skip
