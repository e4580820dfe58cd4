"""The rules that a CPU checks at once, and where a broken one is written down."""

from vmconc.locks.cpu import HELD_MAX
from vmconc.memory.atomics import atomic_add
from vmconc.memory.jit import kernel
from vmconc.memory.refs import at
from vmconc.memory.segment import HEADER
from vmconc.memory.struct import Words, guard
from vmconc.memory.table import table
from vmconc.memory.twins import struct
from vmconc.schedule.engine import finish
from vmconc.schedule.records import VIOLATED, exploring

HELD_AT_RETURN = 1
TOKEN_ORDER = 2
TOKEN_UPGRADE = 3
LOCK_ORDER = 4
LOCK_RECURSION = 5
NOT_HELD = 6
IO_MAP_HELD = 7
IO_MAP_RELEASED = 8
PAGE_WITHOUT_TOKEN = 9
PAGE_NOT_BUSY = 10
DOUBLE_FREE = 11
CHAIN_REFERENCED = 12
WRONG_PAGE = 13
SHARED_BELOW = 14
ORACLE = 15
NOT_MAPPED = 16
COUNT_UNDERFLOW = 17
DUPLICATE_PAGE = 18
TOO_MANY_HELD = 19
TABLE_FULL = 20
FRAME_MAPPED = 21
CHECKED = 22
GUARDED_BY = 23
DATA_RACE = 24
USE_AFTER_FREE = 25

RULES = {
    HELD_AT_RETURN: ("held-at-return", "nothing is held when an operation returns (invariant 1)"),
    TOKEN_ORDER: ("token-lifo", "tokens are released last in, first out (invariant 2)"),
    TOKEN_UPGRADE: ("token-upgrade", "no exclusive request for a token held shared by the same CPU (invariant 3)"),
    LOCK_ORDER: ("lock-order", "hard locks are waited for in the order of their classes (invariant 19)"),
    LOCK_RECURSION: ("lock-recursion", "a map lock is not taken twice by one CPU"),
    NOT_HELD: ("not-held", "only a holder releases, upgrades or downgrades a lock"),
    IO_MAP_HELD: ("io-map-held", "chained: the map lock is not held during pager I/O (invariant 13)"),
    IO_MAP_RELEASED: ("io-map-released", "backing: the map lock is held shared from lookup to the end (13, 14)"),
    PAGE_WITHOUT_TOKEN: ("page-without-token", "resident pages change only under the object's exclusive token (6)"),
    PAGE_NOT_BUSY: ("page-not-busy", "a page is hard-busy when it is inserted, removed, freed or entered (6, 15)"),
    DOUBLE_FREE: ("double-free", "a record is freed once (invariant 24)"),
    CHAIN_REFERENCED: ("chain-referenced", "no reference is added to a chain-locked object (invariant 10)"),
    WRONG_PAGE: ("wrong-page", "the page entered is the one that the entry resolves to, and valid (invariant 15)"),
    SHARED_BELOW: ("shared-below", "the first token is exclusive whenever the walk is below the first object (16)"),
    ORACLE: ("oracle", "a read sees the last write, the parent's value, the file or zero (invariants 41, 42)"),
    NOT_MAPPED: ("not-mapped", "every user touch of the program ends in a mapped page"),
    COUNT_UNDERFLOW: ("count-underflow", "no reference, pip or wire count falls below zero (invariants 23, 27)"),
    DUPLICATE_PAGE: ("duplicate-page", "one page for each (object, index) (invariant 29)"),
    TOO_MANY_HELD: ("too-many-held", "a CPU's stacks of held locks and tokens do not overflow"),
    TABLE_FULL: ("table-full", "a table of the segment is exhausted: raise the option that sizes it"),
    CHECKED: ("check", "what the program checks holds"),
    GUARDED_BY: ("guarded-by", "a shared word is accessed by who holds the lock that its declaration names"),
    DATA_RACE: ("data-race", "locks, starts, joins or atomics order two accesses to one word, unless both only read"),
    USE_AFTER_FREE: ("use-after-free", "no field of a record is accessed that is not allocated"),
    FRAME_MAPPED: ("frame-mapped", "a freed page is not mapped, not wired, not soft-busy (invariant 30)"),
}  # fmt: skip

MESSAGES = 64  # violations that are kept whole; all are counted


@struct
class Violation:
    """One broken rule, with what the CPU held then."""

    rule: int = guard("cpu")
    cpu: int = guard("cpu")
    lwp: int = guard("cpu")
    op: int = guard("cpu")
    subject: int = guard("cpu")  # byte offset of the record concerned, or a number
    expected: int = guard("cpu")
    found: int = guard("cpu")
    held_count: int = guard("cpu")
    held_lock: Words(HELD_MAX) = guard("cpu")
    held_word: Words(HELD_MAX) = guard("cpu")


@kernel
def broken(cpu, rule, subject, expected, found):
    """Write down that `rule` is broken.  The run goes on unless the machine is told to stop at the first.

    An execution that is explored ends here, with everything as it is.
    """
    machine = at(cpu, "Machine", HEADER)
    number = atomic_add(machine, "violations", 1)
    if machine.fail_fast:
        machine.stop = STOP_VIOLATION
    messages = table(cpu, "Violation")
    if number >= messages.capacity:
        return
    violation = at(cpu, "Violation", messages.first + number * messages.stride)
    violation.rule = rule
    violation.cpu = cpu.index
    violation.lwp = cpu.lwp
    violation.op = cpu.op
    violation.subject = subject
    violation.expected = expected
    violation.found = found
    violation.held_count = cpu.held_count
    for i in range(min(cpu.held_count, HELD_MAX)):
        violation.held_lock[i] = cpu.held_lock[i]
        violation.held_word[i] = cpu.held_word[i]
    if exploring(cpu):
        finish(cpu, VIOLATED)


# Why everybody shall stop (Machine.stop).
STOP_DONE, STOP_VIOLATION, STOP_USER, STOP_TIME, STOP_STALL, STOP_WORKER, STOP_TABLE = range(1, 8)
STOP_NAMES = {
    STOP_DONE: "done", STOP_VIOLATION: "violation", STOP_USER: "interrupted", STOP_TIME: "time limit",
    STOP_STALL: "no progress", STOP_WORKER: "a worker died", STOP_TABLE: "a table is full",
}  # fmt: skip
