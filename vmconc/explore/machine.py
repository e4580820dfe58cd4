"""A plan's machine, small, with its CPUs and its disk taking turns: what is explored of a protocol."""

from dataclasses import replace

from vmconc.explore.guards import declare_guards, guard_tables
from vmconc.explore.laboratory import CLASSES, Laboratory, engine_tables
from vmconc.memory.build import Build
from vmconc.memory.segment import Sizes, create
from vmconc.program.plan import Plan
from vmconc.protocols import load_protocol
from vmconc.vm.boot import MachineOptions, boot, sizes_for

SMALL = MachineOptions(
    frames=64, objects=32, entries=32, map_entries=16, spaces=8, backings=64, page_tables=48, radix_nodes=64, requests=8
)


STATES = 1 << 16  # room for the final states that are told apart, twice what is used
WORDS = 1 << 12  # room for the locks and channels that the executions of a small machine touch
WORDS_OF_ACCESSES = 1 << 13  # and for the words of its records


def plan_laboratory(
    plan: Plan,
    protocol: str,
    cpus: int,
    bugs: tuple[str, ...] = (),
    watched: int = 0,
    frames: int = 0,
    accesses: bool = False,
    races: bool = False,
) -> Laboratory:
    """Return an engine for a plan under a protocol; `watched`: keep so many lock operations of an execution.

    `accesses`: each access to a shared record is a step too; `races`: and data races are looked for.
    """
    from vmconc.vm.disk import disk_serve
    from vmconc.vm.run import run_cpu

    load_protocol(protocol)
    options = replace(SMALL, frames=frames or SMALL.frames)
    sizes = sizes_for(plan, options, cpus)
    words = WORDS_OF_ACCESSES if accesses else WORDS
    engine = engine_tables(cpus + 1, states=STATES, noted=watched, words=words, classes=CLASSES, races=races)
    tables = {**sizes.tables, "Step": watched, **engine}
    if accesses:
        tables |= guard_tables()
    segment = create(Sizes(tables, sizes.frames), Build("controlled", protocol, bugs, accesses), cpus=cpus)
    boot(segment, plan, options, cpus)
    if accesses:
        declare_guards(segment)
    segment.machine.go = 1
    segment.nth("Scheduler", 0).racing = int(races)
    lab = Laboratory(segment, [run_cpu] * cpus + [disk_serve], daemons=1)
    lab.distinguish("VmPage", "Op")  # all that is checked at rest lies between
    return lab
