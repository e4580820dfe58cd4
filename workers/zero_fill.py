"""zero_fill: every LWP maps, touches and unmaps its own region in its own space; nothing is shared."""

from vmconc.program import Option
from vmconc.vm.opcodes import PROT_READ, PROT_WRITE

OPTIONS = {
    "pages": Option(512, "pages per LWP and round", 1, 1 << 20),
    "rounds": Option(8, "rounds of map, touch and unmap", 1, 100_000),
}
BASE = 0x10_0000_0000


def program(build, cpus, options):
    lwps = [build.spawn() for _ in range(cpus)]
    length = options.pages * 4096
    for _ in range(options.rounds):
        for lwp in lwps:
            build.mmap(lwp, BASE, length, PROT_READ | PROT_WRITE, 0)
        for page in range(options.pages):
            for lwp in lwps:
                build.touch(lwp, BASE + page * 4096, write=True)
        for lwp in lwps:
            build.munmap(lwp, BASE, length)
    for lwp in lwps:
        build.exit_(lwp)
