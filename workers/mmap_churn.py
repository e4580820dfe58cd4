"""mmap_churn: threads of one space map, touch and unmap ranges of their own; they meet only at the map lock."""

from vmconc.program import Option
from vmconc.vm.opcodes import PROT_READ, PROT_WRITE

OPTIONS = {
    "threads": Option(0, "threads, 0: one per CPU", 0, 512),
    "pages": Option(8, "pages per mapping", 1, 1 << 16),
    "rounds": Option(500, "mappings per thread", 1, 1_000_000),
}
BASE, STRIDE = 0x10_0000_0000, 1 << 30


def program(build, cpus, options):
    first = build.spawn()
    lwps = [first] + [build.vfork(first) for _ in range(1, options.threads or cpus)]
    length = options.pages * 4096
    for i in range(options.rounds):
        for thread, lwp in enumerate(lwps):
            va = BASE + thread * STRIDE + i % 16 * 2 * length
            build.mmap(lwp, va, length, PROT_READ | PROT_WRITE, 0)
            for page in range(options.pages):
                build.touch(lwp, va + page * 4096, write=True)
            build.munmap(lwp, va, length)
    for lwp in lwps:
        build.exit_(lwp)
