"""Programs about locks: shared words, threads that work on them, and what must hold; written in plain Python.

A program is a file.  `vmconc explore FILE` runs its threads in every order it can think of:

    from vmconc.concurrent import after, check, shared, thread

    @shared
    class Account:
        balance: int = 100

    @thread(2)
    def deposit(cpu, account):
        account.balance += 10

    @after
    def nothing_is_lost(cpu, account):
        check(cpu, account.balance == 120)

Each access to a field of the `@shared` class is a step of its own, and so is each operation on a lock, and the `start`
and `join` of a thread.  Threads and what they call are compiled: integers, `if`, `while`, `for ... in range(...)`; a
function they call is a `@kernel`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from vmconc.locks import guarded  # noqa: F401  each access goes through it
from vmconc.locks.classes import USER_SPIN
from vmconc.locks.lockmgr import Lockmgr
from vmconc.locks.mutex import (
    Condition,
    Mutex,
    Semaphore,
    condition_signal,
    condition_wait,
    mutex_lock,
    mutex_try,
    mutex_unlock,
    semaphore_down,
    semaphore_up,
)
from vmconc.locks.rules import CHECKED, broken
from vmconc.locks.rwlock import rwlock_read, rwlock_release, rwlock_write
from vmconc.locks.sites import site
from vmconc.locks.sleep import look_later
from vmconc.locks.spin import Spin, spin_lock, spin_unlock
from vmconc.locks.threads import join, start
from vmconc.memory import twins
from vmconc.memory.atomics import atomic_add, atomic_and, atomic_cas, atomic_or, atomic_store, atomic_swap
from vmconc.memory.build import ALWAYS
from vmconc.memory.jit import kernel
from vmconc.memory.struct import STRUCTS, Embed, Words, guard
from vmconc.memory.table import slot_of

__all__ = [
    "Condition", "Mutex", "Rwlock", "Semaphore", "Spinlock", "Words", "after", "atomic", "atomic_add", "atomic_and",
    "atomic_cas", "atomic_or", "atomic_store", "atomic_swap", "check", "condition_signal", "condition_wait",
    "explore", "guarded_by", "join", "kernel", "mutex_lock", "mutex_try", "mutex_unlock", "option", "read_lock",
    "read_unlock", "semaphore_down", "semaphore_up", "shared", "spin_acquire", "spin_release", "start", "thread",
    "wait_a_turn",
    "write_lock", "write_unlock",
]  # fmt: skip

Rwlock, Spinlock = Lockmgr, Spin
RWLOCK_SITE, SPIN_SITE = site("rwlock"), site("spinlock")
LOCKS = (Mutex, Lockmgr, Spin)
EMBEDDED = (Mutex, Semaphore, Condition, Rwlock, Spinlock)


@dataclass(frozen=True)
class Guarded:
    """The name of the lock that guards a field, and what an int begins with."""

    lock: str
    value: int = 0


@dataclass(frozen=True)
class Atomic:
    """A field whose accesses are atomic, and what an int begins with."""

    value: int = 0


def guarded_by(lock: str, value: int = 0) -> Any:
    """Say which lock of the class guards a field: an access without it is reported.  A write needs it exclusively."""
    return Guarded(lock, value)


def atomic(value: int = 0) -> Any:
    """Say that every access to a field is atomic: it orders what others do, as a lock does, and is no data race."""
    return Atomic(value)


def shared(cls: type) -> type:
    """Declare what the threads share: fields of type int (its value: what it begins with), Words(n), or a lock."""
    begins: dict[str, int] = {}
    atomics: list[str] = []
    kinds = dict(cls.__annotations__)
    for name, kind in kinds.items():
        given = getattr(cls, name, 0)
        setattr(cls, name, guard("hint"))
        if isinstance(given, Guarded):
            if kinds.get(given.lock) not in LOCKS:
                raise TypeError(f"{cls.__name__}.{name} is guarded by {given.lock!r}, which is no lock of the class")
            setattr(cls, name, guard(given.lock))
            given = given.value
        if isinstance(given, Atomic):
            setattr(cls, name, guard("atomic"))
            atomics.append(name)
            given = given.value
        if kind is int:
            begins[name] = given
        elif kind in EMBEDDED:
            cls.__annotations__[name] = Embed(kind.struct)
    while slot_of(cls.__name__) in {slot_of(name) for name in STRUCTS}:
        cls.__name__ += "_"
    twin = twins.struct(cls, points=ALWAYS)
    twin.begins, twin.atomics = begins, atomics
    return twin


def option(name: str, default: int) -> int:
    """Return a number that the program can be given when it is loaded: a constant to its threads."""
    return GIVEN.pop(name, default)


def thread(count: Any = 1, started: bool = True) -> Any:
    """Make a function of (cpu, shared) a thread, or `@thread(n)`: n threads, told apart by `cpu.index`.

    With `started=False` they wait for another thread to `start` them, by their `cpu.index`: they are numbered as they
    stand in the file.
    """
    if callable(count):
        return thread(1)(count)

    def mark(function: Callable[..., object]) -> Any:
        compiled = kernel(function)
        threads = THREADS.setdefault(function.__module__, [])
        if not started:
            LATER.setdefault(function.__module__, []).extend(range(len(threads), len(threads) + count))
        threads.extend([compiled] * count)
        return compiled

    return mark


def after(function: Callable[..., object]) -> Any:
    """Make a function of (cpu, shared) what runs when all threads have finished."""
    compiled = kernel(function)
    LAST.setdefault(function.__module__, {})[function.__name__] = compiled
    return compiled


def explore(
    executions: int = 2000,
    strategy: str = "portfolio",
    depth: int = 2,
    preemptions: int = 2,
    seed: int | None = None,
    races: bool = False,
) -> Any:
    """Make a function of (cpu, shared) a test for pytest that explores the threads of its file.

    The function is what runs when all threads have finished, as with `@after`.  The test fails with each step that
    leads to the failure and the line that replays it.  Without a `seed` --vmconc-seed of the session holds.  With
    `races` a data race is a failure.
    """

    def mark(function: Callable[..., object]) -> Any:
        from vmconc.explore.search import choices_of
        from vmconc.explore.testing import explored_test

        after(function)
        choices = choices_of(strategy, depth, preemptions)
        return explored_test(function, executions, choices, seed, races)

    return mark


THREADS: dict[str, list[Any]] = {}  # by name of the program's module
LATER: dict[str, list[int]] = {}  # by name of the program's module: numbers of the threads that others start
LAST: dict[str, dict[str, Any]] = {}  # by name of the module and of the function
GIVEN: dict[str, int] = {}  # options of the program that is being loaded, until it asks for them


@kernel
def check(cpu, condition):
    """Report a failure, and end the execution, unless the condition holds."""
    if not condition:
        broken(cpu, CHECKED, 0, 1, 0)


@kernel
def wait_a_turn(cpu):
    """Let others run: for a loop that waits for them without sleeping."""
    look_later(cpu, 0)


@kernel
def read_lock(cpu, lock):
    """Acquire a readers-writer lock shared."""
    rwlock_read(cpu, lock, RWLOCK_SITE)


@kernel
def write_lock(cpu, lock):
    """Acquire a readers-writer lock exclusively."""
    rwlock_write(cpu, lock, RWLOCK_SITE)


@kernel
def read_unlock(cpu, lock):
    """Release a readers-writer lock held shared."""
    rwlock_release(cpu, lock)


@kernel
def write_unlock(cpu, lock):
    """Release a readers-writer lock held exclusively."""
    rwlock_release(cpu, lock)


@kernel
def spin_acquire(cpu, lock):
    """Acquire a spinlock."""
    spin_lock(cpu, lock, USER_SPIN, SPIN_SITE)


@kernel
def spin_release(cpu, lock):
    """Release a spinlock."""
    spin_unlock(cpu, lock, USER_SPIN)


def forget(name: str) -> None:
    """Forget what a module of this name has declared: it is loaded anew."""
    for declared in (THREADS, LATER, LAST):
        declared.pop(name, None)


def declared_in(module: ModuleType, last: str = "") -> tuple[Any, list[Any], Any]:
    """Return what a program's file declares: its shared class, its threads, what runs last (None: nothing).

    `last` names one of several functions that could run last.
    """
    classes = [value for value in vars(module).values() if isinstance(value, type) and hasattr(value, "begins")]
    ends = LAST.get(module.__name__, {})
    end = ends[last] if last else next(iter(ends.values()), None)
    return (classes[0] if classes else None), THREADS.get(module.__name__, []), end
