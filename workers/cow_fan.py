"""cow_fan: one parent forks many children that stay, writes between the forks, and all children write too."""

from vmconc.program import Option
from vmconc.vm.opcodes import PROT_READ, PROT_WRITE

OPTIONS = {
    "children": Option(16, "children alive at once", 1, 500),
    "pages": Option(256, "pages of the parent", 1, 1 << 20),
    "between": Option(64, "pages that the parent rewrites after each fork", 0, 1 << 20),
    "rounds": Option(2, "times all this is done", 1, 10_000),
}
BASE = 0x10_0000_0000


def program(build, cpus, options):
    parent = build.spawn()
    build.mmap(parent, BASE, options.pages * 4096, PROT_READ | PROT_WRITE, 0)
    for page in range(options.pages):
        build.touch(parent, BASE + page * 4096, write=True)
    for _ in range(options.rounds):
        fan(build, parent, options)
    build.exit_(parent)


def fan(build, parent, options):
    """Fork all children, then let everybody write."""
    children = []
    for _ in range(options.children):
        children.append(build.fork(parent))
        for page in build.random.sample(range(options.pages), min(options.between, options.pages)):
            build.touch(parent, BASE + page * 4096, write=True)
    for page in range(options.pages):
        for child in children:
            build.touch(child, BASE + page * 4096, write=(page + child) % 2 == 0)
    for child in children:
        build.exit_(child)
