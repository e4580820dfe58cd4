"""The smallest programs that show the bugs of the catalogue.

LWP n runs on CPU n modulo the number of CPUs: where two shall share a CPU, or must not, an idle one stands between.
Programs whose bug is seen at quiescence do not exit: what is torn down shows nothing.
"""

from vmconc.program.builder import PAGE, PlanBuilder
from vmconc.vm.opcodes import (
    ADVICE_DONTNEED,
    ADVICE_FREE,
    INHERIT_COPY,
    INHERIT_SHARE,
    MAP_SHARED,
    PROT_READ,
    PROT_WRITE,
)

BASE = 0x10_0000_0000
READ_WRITE = PROT_READ | PROT_WRITE


def page(index: int) -> int:
    """Return the address of a page of the one mapping that the programs have."""
    return BASE + index * PAGE


def mapped(build: PlanBuilder, pages: int, flags: int = 0, file: bool = False) -> int:
    """Start an LWP that maps so many pages: anonymous memory, or all of a file."""
    lwp = build.spawn()
    build.mmap(lwp, BASE, pages * PAGE, READ_WRITE, flags, build.file("file", pages) if file else -1)
    return lwp


def write_against_fork(build: PlanBuilder) -> None:
    """Write a file's page, mapped shared but to be inherited as a copy, while another LWP forks."""
    parent = mapped(build, 1, MAP_SHARED, file=True)
    build.minherit(parent, BASE, PAGE, INHERIT_COPY)
    thread = build.vfork(parent)
    build.touch(thread, BASE, write=True)
    build.fork(parent)


def fault_against_clip(build: PlanBuilder) -> None:
    """Write a private page of a file while another LWP unmaps the next one."""
    parent = mapped(build, 2, file=True)
    thread = build.vfork(parent)
    build.touch(thread, page(0), write=True)
    build.munmap(parent, page(1), PAGE)


def copy_file_page(build: PlanBuilder) -> None:
    """Write a private page of a file."""
    build.touch(mapped(build, 1, file=True), BASE, write=True)


def read_file_page(build: PlanBuilder) -> None:
    """Read a page of a file."""
    build.touch(mapped(build, 1, file=True), BASE)


def fork_of_layers(build: PlanBuilder) -> None:
    """Fork with a layer below the first object."""
    parent = mapped(build, 1, file=True)
    build.touch(parent, BASE, write=True)
    build.fork(parent)


def exit_with_layers(build: PlanBuilder) -> None:
    """Exit with two layers below the first object."""
    parent = mapped(build, 1, file=True)
    build.touch(parent, BASE, write=True)
    child = build.fork(parent)
    build.exit_(parent)
    build.touch(child, BASE, write=True)
    build.exit_(child)


def exits_of_layers(build: PlanBuilder) -> None:
    """Fork with a layer below the first object; then both exit."""
    parent = mapped(build, 1, file=True)
    build.touch(parent, BASE, write=True)
    child = build.fork(parent)
    build.exit_(parent)
    build.exit_(child)


def write_after_fork(build: PlanBuilder) -> None:
    """Write a page again after a fork, while the child reads it."""
    parent = mapped(build, 1)
    build.touch(parent, BASE, write=True)
    child = build.fork(parent)
    build.touch(parent, BASE, write=True)
    build.touch(child, BASE)


def unmap_shared(build: PlanBuilder) -> None:
    """Share two pages with a child, which unmaps one."""
    parent = mapped(build, 2, MAP_SHARED)
    build.touch(parent, page(1), write=True)
    child = build.fork(parent)
    build.munmap(child, page(1), PAGE)


def share_a_list(build: PlanBuilder) -> None:
    """Let two spaces share the layer below their first objects, and end the one that has it as its first."""
    parent = mapped(build, 1)
    build.touch(parent, BASE, write=True)
    child = build.fork(parent)
    build.touch(child, BASE, write=True)
    build.fork(child)
    build.exit_(parent)


def unmaps_of_shared_list(build: PlanBuilder) -> None:
    """Let two spaces share the layer below their first objects, and both unmap it; two more have its object as well."""
    parent = mapped(build, 1)
    build.touch(parent, BASE, write=True)
    child = build.fork(parent)
    build.fork(parent)
    build.spawn()  # so that who unmaps does so on another CPU
    build.touch(child, BASE, write=True)
    grandchild = build.fork(child)
    build.munmap(child, BASE, PAGE)
    build.munmap(grandchild, BASE, PAGE)


def walk_against_collapse(build: PlanBuilder, file: bool = False) -> None:
    """Read a page of the third layer while the parent forks: only the second layer points to the third by then."""
    parent = mapped(build, 3, file=file)
    build.spawn()  # so that the parent and the child that exits share a CPU
    build.touch(parent, page(0), write=True)
    gone = build.fork(parent)
    build.touch(parent, page(1), write=True)
    reader = build.fork(parent)
    build.touch(reader, page(2), write=True)
    build.exit_(gone)
    build.fork(parent)
    build.touch(reader, page(0))


def walk_against_collapse_of_file(build: PlanBuilder) -> None:
    """As `walk_against_collapse`, with a file at the bottom."""
    walk_against_collapse(build, file=True)


