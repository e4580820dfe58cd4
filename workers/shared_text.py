"""shared_text: many spaces map the same file read-only, private or shared, and read all of it."""

from vmconc.program import Option
from vmconc.vm.opcodes import MAP_SHARED, PROT_EXEC, PROT_READ

OPTIONS = {
    "spaces": Option(8, "spaces alive at once", 1, 500),
    "pages": Option(512, "pages of the file", 1, 1 << 20),
    "rounds": Option(4, "times each space maps and reads it", 1, 100_000),
    "shared": Option(0, "1: MAP_SHARED, 0: MAP_PRIVATE", 0, 1),
}
BASE = 0x10_0000_0000


def program(build, cpus, options):
    file = build.file("text", options.pages)
    flags = MAP_SHARED if options.shared else 0
    lwps = [build.spawn() for _ in range(options.spaces)]
    for _ in range(options.rounds):
        for lwp in lwps:
            build.mmap(lwp, BASE, options.pages * 4096, PROT_READ | PROT_EXEC, flags, file)
        order = build.random.sample(range(options.pages), options.pages)
        for page in order:
            for lwp in lwps:
                build.touch(lwp, BASE + page * 4096)
        for lwp in lwps:
            build.munmap(lwp, BASE, options.pages * 4096)
    for lwp in lwps:
        build.exit_(lwp)
