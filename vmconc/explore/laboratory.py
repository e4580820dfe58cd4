"""A machine whose CPUs take turns in this process: stacks, bodies, the state that every execution begins with."""

import ctypes
import hashlib
import mmap
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from vmconc.explore.covered import Covered, remember_nothing
from vmconc.locks.races import KINDS
from vmconc.memory.jit import jit_off
from vmconc.memory.segment import HEADER, Segment
from vmconc.memory.stacks import STACK_BYTES
from vmconc.memory.struct import STRUCTS
from vmconc.schedule import coverage
from vmconc.schedule.dfs import explore_all
from vmconc.schedule.dpor import FOOTPRINT, explore_reduced
from vmconc.schedule.engine import end_turn
from vmconc.schedule.execution import explore
from vmconc.schedule.path import restart_path
from vmconc.schedule.records import BRANCHES, FINISHED, KEPT, WORDS_MAX
from vmconc.schedule.states import FULL
from vmconc.schedule.strategies import COVERAGE, DFS, DPOR

GUARD_BYTES = 4096
PROT_NONE = 0
TURNS = 1 << 20
CLASSES = 1 << (12 if jit_off() else 18)  # places for happens-before classes, twice what is used; uncompiled, every
# execution copies the tables


def engine_tables(
    fibers: int, turns: int = TURNS, states: int = 0, noted: int = 0, words: int = 0, classes: int = 0,
    races: bool = False,
) -> dict[str, int]:  # fmt: skip
    """Return the sizes of the engine's tables for so many CPUs, daemons included.

    `states`: places for final states; `noted`: steps that are noted of an execution that is observed; to tell
    executions apart by what happens before what (classes.py) `words` that they touch, and places for `classes`;
    `races`: and for what each CPU does to each word.
    """
    places = places_for(words)
    return {
        "Scheduler": 1, "Fiber": fibers + 1, "Turn": turns, "Given": turns, "Seen": states, "Touched": WORDS_MAX,
        "Chosen": noted, "Branch": min(turns, BRANCHES),
        "TouchedWord": places, "Class": classes,
        "Clock": (fibers + 2 * places) * fibers * races, "Access": places * fibers * KINDS * races,
    }  # fmt: skip


def places_for(words: int) -> int:
    """Return the size of a table, a power of two, in which so many words are found quickly."""
    return 1 << (2 * words).bit_length() if words else 0


def address_of(compiled: Any, *arguments: Any) -> int:
    """Compile a kernel for arguments of these types and return the address of its code."""
    signature = tuple(compiled.typeof_pyval(argument) for argument in arguments)
    compiled.compile(signature)
    found = compiled.overloads[signature]
    return int(found.library.get_pointer_to_function(found.fndesc.llvm_func_name))


class Stacks:
    """Memory for the CPUs' stacks, each with a page below it that may not be touched."""

    def __init__(self, count: int):
        size = STACK_BYTES + GUARD_BYTES
        self.area = mmap.mmap(-1, count * size)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self.area))
        self.tops = [base + (i + 1) * size for i in range(count)]
        libc = ctypes.CDLL(None, use_errno=True)
        for top in self.tops:
            below = ctypes.c_void_p(top - size)
            if libc.mprotect(below, ctypes.c_size_t(GUARD_BYTES), PROT_NONE) != 0:
                raise OSError(ctypes.get_errno(), "cannot guard a stack")