def write_anonymous(build: PlanBuilder) -> None:
    """Write a page of anonymous memory."""
    build.touch(mapped(build, 1), BASE, write=True)


def fork_against_fault(build: PlanBuilder) -> None:
    """Fork while another LWP faults; then both fault again."""
    parent = mapped(build, 3, file=True)
    thread = build.vfork(parent)
    build.touch(thread, page(0), write=True)
    build.fork(parent)
    build.touch(parent, page(1))
    build.touch(thread, page(2))


def unmap_part(build: PlanBuilder) -> None:
    """Unmap one of two pages."""
    parent = mapped(build, 2)
    build.touch(parent, page(1), write=True)
    build.munmap(parent, page(1), PAGE)


def unmap_all(build: PlanBuilder) -> None:
    """Unmap the only page."""
    parent = mapped(build, 1)
    build.touch(parent, BASE, write=True)
    build.munmap(parent, BASE, PAGE)


def unmaps_of_shared(build: PlanBuilder) -> None:
    """Share a page with a child; then both unmap it."""
    parent = mapped(build, 1, MAP_SHARED)
    child = build.fork(parent)
    build.munmap(parent, BASE, PAGE)
    build.munmap(child, BASE, PAGE)


def advise_against_unmap(build: PlanBuilder) -> None:
    """Give a hint about a page while another LWP unmaps it."""
    parent = mapped(build, 1)
    thread = build.vfork(parent)
    build.touch(parent, BASE, write=True)
    build.madvise(thread, BASE, PAGE, ADVICE_DONTNEED)
    build.munmap(parent, BASE, PAGE)


def sync_private(build: PlanBuilder) -> None:
    """Write modified pages of a private file mapping back: only the file's own pages are."""
    parent = mapped(build, 1, file=True)
    build.touch(parent, BASE, write=True)
    build.msync(parent, BASE, PAGE)


def fault_against_madvise(build: PlanBuilder) -> None:
    """Write a private page of a file in a child that shares the memory, while the parent gives a hint about it."""
    parent = mapped(build, 1, file=True)
    build.minherit(parent, BASE, PAGE, INHERIT_SHARE)
    child = build.fork(parent)
    build.touch(child, BASE, write=True)
    build.madvise(parent, BASE, PAGE, ADVICE_DONTNEED)


def two_writers(build: PlanBuilder) -> None:
    """Let two LWPs write the same new page and read what they wrote."""
    parent = mapped(build, 1)
    thread = build.vfork(parent)
    for _ in range(2):
        build.touch(parent, BASE, write=True)
        build.touch(thread, BASE, write=True)


def two_readers(build: PlanBuilder) -> None:
    """Let two LWPs read the same page of a file."""
    parent = mapped(build, 1, file=True)
    thread = build.vfork(parent)
    build.touch(parent, BASE)
    build.touch(thread, BASE)


def map_against_unmap(build: PlanBuilder) -> None:
    """Map a file's page in a child while it is unmapped in the parent, the only one that had mapped it."""
    parent = mapped(build, 1, file=True)
    build.touch(parent, BASE)
    child = build.fork(parent)
    build.touch(child, BASE)
    build.munmap(parent, BASE, PAGE)


def fork_of_wired(build: PlanBuilder) -> None:
    """Write and wire the second page of a private file mapping, fork, and read it in the child."""
    parent = mapped(build, 2, file=True)
    build.touch(parent, page(1), write=True)
    build.mlock(parent, page(1), PAGE)
    build.touch(build.fork(parent), page(1))


def read_third_layer(build: PlanBuilder) -> None:
    """Read a page that only the third layer has."""
    parent = mapped(build, 2)
    build.touch(parent, page(0), write=True)
    child = build.fork(parent)
    build.touch(child, page(1), write=True)
    grandchild = build.fork(child)
    build.touch(grandchild, page(1), write=True)
    build.touch(grandchild, page(0))


def free_with_hole(build: PlanBuilder) -> None:
    """Give two anonymous pages back, of which only the first was ever written."""
    lwp = mapped(build, 2)
    build.touch(lwp, page(0), write=True)
    build.madvise(lwp, BASE, 2 * PAGE, ADVICE_FREE)


def upgrade_against_page_in(build: PlanBuilder) -> None:
    """Write a private page of a file while another LWP reads the next one."""
    parent = mapped(build, 2, file=True)
    thread = build.vfork(parent)
    build.touch(thread, page(0))
    build.touch(parent, page(1), write=True)


def exit_of_wired(build: PlanBuilder) -> None:
    """Wire a page and exit."""
    lwp = mapped(build, 1)
    build.mlock(lwp, BASE, PAGE)
    build.exit_(lwp)


def write_what_was_freed(build: PlanBuilder) -> None:
    """Unmap a page while the LWP that wrote it writes one in a space of its own: its CPU takes the freed frame."""
    parent = mapped(build, 1)
    thread = build.vfork(parent)
    build.touch(thread, BASE, write=True)
    build.exec_(thread)
    build.munmap(parent, BASE, PAGE)
    build.mmap(thread, BASE, PAGE, READ_WRITE, 0)
    build.touch(thread, BASE, write=True)
