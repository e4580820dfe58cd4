"""The plans that a benchmark runs: zero-fill in disjoint spaces, and copy-on-write through a chain of given depth."""

from vmconc.program.builder import PlanBuilder
from vmconc.program.plan import Plan
from vmconc.vm.opcodes import PROT_READ, PROT_WRITE

PAGE = 4096
BASE = 0x10_0000_0000
PIECE = 4096  # pages
APART = 32 << 20  # bytes from piece to piece: an entry larger than this is partitioned


def zero_fill(pages: int, workers: int) -> Plan:
    """Every worker writes `pages` fresh pages of a space of its own."""
    build = PlanBuilder("bench-zero")
    for _ in range(workers):
        write_fresh(build, build.spawn(), BASE, pages)
    return build.finish()


def write_fresh(build: PlanBuilder, lwp: int, base: int, pages: int) -> None:
    """Map memory and write every page."""
    build.mmap(lwp, base, pages * PAGE, PROT_READ | PROT_WRITE, 0)
    for page in range(pages):
        build.touch(lwp, base + page * PAGE, write=True)


def copy_on_write(pages: int, depth: int) -> Plan:
    """Generation 0 writes `pages` pages; generation `depth`, alone on CPU 1 of two, writes them again.

    The memory comes in pieces, each an entry of its own below the size at which one is partitioned.  Every generation
    between writes one page of its own in each piece, which gives it a layer.  Idle LWPs keep the others on CPU 0.
    """
    build = PlanBuilder(f"bench-cow-{depth}")
    pieces = [(BASE + start * APART // PIECE, min(PIECE, pages - start)) for start in range(0, pages, PIECE)]
    lwp = build.spawn()
    for base, size in pieces:
        write_fresh(build, lwp, base, size + depth)
    for generation in range(1, depth):
        build.exit_(build.spawn())
        lwp = build.fork(lwp)
        for base, size in pieces:
            build.touch(lwp, base + (size + generation) * PAGE, write=True)
    child = build.fork(lwp)
    for base, size in pieces:
        for page in range(size):
            build.touch(child, base + page * PAGE, write=True)
    return build.finish()
