"""hot_page: every LWP touches the same few pages at random, mostly reading."""

from vmconc.program import Option
from vmconc.vm.opcodes import MAP_SHARED, PROT_READ, PROT_WRITE

OPTIONS = {
    "pages": Option(4, "pages that everybody touches", 1, 1 << 16),
    "touches": Option(4000, "touches per LWP", 1, 10_000_000),
    "writes": Option(10, "percent of touches that write", 0, 100),
    "spaces": Option(0, "1: a space for each LWP over shared memory; 0: threads of one space", 0, 1),
    "refault": Option(200, "touches per LWP between two mprotects that make it fault again, 0: never", 0),
}
BASE = 0x10_0000_0000


def program(build, cpus, options):
    first = build.spawn()
    length = options.pages * 4096
    build.mmap(first, BASE, length, PROT_READ | PROT_WRITE, MAP_SHARED if options.spaces else 0)
    start = build.fork if options.spaces else build.vfork
    lwps = [first] + [start(first) for _ in range(1, cpus)]
    for i in range(options.touches):
        for lwp in lwps:
            write = build.random.randrange(100) < options.writes
            build.touch(lwp, BASE + build.random.randrange(options.pages) * 4096, write)
        if options.refault and i % options.refault == options.refault - 1:
            refault(build, lwps if options.spaces else [lwps[i // options.refault % cpus]], length)
    for lwp in lwps:
        build.exit_(lwp)


def refault(build, lwps, length):
    """Take write permission away and give it back: the translations lose it, so the next writes fault."""
    for lwp in lwps:
        build.mprotect(lwp, BASE, length, PROT_READ)
        build.mprotect(lwp, BASE, length, PROT_READ | PROT_WRITE)
