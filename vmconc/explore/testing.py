"""Tests that are explored: the program stands in the test's file, the test is what must hold at its end."""

import inspect
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vmconc.explore.lockprogram import LOADED, module_name
from vmconc.explore.search import SEED_BITS, Budget, Choice
from vmconc.explore.session import Watcher
from vmconc.explore.session import explore as explore_target
from vmconc.explore.target import Target

KEEP = Path("failures")
SIMPLIFY = 5.0  # seconds
SEED = {"given": "0"}  # what --vmconc-seed says


class Explored(AssertionError):
    """An order of steps was found in which the test fails."""


def seed_for(seed: int | None) -> int:
    """Return the seed of a test: its own, else that of the session, else a new one each time (`random`)."""
    if seed is not None:
        return seed
    return random.SystemRandom().randrange(SEED_BITS) if SEED["given"] == "random" else int(SEED["given"])


def explored_test(
    function: Callable[..., object], executions: int, choices: tuple[Choice, ...], seed: int | None, races: bool
) -> Callable[[], None]:
    """Return a test without arguments that explores the program of the function's file."""
    path = Path(inspect.getfile(function)).resolve()

    def test() -> None:
        LOADED.setdefault(module_name(path), sys.modules[function.__module__])
        target = Target(str(path), check=function.__name__, races=races)
        chosen = seed_for(seed)
        explored = explore_target(target, choices, Budget(executions), chosen, SIMPLIFY, KEEP, Watcher())
        if explored.interrupted:
            raise KeyboardInterrupt
        if explored.failure:
            raise Explored(report(explored, chosen))

    test.__name__, test.__doc__, test.__module__ = function.__name__, function.__doc__, function.__module__
    return test


def report(explored: Any, seed: int) -> str:
    """Say what is wrong, each step that leads there, and how to replay it."""
    from vmconc.explore.fold import Fold, fold
    from vmconc.explore.say_swap import numbers_of

    told = explored.explained
    steps = [
        f"       {line.text}" if isinstance(line, Fold) else f"  {line.number or '':4} cpu {line.cpu}  {line.text}"
        for line in fold(told.rows, numbers_of(told.swap))
    ]
    swap = [f"the decisive swap: {told.swap.text}"] if told.swap and told.swap.found else []
    found = f"execution {explored.failure.execution:,} by {explored.failure.strategy}, seed {seed}"
    return "\n".join([*explored.failure.lines, *steps, *told.loop, *swap, found, f"vmconc replay {explored.artifact}"])
