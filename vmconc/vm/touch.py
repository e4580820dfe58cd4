"""A touch: the CPU walks its page table, faults if it must, then reads or writes the LWP's word in the frame.

Between reading a translation and using it the CPU says which pmap it uses; who takes a translation away waits
for that (`pmap.shoot_down`), as for a processor's answer to a TLB shootdown.
"""

from vmconc.locks.rules import NOT_MAPPED, ORACLE, broken
from vmconc.memory.atomics import atomic_add, atomic_cas, atomic_store, atomic_swap
from vmconc.memory.jit import kernel
from vmconc.memory.refs import at, offset, words_at
from vmconc.memory.segment import HEADER
from vmconc.schedule.steps import STEP_BEGIN, STEP_END
from vmconc.vm.events import FAULTS, event, tell_op
from vmconc.vm.fault import fault_state, resolve_fault
from vmconc.vm.kern import KERN_FAILURE, KERN_SUCCESS
from vmconc.vm.opcodes import (
    CHECK_OWN,
    CHECK_PARENT,
    OUTCOME_RESIDENT,
    OUTCOME_UNMAPPED,
    TOUCH,
    TOUCH_KERNEL,
    TOUCH_WRITE,
)
from vmconc.vm.pmap import FLAGS, leaf_of, place_in
from vmconc.vm.structs import PTE_MODIFIED, PTE_VALID, PTE_WRITE

IO_PATIENCE = 64  # faults of one touch that may fail with an I/O error before it is given up


@kernel
def use_frame(op, lwp, frame):
    """Read the two words, and write the LWP's own."""
    op.seen_own = frame[lwp.word]
    if lwp.parent_word >= 0:
        op.seen_parent = frame[lwp.parent_word]
    if op.flags & TOUCH_WRITE != 0:
        frame[lwp.word] = op.stamp


@kernel
def usable(leaf, place, write):
    """Return the translation if it allows the access, marked modified if it is for a write; else 0."""
    while True:
        pte = leaf.pte[place]
        if pte & PTE_VALID == 0 or (write and pte & PTE_WRITE == 0):
            return 0
        if not write or pte & PTE_MODIFIED != 0 or atomic_cas(leaf.pte, place, pte, pte | PTE_MODIFIED):
            return pte


@kernel
def access(cpu, pmap, op, lwp):
    """Touch through the page table as it is; return whether it allowed that.

    Locks: entry  none
           exit   none
    """
    atomic_swap(cpu, "user_pmap", offset(pmap))
    done = False
    leaf = leaf_of(pmap, op.va)
    if leaf:
        pte = usable(leaf, place_in(op.va, 0), op.flags & TOUCH_WRITE != 0)
        if pte != 0:
            use_frame(op, lwp, words_at(cpu, pte & ~FLAGS))
            done = True
    atomic_store(cpu, "user_pmap", 0)
    return done


@kernel
def compare(cpu, op):
    """Hold what was read against what the oracle expects."""
    if op.check & CHECK_OWN != 0 and op.seen_own != op.expect_own:
        broken(cpu, ORACLE, op.va, op.expect_own, op.seen_own)
    if op.check & CHECK_PARENT != 0 and op.seen_parent != op.expect_parent:
        broken(cpu, ORACLE, op.va, op.expect_parent, op.seen_parent)


@kernel
def give_up(cpu, op, status):
    """Note that a touch did not end in a mapped page."""
    op.status = status
    op.outcome = OUTCOME_UNMAPPED
    if status == KERN_FAILURE:
        atomic_add(at(cpu, "Machine", HEADER), "failures", 1)
    elif op.flags & TOUCH_KERNEL == 0:
        broken(cpu, NOT_MAPPED, op.va, KERN_SUCCESS, status)


@kernel
def touch(cpu, lwp, op):
    """Execute a TOUCH.

    Locks: entry  none
           exit   none
    """
    space = lwp.space
    op.outcome = OUTCOME_RESIDENT
    failures = 0
    while not access(cpu, space.pmap, op, lwp):
        event(cpu, FAULTS)
        tell_op(cpu, STEP_BEGIN, TOUCH, cpu.lwp, 0)
        status = resolve_fault(cpu, space, op.va, op.flags & TOUCH_WRITE, 0)
        fs = fault_state(cpu)
        tell_op(cpu, STEP_END, TOUCH, status, fs.depth + 1 if status == KERN_SUCCESS else 0)
        op.attempts += fs.attempts
        if status == KERN_FAILURE and failures < IO_PATIENCE:
            failures += 1
        elif status != KERN_SUCCESS:
            give_up(cpu, op, status)
            return
        else:
            op.outcome = fs.outcome
            op.depth = fs.depth
    if at(cpu, "Machine", HEADER).failures == 0:
        compare(cpu, op)
