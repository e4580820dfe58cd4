"""Exact probabilities that a strategy finds a tiny program's bug: every choice it could make is followed.

A program is a list of threads, a thread a list of steps.  Thread 0 runs from the beginning, others once started.
"""

import itertools
import random
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

FOUND = "found"  # what a step of kind "do" returns when it hits the bug; a number: steps to be left out


class Step(NamedTuple):
    """One step: it waits while a lock is taken or a thread runs on."""

    kind: str  # lock, unlock, up, down, start, join, do
    what: object  # a word, a thread, or for "do" a function of the words' values
    word: str = ""  # of "do": the word that it touches
    writes: bool = False


def lock(word):
    return Step("lock", word, word, True)


def unlock(word):
    return Step("unlock", word, word, True)


def start(thread):
    return Step("start", thread)


def join(thread):
    return Step("join", thread)


def look(word, function):
    """Read a word: the function says whether that shows the bug, or how many steps to leave out."""
    return Step("do", function, word)


def write(word, function):
    """Write a word: the function changes the values."""
    return Step("do", function, word, True)


def put(word, value):
    """Write a value to a word."""
    return write(word, lambda words: words.__setitem__(word, value))


def bug_if(word, condition):
    """Read a word; it is the bug if the condition holds."""
    return look(word, lambda words: FOUND if condition(words) else 0)


def locked(word, *steps):
    """Do steps under a lock."""
    return [lock(word), *steps, unlock(word)]


class State(NamedTuple):
    """Where each thread stands (-1: not started), how many steps it has made, and the words."""

    places: tuple[int, ...]
    made: tuple[int, ...]
    values: tuple[int, ...]


class Program:
    """Threads, the words they share, and whether to stand still is the bug."""

    def __init__(self, threads: list[list[Step]], words: dict[str, int], deadlock: bool = False):
        self.threads, self.deadlock = threads, deadlock
        self.names = sorted(words)
        others = len(threads) - 1
        self.beginning = State((0,) + (-1,) * others, (0,) * (others + 1), tuple(words[name] for name in self.names))

    def over(self, state: State, thread: int) -> bool:
        """Tell whether a thread has ended."""
        return state.places[thread] >= len(self.threads[thread])

    def next_of(self, state: State, thread: int) -> Step:
        """Return the step before which a thread stands."""
        return self.threads[thread][state.places[thread]]

    def can(self, state: State, thread: int) -> bool:
        """Tell whether a thread can make its next step."""
        if state.places[thread] < 0 or self.over(state, thread):
            return False
        step = self.next_of(state, thread)
        if step.kind == "join":
            return self.over(state, step.what)
        free = {"lock": lambda value: value == 0, "down": lambda value: value > 0}.get(step.kind)
        return free is None or free(state.values[self.names.index(step.what)])

    def ready(self, state: State) -> list[int]:
        """List the threads that can go on."""
        return [thread for thread in range(len(self.threads)) if self.can(state, thread)]

    def after(self, state: State, thread: int) -> State | None:
        """Return the state after a thread's next step; None: that was the bug."""
        places, made, words = list(state.places), list(state.made), dict(zip(self.names, state.values, strict=True))
        step = self.next_of(state, thread)
        places[thread] += 1
        made[thread] += 1
        if step.kind == "start":
            places[step.what] = 0
        elif step.kind == "do":
            result = step.what(words)
            if result == FOUND:
                return None
            places[thread] += result or 0
        elif step.kind != "join":
            words[step.what] += {"lock": 1, "unlock": -1, "up": 1, "down": -1}[step.kind]
        return State(tuple(places), tuple(made), tuple(words[name] for name in self.names))

    def stands_still(self, state: State) -> bool:
        """Tell whether a state in which nobody can go on is the bug."""
        return self.deadlock and any(place >= 0 and not self.over(state, i) for i, place in enumerate(state.places))


Weight = Callable[[Program, State, int], int]


def by_weight(program: Program, weight: Weight) -> Fraction:
    """Return the probability of the bug if each thread that can go on is chosen in proportion to its weight."""

    @lru_cache(None)
    def chance(state: State) -> Fraction:
        ready = program.ready(state)
        if not ready:
            return Fraction(program.stands_still(state))
        found = Fraction(0)
        for thread in ready:
            after = program.after(state, thread)
            found += weight(program, state, thread) * (Fraction(1) if after is None else chance(after))
        return found / sum(weight(program, state, thread) for thread in ready)

    return chance(program.beginning)


def equal(program: Program, state: State, thread: int) -> int:
    """Uniform: all alike."""
    return 1


def steps_left(program: Program, state: State, thread: int) -> int:
    """URW: the steps that a thread has left, and those of what it will start."""
    ahead = program.threads[thread][max(0, state.places[thread]) :]
    below = sum(all_steps(program, step.what) for step in ahead if step.kind == "start")
    return max(1, len(program.threads[thread]) - state.made[thread] + below)


def all_steps(program: Program, thread: int) -> int:
    """Count the steps of a thread and of those that it starts."""
    steps = program.threads[thread]
    return len(steps) + sum(all_steps(program, step.what) for step in steps if step.kind == "start")


def by_rank(program: Program, depth: int, length: int) -> Fraction:
    """PCT: the share of all orders of the ranks, and all change points in steps 1 .. length, that hit the bug."""
    orders = list(itertools.permutations(range(1, len(program.threads) + 1)))
    changes = list(itertools.product(range(1, length + 1), repeat=depth - 1))
    hits = sum(ranked(program, list(order), change) for order in orders for change in changes)
    return Fraction(hits, len(orders) * len(changes))


def ranked(program: Program, rank: list[int], change: tuple[int, ...]) -> bool:
    """Tell whether these ranks and change points hit the bug."""
    state = program.beginning
    for number in itertools.count(1):
        ready = program.ready(state)
        if not ready:
            return program.stands_still(state)
        falls = max(ready, key=rank.__getitem__)
        for i, step in enumerate(change):
            if step == number:
                rank[falls] = -i
        after = program.after(state, max(ready, key=rank.__getitem__))
        if after is None:
            return True
        state = after
    raise AssertionError


def partial_orders(program: Program, count: int, seed: int) -> int:
    """POS: how many of `count` executions hit the bug, each pending step ranked by a random number of its own."""
    chance = random.Random(seed)
    return sum(partial_order(program, chance) for _ in range(count))


def partial_order(program: Program, chance: random.Random) -> bool:
    """Run one execution: the highest goes on; it and those whose next step conflicts with it are ranked anew."""
    state: State | None = program.beginning
    rank = [chance.random() for _ in program.threads]
    while ready := program.ready(state):
        chosen = max(ready, key=rank.__getitem__)
        done = program.next_of(state, chosen)
        for thread in ready:
            step = program.next_of(state, thread)
            if thread == chosen or (done.word and step.word == done.word and (step.writes or done.writes)):
                rank[thread] = chance.random()
        state = program.after(state, chosen)
        if state is None:
            return True
    return program.stands_still(state)
