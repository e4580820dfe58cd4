"""What the importer knows of Linux tasks and processes, beyond what the plan knows of LWPs and spaces."""

from dataclasses import dataclass, field

from vmconc.traces.errors import BadRecord

_CLONE_VM, _CLONE_VFORK = 0x100, 0x4000
_FORKING = ("clone", "clone3", "vfork", "fork")


@dataclass
class Region:
    """What an MMAP2 record says."""

    va: int
    length: int
    offset: int
    prot: int
    flags: int
    file: int


@dataclass
class Process:
    """An address space."""

    brk: int = 0  # end of the heap, 0: not seen yet
    segments: dict[int, int] = field(default_factory=dict)  # address -> length of attached shared memory

    def copy(self) -> "Process":
        """Return what a forked child knows."""
        return Process(self.brk, dict(self.segments))


@dataclass
class Task:
    """A thread."""

    tid: str
    pid: str
    lwp: int
    process: Process
    call: str = ""  # pending system call
    args: dict[str, int] = field(default_factory=dict)
    region: Region | None = None  # last MMAP2 record inside the pending call
    execing: bool = False  # between COMM exec and the exit of execve
    exec_done: bool = False  # its EXEC was issued before the record of it
    exiting: bool = False


def sharing(parent: Task, thread: bool) -> tuple[bool, bool]:
    """Tell whether the task that `parent` starts shares its space, and whether that suspends the parent."""
    if thread:
        return True, False
    call = parent.call if parent.call in _FORKING else "fork"
    if call == "clone":
        flags = parent.args.get("clone_flags", 0)
        return bool(flags & _CLONE_VM), bool(flags & _CLONE_VM and flags & _CLONE_VFORK)
    # The arguments of clone3 are behind a pointer; a process started with it is posix_spawn's, which is a vfork.
    return (True, True) if call in ("vfork", "clone3") else (False, False)


def ids_of(text: str) -> tuple[str, str]:
    """Read `PID:TID`."""
    pid, _, tid = text.partition(":")
    if not (pid.isdecimal() and tid.isdecimal()):
        raise BadRecord(f"expected PID:TID, found '{text}'")
    return pid, tid


def numbers_of(text: str) -> dict[str, int]:
    """Read the arguments of a system call, `NAME: 0xVALUE, ...`."""
    pairs = (argument.partition(":") for argument in text.split(",") if argument.strip())
    return {name.strip(): int(value, 16) for name, _, value in pairs}
