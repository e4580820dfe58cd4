"""private_heap: threads of one space fill, rewrite and release heaps of their own with brk, mprotect and madvise."""

from vmconc.program import Option
from vmconc.vm.opcodes import ADVICE_FREE, PROT_READ, PROT_WRITE

OPTIONS = {
    "threads": Option(0, "threads, 0: one per CPU", 0, 512),
    "pages": Option(32, "pages by which a heap grows in a round", 1, 1 << 16),
    "rounds": Option(64, "rounds per thread", 1, 100_000),
}
BASE, STRIDE = 0x10_0000_0000, 1 << 34
READ_WRITE = PROT_READ | PROT_WRITE


def program(build, cpus, options):
    first = build.spawn()
    lwps = [first] + [build.vfork(first) for _ in range(1, options.threads or cpus)]
    grown = options.pages * 4096
    ends = [BASE + i * STRIDE for i in range(len(lwps))]
    for i in range(options.rounds):
        for thread, lwp in enumerate(lwps):
            build.brk(lwp, ends[thread], grown)
            fill(build, lwp, ends[thread], options.pages)
            ends[thread] += grown
            if i % 8 == 7:
                build.brk(lwp, ends[thread], -4 * grown)
                ends[thread] -= 4 * grown
    for lwp in lwps:
        build.exit_(lwp)


def fill(build, lwp, start, pages):
    """Write the new pages, make half of them read-only for a while, and write all again."""
    for page in range(pages):
        build.touch(lwp, start + page * 4096, write=True)
    half = max(pages // 2, 1)
    build.mprotect(lwp, start, half * 4096, PROT_READ)
    build.touch(lwp, start)
    build.mprotect(lwp, start, half * 4096, READ_WRITE)
    build.madvise(lwp, start, pages * 4096, ADVICE_FREE)
    for page in range(pages):
        build.touch(lwp, start + page * 4096, write=page % 2 == 0)