class Laboratory:
    """A booted machine with an engine.  `bodies`: one for each CPU, in order; daemons come last.

    A body is a kernel of (cpu) or, with an `argument`, of (cpu, argument).  With `finale` the last one runs when all
    others have finished.
    """

    def __init__(
        self,
        segment: Segment,
        bodies: list[Callable[..., object]],
        argument: Any = None,
        daemons: int = 0,
        finale: bool = False,
    ):
        self.segment, self.argument = segment, argument
        self.runner: Callable[[int], int] = self.run_here
        self.engine: Any = segment.nth("Scheduler", 0)
        self.engine.fibers, self.engine.workers = len(bodies), len(bodies) - daemons
        self.engine.limit, self.engine.depth, self.engine.random = 100_000, 2, 1
        self.engine.ended, self.engine.finale = FINISHED, len(bodies) if finale else 0
        segment.memory.near = segment.machine
        self.stacks = None if jit_off() else Stacks(len(bodies))
        for index, body in enumerate(bodies):
            self.bind(index, body)
            segment.nth("Fiber", index).daemon = int(index >= len(bodies) - daemons)
        self.keep()
        segment.memory.notes.take_copy()

    def bind(self, index: int, body: Callable[..., object]) -> None:
        """Give a CPU its body."""
        fiber: Any = self.segment.nth("Fiber", index)
        cpu = self.segment.nth("Cpu", index)
        if self.stacks is None:
            self.segment.memory.bodies[fiber.stack.off] = (body, end_turn, self.argument)
            return
        more = () if self.argument is None else (self.argument,)
        fiber.stack.top = self.stacks.tops[index]
        fiber.stack.body, fiber.stack.end = address_of(body, cpu, *more), address_of(end_turn, cpu)
        fiber.stack.argument = self.argument.off if more else 0

    def keep(self) -> None:
        """Keep the engine's records when the machine is brought back."""
        for first, length in self.kept():
            self.segment.memory.notes.keep(first, length)

    def kept(self) -> list[tuple[int, int]]:
        """Return where the engine's records lie: byte offsets and lengths, in order."""
        tables = [(self.segment.table(name), STRUCTS[name].stride) for name in KEPT]
        return sorted((table.first, table.capacity * stride) for table, stride in tables)

    def state(self) -> str:
        """Return a digest, 16 hex digits, of all memory but the engine's."""
        digest, memory, begin = hashlib.blake2b(digest_size=8), memoryview(self.segment.map), HEADER
        for first, length in self.kept():
            digest.update(memory[begin:first])
            begin = first + length
        digest.update(memory[begin:])
        return digest.hexdigest()

    def distinguish(self, first: str, end: str) -> None:
        """Tell final states apart by the tables from `first` on, `end` not included."""
        engine, places = self.engine, [self.segment.table(name).first for name in (first, end)]
        engine.state_first, engine.state_end = places

    def run(self, count: int) -> int:
        """Run up to `count` executions; stop after one that fails or ends in a new state.  Return how many were run.

        A search through all executions goes on where it was, and stops when none is left.
        """
        return self.runner(count)

    def run_here(self, count: int) -> int:
        """Run them with the CPUs as stacks of this process."""
        machine = self.segment.machine
        if self.engine.strategy == DFS:
            return int(explore_all(machine, count))
        if self.engine.strategy == DPOR:
            return int(explore_reduced(machine, count, *self.room_for_races))
        if self.engine.strategy == COVERAGE:
            events = STRUCTS["Cpu"].fields["events"].words
            return int(coverage.explore_guided(machine, count, events, *self.covered, *self.room_for_features))
        return int(explore(machine, count))

    @cached_property
    def room_for_races(self) -> tuple[np.ndarray, ...]:
        """Return what dynamic partial-order reduction remembers besides the path (dpor.py)."""
        decisions, cpus = self.segment.table("Branch").capacity, self.engine.fibers
        shapes = (decisions, cpus), (decisions, cpus, FOOTPRINT), (cpus,)
        return tuple(np.zeros(shape, np.int64) for shape in shapes)

    @cached_property
    def covered(self) -> Covered:
        """Return what the coverage-guided strategy remembers; processes of one search are given the same."""
        return remember_nothing()

    @cached_property
    def room_for_features(self) -> tuple[np.ndarray, ...]:
        """Return where the coverage-guided strategy looks for what an execution has shown (coverage.py)."""
        shapes = (coverage.WORDS, coverage.COLUMNS), (self.engine.fibers, coverage.COLUMNS)
        return tuple(np.zeros(shape, np.int64) for shape in shapes)

    def begin_again(self) -> None:
        """Have a search through all executions begin with the first one."""
        restart_path(self.engine)

    def close(self) -> None:
        """Let go of the machine's memory, 40 MB: it refers to itself, and nobody may look for garbage."""
        memory = self.segment.memory
        memory.near = memory.notes = None
        memory.bodies.clear()

    def forget(self) -> None:
        """Forget what the strategies have learned from executions so far."""
        self.engine.longest = self.engine.word_count = 0
        vars(self).pop("covered", None)
        self.segment.view("Fiber")["most"] = self.segment.view("Fiber")["steps"] = 0
        self.segment.view("Touched")[:] = 0

    def forget_states(self) -> None:
        """Forget in which states executions have ended: each will be looked at again."""
        self.engine.states = 0
        self.segment.view("Seen")["state"] = self.segment.view("Seen")["bad"] = 0

    def states_full(self) -> bool:
        """Tell whether states at rest may have been new that there was no room for: they were not looked at."""
        capacity = self.segment.table("Seen").capacity
        return bool(capacity and self.engine.states * FULL >= capacity)

    def mark_bad(self) -> None:
        """Stop from now on at each execution that ends in the state in which the last one ended."""
        if self.segment.table("Seen").capacity:
            self.segment.view("Seen")["bad"][self.engine.state_at] = 1

    def turns(self) -> list[int]:
        """Return the decisions of the last execution: which CPU went on."""
        return [int(cpu) for cpu in self.segment.view("Turn")["cpu"][: self.engine.turns]]

    def prescribe(self, turns: list[int]) -> None:
        """Have the next executions begin with these decisions; what follows is up to the strategy."""
        self.segment.view("Given")["cpu"][: len(turns)] = np.array(turns, dtype=np.int64)
        self.engine.given = len(turns)
