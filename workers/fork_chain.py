"""fork_chain: each generation writes some pages and forks the next, so chains of shadows grow as deep as they can."""

from vmconc.program import Option
from vmconc.vm.opcodes import PROT_READ, PROT_WRITE

OPTIONS = {
    "generations": Option(24, "length of a chain", 1, 500),
    "pages": Option(128, "pages of the first generation", 1, 1 << 20),
    "writes": Option(32, "pages that each generation writes", 0, 1 << 20),
    "chains": Option(4, "chains, one after the other per CPU and all CPUs at once", 1, 10_000),
    "keep": Option(1, "1: ancestors stay until the end; 0: they exit after their fork", 0, 1),
}
BASE = 0x10_0000_0000


def program(build, cpus, options):
    for _ in range(options.chains):
        chain(build, options)


def chain(build, options):
    """Build one chain and take it down, the youngest first."""
    lwp, ancestors = build.spawn(), []
    build.mmap(lwp, BASE, options.pages * 4096, PROT_READ | PROT_WRITE, 0)
    for generation in range(options.generations):
        for page in build.random.sample(range(options.pages), min(options.writes, options.pages)):
            build.touch(lwp, BASE + page * 4096, write=True)
        for page in range(generation % 2, options.pages, 2):
            build.touch(lwp, BASE + page * 4096)
        child = build.fork(lwp)
        if options.keep:
            ancestors.append(lwp)
        else:
            build.exit_(lwp)
        lwp = child
    for member in [lwp, *reversed(ancestors)]:
        build.exit_(member)
