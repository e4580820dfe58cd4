"""What a worker process runs: its CPU's operations, in order, each after those it waits for."""

from vmconc.locks.block import block
from vmconc.locks.cpu import STATE_DONE, STATE_RUNNING
from vmconc.locks.rules import HELD_AT_RETURN, broken
from vmconc.locks.sites import site
from vmconc.locks.sleep import FOREVER, cancel, leave_if_stopping, prepare, stopping, wakeup
from vmconc.memory.atomics import atomic_add, atomic_swap
from vmconc.memory.jit import kernel
from vmconc.memory.pagebytes import PAGE_SHIFT
from vmconc.memory.queries import tracked
from vmconc.memory.refs import at, null, offset
from vmconc.memory.segment import HEADER
from vmconc.memory.system import processor_yield
from vmconc.memory.table import table
from vmconc.schedule.steps import STEP_BEGIN, STEP_END
from vmconc.vm.advise import space_madvise, space_msync
from vmconc.vm.events import tell_op
from vmconc.vm.fork import space_fork
from vmconc.vm.opcodes import (
    BRK,
    EXEC,
    EXIT,
    FORK,
    MADVISE,
    MINHERIT,
    MLOCK,
    MMAP,
    MPROTECT,
    MREMAP,
    MSYNC,
    MUNLOCK,
    MUNMAP,
    SPAWN,
    TOUCH,
    VFORK,
)
from vmconc.vm.remap import space_mremap
from vmconc.vm.space import (
    space_brk,
    space_create,
    space_minherit,
    space_mmap,
    space_mprotect,
    space_munmap,
    space_release,
)
from vmconc.vm.touch import touch
from vmconc.vm.wire import space_mlock, space_munlock

WAIT_LWP = site("program.order")


@kernel
def lwp_at(cpu, number):
    """Return an LWP by its number."""
    lwps = table(cpu, "Lwp")
    return at(cpu, "Lwp", lwps.first + number * lwps.stride)


@kernel
def await_lwp(cpu, lwp, count):
    """Sleep until `lwp` has completed `count` operations."""
    while lwp.done < count:
        prepare(cpu, offset(lwp), WAIT_LWP)
        atomic_swap(lwp, "waiters", 1)
        if lwp.done < count:
            block(cpu, FOREVER)
        else:
            cancel(cpu)


@kernel
def await_order(cpu, op):
    """Sleep until every operation that this one must follow is completed."""
    waits = table(cpu, "Wait")
    for i in range(op.wait_first, op.wait_first + op.wait_count):
        wait = at(cpu, "Wait", waits.first + i * waits.stride)
        await_lwp(cpu, lwp_at(cpu, wait.lwp), wait.count)


@kernel
def completed(cpu, lwp):
    """Note that an operation of `lwp` is completed and wake those who wait for it."""
    atomic_add(lwp, "done", 1)
    if lwp.waiters != 0:
        lwp.waiters = 0
        wakeup(cpu, offset(lwp))


@kernel
def change_process(cpu, lwp, op):
    """Execute what makes, leaves or copies spaces.

    Locks: entry  none
           exit   none
    """
    kind = op.kind
    if kind == SPAWN:
        lwp_at(cpu, op.target).space = space_create(cpu)
    elif kind == FORK:
        lwp_at(cpu, op.target).space = space_fork(cpu, lwp.space)
    elif kind == VFORK:
        atomic_add(lwp.space, "refs", 1)
        lwp_at(cpu, op.target).space = lwp.space
    else:
        old = lwp.space
        lwp.space = space_create(cpu) if kind == EXEC else null(old)
        space_release(cpu, old)


@kernel
def change_pages(cpu, space, op):
    """Execute what wires, advises or writes pages.

    Locks: entry  none
           exit   none
    """
    kind, start, end = op.kind, op.va, op.va + op.length
    if kind == MADVISE:
        space_madvise(cpu, space, start, end, op.flags)
    elif kind == MSYNC:
        space_msync(cpu, space, start, end)
    elif kind == MLOCK:
        space_mlock(cpu, space, start, end)
    elif kind == MUNLOCK:
        space_munlock(cpu, space, start, end)


@kernel
def change_map(cpu, space, op):
    """Execute what changes a map.

    Locks: entry  none
           exit   none
    """
    kind, start, end = op.kind, op.va, op.va + op.length
    if kind == MMAP:
        space_mmap(cpu, space, start, op.length, op.prot, op.flags, op.file, op.offset >> PAGE_SHIFT)
    elif kind == MUNMAP:
        space_munmap(cpu, space, start, end)
    elif kind == MPROTECT:
        space_mprotect(cpu, space, start, end, op.prot)
    elif kind == BRK:
        space_brk(cpu, space, start, op.length)
    elif kind == MREMAP:
        space_mremap(cpu, space, start, op.length, op.offset, op.new_length)
    elif kind == MINHERIT:
        space_minherit(cpu, space, start, end, op.flags)
    else:
        change_pages(cpu, space, op)


@kernel
def execute(cpu, lwp, op):
    """Execute one operation.

    Locks: entry  none
           exit   none
    """
    kind = op.kind
    if kind == TOUCH:
        touch(cpu, lwp, op)
        return
    tell_op(cpu, STEP_BEGIN, kind, op.lwp, 0)
    if kind == FORK or kind == VFORK or kind == EXEC or kind == EXIT or kind == SPAWN:
        change_process(cpu, lwp, op)
    else:
        change_map(cpu, lwp.space, op)
    tell_op(cpu, STEP_END, kind, 0, 0)


@kernel
def check_nothing_held(cpu):
    """Check invariant 1 and forget what was left, so that it is reported once."""
    if cpu.token_count != 0 or (tracked(cpu) and cpu.held_count != 0):
        broken(cpu, HELD_AT_RETURN, cpu.token_count, 0, cpu.held_count)
        cpu.held_count, cpu.held_classes = 0, 0


@kernel
def run_op(cpu, number):
    """Wait for what operation `number` must follow, execute it, say that it is completed."""
    ops = table(cpu, "Op")
    op = at(cpu, "Op", ops.first + number * ops.stride)
    lwp = lwp_at(cpu, op.lwp)
    cpu.op = number
    cpu.lwp = op.lwp
    await_order(cpu, op)
    execute(cpu, lwp, op)
    check_nothing_held(cpu)
    completed(cpu, lwp)
    cpu.progress += 1


@kernel
def run_cpu(cpu):
    """Execute the CPU's operations to the end; wait for the start gate first.

    Locks: entry  none
           exit   none
    """
    while at(cpu, "Machine", HEADER).go == 0:
        leave_if_stopping(cpu)
        processor_yield()
    cpu.state = STATE_RUNNING
    for number in range(cpu.first_op, cpu.last_op):
        if number & 63 == 0 and stopping(cpu):
            leave_if_stopping(cpu)
        run_op(cpu, number)
    cpu.op = -1
    cpu.lwp = -1
    cpu.state = STATE_DONE
