"""Rounds of a program about locks on worker processes: all its threads at once, again and again from the beginning.

Who ends a round as the last lays the next one out; the others sleep until then.
"""

from vmconc.locks.block import block
from vmconc.locks.sites import site
from vmconc.locks.sleep import FOREVER, cancel, leave_if_stopping, prepare, wakeup
from vmconc.memory.atomics import atomic_add, atomic_store
from vmconc.memory.jit import kernel
from vmconc.memory.refs import at, offset, words_at
from vmconc.memory.struct import WORD_BYTES, guard
from vmconc.memory.table import table
from vmconc.memory.twins import struct

ROUND = site("round")
BEGIN = site("thread.start")
JOIN = site("thread.join")


@struct
class Thread:
    """One thread of the program, in the round that runs."""

    later: int = guard("const")  # another thread starts it
    started: int = guard("atomic")
    ended: int = guard("atomic")


@struct
class Rounds:
    """The round that runs."""

    number: int = guard("atomic")  # from 1
    last: int = guard("const")
    working: int = guard("atomic")  # threads that have been started and have not ended
    shared: int = guard("const")  # byte offset of what the threads share
    first: int = guard("const")  # byte offset of what that is at the beginning of a round
    bytes: int = guard("const")


@kernel
def rounds_of(near):
    """Return the record of rounds."""
    return at(near, "Rounds", table(near, "Rounds").first)


@kernel
def thread_of(near, index):
    """Return the record of a thread."""
    threads = table(near, "Thread")
    return at(near, "Thread", threads.first + index * threads.stride)


@kernel
def await_round(cpu, number):
    """Sleep until a round begins; return False if there is none of that number."""
    rounds = rounds_of(cpu)
    leave_if_stopping(cpu)
    while rounds.number < number <= rounds.last:
        prepare(cpu, offset(rounds), ROUND)
        if rounds.number < number:
            block(cpu, FOREVER)
        else:
            cancel(cpu)
    return number <= rounds.last


@kernel
def await_start(cpu, number):
    """Sleep until this thread is started; return False if the round ends without it."""
    rounds, thread = rounds_of(cpu), thread_of(cpu, cpu.index)
    while thread.started == 0 and rounds.number == number:
        prepare(cpu, offset(thread), BEGIN)
        if thread.started == 0 and rounds.number == number:
            block(cpu, FOREVER)
        else:
            cancel(cpu)
    return rounds.number == number


@kernel
def start_thread(cpu, index):
    """Let a thread of the round begin; one that was started goes on as it was."""
    thread = thread_of(cpu, index)
    if thread.started == 0:
        atomic_add(rounds_of(cpu), "working", 1)
        atomic_store(thread, "started", 1)
        wakeup(cpu, offset(thread))


@kernel
def join_thread(cpu, index):
    """Sleep until a thread of the round has ended."""
    thread = thread_of(cpu, index)
    while thread.ended == 0:
        prepare(cpu, offset(thread), JOIN)
        if thread.ended == 0:
            block(cpu, FOREVER)
        else:
            cancel(cpu)


@kernel
def end_thread(cpu):
    """Note that this thread has ended; return whether nobody works any more."""
    thread = thread_of(cpu, cpu.index)
    cpu.progress += 1
    atomic_store(thread, "ended", 1)
    wakeup(cpu, offset(thread))
    return atomic_add(rounds_of(cpu), "working", -1) == 1


@kernel
def next_round(cpu):
    """Begin the next round: everything shared is what it was, and who is not started by others begins.

    After a violation that ends the run there is none.
    """
    leave_if_stopping(cpu)
    rounds = rounds_of(cpu)
    words, first = words_at(cpu, rounds.shared), words_at(cpu, rounds.first)
    for i in range(rounds.bytes // WORD_BYTES):
        words[i] = first[i]
    rounds.working = begin_threads(cpu)
    atomic_add(rounds, "number", 1)
    wakeup(cpu, offset(rounds))
    for index in range(table(cpu, "Thread").capacity):
        wakeup(cpu, offset(thread_of(cpu, index)))


@kernel
def begin_threads(near):
    """Put every thread at its beginning; return how many begin by themselves."""
    working = 0
    for index in range(table(near, "Thread").capacity):
        thread = thread_of(near, index)
        thread.ended = 0
        thread.started = 1 - thread.later
        working += thread.started
    return working
