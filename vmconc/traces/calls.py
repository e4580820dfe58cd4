"""Linux system calls as operations, each issued at the record that shows its effect.

That is the exit for calls whose result matters.  munmap is issued where it is entered: another thread may be given the
same addresses before the exit shows.  Of madvise, msync, mlock and shmdt only the entry is recorded.
"""

from collections.abc import Callable

from vmconc.program.builder import PAGE, PlanBuilder, page_up
from vmconc.traces.tasks import Task
from vmconc.vm import opcodes as op

_TYPE, _TYPES_SHARED = 0x0F, (0x01, 0x03)  # of mmap's flags: MAP_SHARED, MAP_SHARED_VALIDATE
_ANONYMOUS, _GROWSDOWN = 0x20, 0x100
_PROT = op.PROT_READ | op.PROT_WRITE | op.PROT_EXEC
_ADVICE = {3: op.ADVICE_WILLNEED, 4: op.ADVICE_DONTNEED, 8: op.ADVICE_FREE}
_FORK_ADVICE = {10: op.INHERIT_NONE, 11: op.INHERIT_COPY}  # MADV_DONTFORK, MADV_DOFORK


def _munmap(build: PlanBuilder, task: Task) -> None:
    build.munmap(task.lwp, task.args["addr"], task.args["len"])


def _madvise(build: PlanBuilder, task: Task) -> None:
    start, length, behavior = task.args["start"], task.args["len_in"], task.args["behavior"]
    if not length:
        return
    if behavior in _FORK_ADVICE:
        build.minherit(task.lwp, start, length, _FORK_ADVICE[behavior])
    else:
        build.madvise(task.lwp, start, length, _ADVICE.get(behavior, op.ADVICE_NORMAL))


def _msync(build: PlanBuilder, task: Task) -> None:
    if task.args["len"]:
        build.msync(task.lwp, task.args["start"], task.args["len"])


def _mlock(build: PlanBuilder, task: Task) -> None:
    if task.args["len"]:
        build.mlock(task.lwp, task.args["start"], task.args["len"])


def _shmdt(build: PlanBuilder, task: Task) -> None:
    address = task.args["shmaddr"]
    length = task.process.segments.pop(address, 0)
    if length:
        build.munmap(task.lwp, address, length)


def _exit_group(build: PlanBuilder, task: Task) -> None:
    task.exiting = True


def _mmap(build: PlanBuilder, task: Task, address: int) -> None:
    """Map what the call says; the MMAP2 record, whose range may be merged with neighbours, says of which file."""
    length, linux_flags, region = task.args["len"], task.args["flags"], task.region
    flags = op.MAP_SHARED if linux_flags & _TYPE in _TYPES_SHARED else 0
    flags |= op.MAP_STACK if linux_flags & _GROWSDOWN else 0
    file, offset = -1, 0
    if not linux_flags & _ANONYMOUS and (region is None or region.file >= 0):
        offset = task.args["off"]
        file = region.file if region else build.file(f"fd {task.args['fd']} of task {task.tid}", 0)
        build.grow_file(file, page_up(offset + length) // PAGE)
    build.mmap(task.lwp, address, length, task.args["prot"] & _PROT, flags, file, offset)


def _mprotect(build: PlanBuilder, task: Task, result: int) -> None:
    if task.args["len"]:
        build.mprotect(task.lwp, task.args["start"], task.args["len"], task.args["prot"] & _PROT)


def _brk(build: PlanBuilder, task: Task, end: int) -> None:
    """Move the end of the heap; the first call only asks where it is."""
    process, region = task.process, task.region
    if process.brk:
        build.brk(task.lwp, process.brk, end - process.brk)
    elif region:
        build.brk(task.lwp, region.va, end - region.va)
    process.brk = end


def _mremap(build: PlanBuilder, task: Task, address: int) -> None:
    old, new = task.args["old_len"], task.args["new_len"]
    if old and new:
        build.mremap(task.lwp, task.args["addr"], old, address, new)


def _shmat(build: PlanBuilder, task: Task, address: int) -> None:
    """Attach a segment; its length is only in the MMAP2 record."""
    region = task.region
    if region:
        build.mmap(task.lwp, address, region.length, region.prot, region.flags, region.file, 0)
        task.process.segments[address] = region.length


ENTER: dict[str, Callable[[PlanBuilder, Task], None]] = {
    "munmap": _munmap, "madvise": _madvise, "msync": _msync, "mlock": _mlock, "shmdt": _shmdt,
    "exit_group": _exit_group,
}  # fmt: skip
EXIT: dict[str, Callable[[PlanBuilder, Task, int], None]] = {
    "mmap": _mmap, "mprotect": _mprotect, "brk": _brk, "mremap": _mremap, "shmat": _shmat,
}
NO_ARGUMENTS = ("execve", "wait4", "vfork", "fork", "clone3")  # whose arguments say nothing here
