"""A Linux kernel's records turned into operations: tasks become LWPs, processes become spaces."""

from collections.abc import Callable

from vmconc.program.builder import PAGE, PlanBuilder, page_up
from vmconc.traces.calls import ENTER, EXIT, NO_ARGUMENTS
from vmconc.traces.errors import BadRecord
from vmconc.traces.names import flags_of, prot_of
from vmconc.traces.tasks import Process, Region, Task, ids_of, numbers_of, sharing
from vmconc.vm import opcodes as op

_LINUX_ERROR = (1 << 64) - 4096  # results at or above are error numbers
_ERROR_WRITE = 2  # bit of a page fault's error code

SUSPENDED = "event of a parent suspended in vfork"


class LinuxReader:
    """Feed records to a `PlanBuilder`."""

    def __init__(self, build: PlanBuilder) -> None:
        self.build = build
        self.tasks: dict[str, Task] = {}
        self.leaders: dict[str, Task] = {}  # pid -> a task of the process
        self.files: dict[str, int] = {}
        self.faults = 0
        self.comms: dict[str, str] = {}
        self.records: dict[str, Callable[[str, str, str], None]] = {
            "exceptions:page_fault_user": self.fault_user, "exceptions:page_fault_kernel": self.fault_kernel,
            "PERF_RECORD_COMM": self.comm, "PERF_RECORD_COMM exec": self.exec_,
        }  # fmt: skip

    def finish(self) -> None:
        """End all tasks that the trace leaves alive, children before those they suspend."""
        for lwp in reversed(self.build.live()):
            self.build.exit_(lwp)

    # Tasks

    def task(self, pid: str, tid: str) -> Task:
        """Return a task; one that the trace does not introduce joins its process or starts a first one."""
        task = self.tasks.get(tid)
        if task is None:
            leader = self.leaders.get(pid)
            name = self.comms.get(tid, "")
            if leader is None:
                task = Task(tid, pid, self.build.spawn(name), Process())
            else:
                self.may_run(leader)
                task = Task(tid, pid, self.build.vfork(leader.lwp, name=name), leader.process)
            self.add(task)
        return task

    def add(self, task: Task) -> None:
        """Know a new task."""
        self.tasks[task.tid] = task
        self.leaders.setdefault(task.pid, task)

    def may_run(self, task: Task) -> bool:
        """Tell whether a task can issue operations now.

        A parent in vfork runs on before the record of its child's exec or exit is written; the child's leaving is
        then moved forward to where the parent shows it.
        """
        waiting_for = self.build.suspended_for(task.lwp)
        if waiting_for < 0:
            return True
        child = next(t for t in self.tasks.values() if t.lwp == waiting_for)
        if child.call == "execve" and not child.execing:
            self.build.exec_(child.lwp)
            child.exec_done = True
        elif child.exiting:
            self.end(child)
        else:
            return False
        return True

    def comm(self, pid: str, tid: str, args: str) -> None:
        """Remember a name; it may precede the task."""
        name, _, ids = args.rpartition(":")
        self.comms[ids.rpartition("/")[2]] = name

    def exec_(self, pid: str, tid: str, args: str) -> None:
        """Give a process a new address space; the first record of a traced command starts it."""
        self.comm(pid, tid, args)
        task = self.tasks.get(tid)
        if task is None:
            task = self.task(pid, tid)
        elif not task.exec_done:
            if not self.may_run(task):
                raise BadRecord("exec by a parent that is suspended in vfork")
            self.build.exec_(task.lwp)
        task.process = Process()
        self.leaders[pid] = task
        task.execing, task.exec_done = True, False

    def fork(self, args: str) -> None:
        """Start a task: a thread, a vfork child or a process."""
        child_ids, _, parent_ids = args.partition("):(")
        child_pid, child_tid = ids_of(child_ids[1:])
        parent_pid, parent_tid = ids_of(parent_ids[:-1])
        parent = self.task(parent_pid, parent_tid)
        if not self.may_run(parent):
            raise BadRecord("fork by a parent that is suspended in vfork")
        shares, suspends = sharing(parent, thread=child_pid == parent_pid)
        name = self.comms.get(parent_tid, "")
        if shares:
            lwp = self.build.vfork(parent.lwp, suspend=suspends, name=name)
            process = parent.process
        else:
            lwp = self.build.fork(parent.lwp, name=name)
            process = parent.process.copy()
        self.comms.setdefault(child_tid, name)
        self.add(Task(child_tid, child_pid, lwp, process))

    def exit_(self, args: str) -> None:
        """End a task."""
        task = self.tasks.get(ids_of(args.partition("):(")[0][1:])[1])
        if task is not None:
            if not self.may_run(task):
                raise BadRecord("exit of a parent that is suspended in vfork")
            self.end(task)

    def end(self, task: Task) -> None:
        """Issue the exit and forget the task."""
        self.build.exit_(task.lwp)
        del self.tasks[task.tid]
        if self.leaders.get(task.pid) is task:
            del self.leaders[task.pid]
            heir = next((t for t in self.tasks.values() if t.pid == task.pid), None)
            if heir is not None:
                self.leaders[task.pid] = heir

    # Page faults

    def fault_user(self, pid: str, tid: str, args: str) -> None:
        """Issue a touch for a fault of the program."""
        self.fault(pid, tid, args, kernel=False)

    def fault_kernel(self, pid: str, tid: str, args: str) -> None:
        """Issue a touch for a fault of the kernel on the program's behalf."""
        self.fault(pid, tid, args, kernel=True)

    def fault(self, pid: str, tid: str, args: str, kernel: bool) -> None:
        """Issue a touch; `recorded` holds the error code + 1 until `perf.classify` knows the mapping."""
        address = int(args[8 : args.index(" ")], 16)
        code = int(args[args.index("error_code=") + 11 :], 16)
        if not args.startswith("address="):
            raise BadRecord(f"page fault without an address: {args[:60]}")
        task = self.tasks.get(tid) or self.task(pid, tid)
        self.faults += 1
        if not self.may_run(task):
            self.build.skip(SUSPENDED)
        elif address >> 47:
            self.build.skip("fault outside user addresses")
        else:
            self.build.touch(task.lwp, address, bool(code & _ERROR_WRITE), kernel, code + 1)

    # Mappings

    def mmap2(self, ids: str, args: str) -> None:
        """Take a mapping over: as such in an exec or outside every call, else as the identity for the call's exit."""
        pid, _, tid = ids.partition("/")
        task = self.tasks.get(tid) or self.task(pid, tid)
        region = self.region(args[1:])
        if task.call and not task.execing:
            task.region = region
        elif self.may_run(task):
            self.map(task, region)
        else:
            self.build.skip(SUSPENDED)

    def region(self, text: str) -> Region:
        """Read `ADDR(LEN) @ PGOFF MAJ:MIN INODE GEN]: PROT NAME`."""
        place, _, mapping = text.partition("]: ")
        where, at, offset, device, inode, *_ = place.split()
        letters, _, name = mapping.partition(" ")
        if at != "@" or len(letters) != 4 or not name:
            raise BadRecord(f"cannot read this mapping: {text[:80]}")
        va, _, length = where.partition("(")
        flags = flags_of(name, shared=letters[3] == "s")
        file, pages = -1, int(length[:-1], 16)
        if not flags & op.MAP_ANON:
            file = self.file(f"{device}:{inode}:{name}", name, int(offset, 0) + pages)
        return Region(int(va, 16), pages, int(offset, 0), prot_of(letters), flags, file)

    def file(self, identity: str, name: str, size: int) -> int:
        """Return the number of a file, at least `size` bytes long."""
        file = self.files.get(identity)
        if file is None:
            file = self.files[identity] = self.build.file(name, 0)
        self.build.grow_file(file, page_up(size) // PAGE)
        return file

    def map(self, task: Task, region: Region) -> None:
        """Issue a mapping."""
        r = region
        self.build.mmap(task.lwp, r.va, r.length, r.prot, r.flags, r.file, 0 if r.file < 0 else r.offset)

    # System calls

    def enter(self, call: str, pid: str, tid: str, args: str) -> None:
        """Note a call; issue it now if its exit says nothing."""
        task = self.tasks.get(tid) or self.task(pid, tid)
        task.call, task.region = call, None
        task.args = {} if call in NO_ARGUMENTS else numbers_of(args)
        issue = ENTER.get(call)
        if issue is None:
            return
        if self.may_run(task):
            issue(self.build, task)
        else:
            self.build.skip(SUSPENDED)

    def leave(self, call: str, pid: str, tid: str, args: str) -> None:
        """Issue a call that has succeeded."""
        task = self.tasks.get(tid) or self.task(pid, tid)
        result, entered = int(args, 16), task.call == call
        task.call = ""
        if call == "execve":
            task.execing = False
        issue = EXIT.get(call)
        if issue is None or not entered or result >= _LINUX_ERROR:
            return
        if self.may_run(task):
            issue(self.build, task, result)
        else:
            self.build.skip(SUSPENDED)
