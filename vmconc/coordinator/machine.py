"""Makes machines: a shared mapping, laid out and filled for one plan and one protocol."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from vmconc.coordinator.delays import delays_of, lay_out_delays
from vmconc.coordinator.errors import EmulatorError, UsageError
from vmconc.coordinator.options import RunOptions
from vmconc.memory.build import Build
from vmconc.memory.segment import SegmentError, create
from vmconc.program.plan import OP_DTYPE, WAIT_DTYPE, LwpPlan, Plan
from vmconc.protocols import load_protocol
from vmconc.vm.boot import MachineOptions, boot, sizes_for
from vmconc.vm.opcodes import EXIT, SPAWN

WARM = MachineOptions(
    frames=64, objects=64, entries=64, map_entries=16, spaces=4, backings=64, page_tables=64, radix_nodes=64
)
WARM_RING = 1024  # events
NO_TABLE = ("frames", "heuristic", "fail_fast", "seed", "ring", "ring_stops", "timed")


def make_machine(plan: Plan, protocol: str, options: RunOptions) -> Any:
    """Return the segment of a booted machine."""
    build = options.build(protocol)
    return booted(plan, build, machine_options(options), options.cpus, options.directory, options.delays)


def machine_options(options: RunOptions) -> Any:
    """Return the sizes and switches of the machine.  Raises UsageError for a table that there is not."""
    sizes = [field.name for field in fields(MachineOptions) if field.name not in NO_TABLE]
    for name, size in options.tables.items():
        if name not in sizes:
            raise UsageError(f"--table {name}={size}: no such table; choose one of {', '.join(sizes)}")
    return MachineOptions(
        frames=options.frames,
        heuristic=options.heuristic,
        fail_fast=options.fail_fast,
        ring=options.ring if options.mode == "recorded" else 0,
        ring_stops=not options.drop,
        timed=options.mode == "timed",
        seed=options.seed,
        **options.tables,
    )


def booted(
    plan: Plan, build: Build, wanted: Any, cpus: int, directory: Path, delays: tuple[str, ...] = ()
) -> Any:  # fmt: skip
    """Create and boot."""
    load_protocol(build.protocol)
    asked, sizes = delays_of(delays), sizes_for(plan, wanted, cpus)
    sizes.tables["Delay"] = len(asked)
    try:
        segment: Any = create(sizes, build, directory, cpus, wanted.seed)
    except SegmentError as error:
        raise EmulatorError(str(error)) from error
    boot(segment, plan, wanted, cpus)
    lay_out_delays(segment, asked)
    return segment


def empty_machine(build: Build) -> Any:
    """Return a machine of one CPU whose program starts and ends."""
    ops = np.zeros(2, dtype=OP_DTYPE)
    ops["kind"], ops["stamp"], ops["file"] = (SPAWN, EXIT), (1, 2), -1
    plan = Plan("nothing", ops, np.zeros(0, dtype=WAIT_DTYPE), [LwpPlan(0)], [])
    ring = WARM_RING if build.mode == "recorded" else 0
    options = replace(WARM, ring=ring, timed=build.mode == "timed")
    return booted(plan, build, options, 1, Path("/dev/shm"))
