"""What an emulated CPU is told to do: operations, and the LWPs on whose behalf they are done.

An operation is one record of a shared table, filled before the workers start and executed in order by the
CPU to which its LWP is bound.  Results are written back into the same record.  The numbers in it are those of
`opcodes`.
"""

from vmconc.memory.struct import PAIR_BYTES, guard
from vmconc.memory.twins import struct


@struct
class Op:
    """One operation.  All guards are `init` (written before the run) or `cpu` (written by the CPU that executes it)."""

    kind: int = guard("init")
    lwp: int = guard("init")
    va: int = guard("init")
    length: int = guard("init")
    prot: int = guard("init")
    flags: int = guard("init")
    file: int = guard("init")  # index of a file of the plan, -1: none
    offset: int = guard("init")  # bytes into the file; MREMAP: new va
    new_length: int = guard("init")  # MREMAP
    target: int = guard("init")  # FORK, VFORK, SPAWN: LWP that starts
    stamp: int = guard("init")  # value that a writing TOUCH stores; unique and not 0
    wait_first: int = guard("init")  # first of its waits in the table of Wait records
    wait_count: int = guard("init")
    check: int = guard("init")  # CHECK_*
    expect_own: int = guard("init")  # what the LWP's own word must hold before a write
    expect_parent: int = guard("init")  # what the founder's word must hold
    recorded: int = guard("init")  # what the real kernel did, from the trace (RECORDED_*), 0: unknown
    status: int = guard("cpu")  # KERN_*
    outcome: int = guard("cpu")  # OUTCOME_*
    seen_own: int = guard("cpu")
    seen_parent: int = guard("cpu")
    attempts: int = guard("cpu")  # fault attempts
    depth: int = guard("cpu")  # layer in which the page was found


@struct(align=16)
class Wait:
    """An operation waits until LWP `lwp` has completed `count` operations."""

    lwp: int = guard("init")
    count: int = guard("init")


@struct(align=PAIR_BYTES)
class Lwp:
    """A light-weight process: one thread of an emulated program, bound to one CPU."""

    index: int = guard("const")
    cpu: int = guard("const")
    word: int = guard("const")  # its own word in every page, 0..511
    parent_word: int = guard("const")  # word of the LWP whose fork made its space, -1: none
    space: "Vmspace" = guard("order")
    done: int = guard("atomic")  # operations completed
    waiters: int = guard("atomic")  # somebody waits for `done`
