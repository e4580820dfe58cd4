"""The plans that a benchmark runs: zero-fill in disjoint spaces, and copy-on-write through a chain of given depth."""

from vmconc.program.builder import PlanBuilder
from vmconc.program.plan import Plan
from vmconc.vm.opcodes import PROT_READ, PROT_WRITE

PAGE = 4096
BASE = 0x10_0000_0000


def zero_fill(pages: int, workers: int) -> Plan:
    """Every worker writes `pages` fresh pages of a space of its own."""
    build = PlanBuilder("bench-zero")
    for _ in range(workers):
        write_fresh(build, build.spawn(), pages)
    return build.finish()


def write_fresh(build: PlanBuilder, lwp: int, pages: int) -> None:
    """Map memory and write every page."""
    build.mmap(lwp, BASE, pages * PAGE, PROT_READ | PROT_WRITE, 0)
    for page in range(pages):
        build.touch(lwp, BASE + page * PAGE, write=True)


def copy_on_write(pages: int, depth: int) -> Plan:
    """Generation 0 writes `pages` pages; generation `depth`, alone on CPU 1 of two, writes them again.

    Every generation between writes one page of its own, so that it gets a layer.  Idle LWPs keep the others on CPU 0.
    """
    build = PlanBuilder(f"bench-cow-{depth}")
    lwp = build.spawn()
    write_fresh(build, lwp, pages + depth)
    for generation in range(1, depth):
        build.exit_(build.spawn())
        lwp = build.fork(lwp)
        build.touch(lwp, BASE + (pages + generation) * PAGE, write=True)
    child = build.fork(lwp)
    for page in range(pages):
        build.touch(child, BASE + page * PAGE, write=True)
    return build.finish()
