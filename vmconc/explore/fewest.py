"""How few preemptions a failure needs: complete searches with 0, 1, 2 ...; where that takes too long, PCT."""

import time
from copy import copy
from typing import Any, NamedTuple

from vmconc.explore.failure import Failure
from vmconc.explore.moves import simplify
from vmconc.explore.trials import Trials
from vmconc.schedule.path import CPUS_MAX
from vmconc.schedule.strategies import DFS, PCT

SLICE = 256  # executions between two looks at the clock
SHARE = 0.5  # of the time left that one complete search may take, and that looking for other failures may
DEEPEST = 8  # PCT, at most
NO_LIMIT = 1 << 60


class Fewest(NamedTuple):
    """What complete searches have shown: there is no failure with fewer preemptions."""

    preemptions: int
    executions: int  # all that have fewer


def fewest_preemptions(trials: Trials) -> Fewest:
    """Run all executions with 0, 1, 2 ... preemptions, as far as time allows, until one fails."""
    fewest, bound = Fewest(0, 0), 0
    while bound < trials.best.preemptions and not trials.over():
        before = trials.executions
        until = time.monotonic() + SHARE * (trials.deadline - time.monotonic())
        found, complete = search_all(trials, bound, until)
        trials.take(found)
        if found is None and not complete:
            break
        if complete:
            bound += 1
            fewest = Fewest(bound, trials.executions - before)
    return fewest


def search_all(trials: Trials, bound: int, until: float, most: int = NO_LIMIT) -> tuple[Failure | None, bool]:
    """Run all executions with no more preemptions; return a failure, and whether all were run.

    Stops at a time (of the monotonic clock), and after `most` executions.
    """
    engine: Any = trials.lab.engine
    if engine.fibers > CPUS_MAX:
        return None, False
    engine.strategy, engine.bound = DFS, bound
    trials.lab.prescribe([])
    trials.lab.begin_again()
    found, left = None, most
    while found is None and left and not engine.exhausted and time.monotonic() < until:
        done = trials.lab.run(min(SLICE, left))
        trials.executions += done
        left -= done
        found = trials.judged()
    whole = engine.exhausted and not engine.unnoted and not trials.lab.states_full()
    return found, found is None and bool(whole)


def other_failures(trials: Trials, enough: int) -> None:
    """Make other failures simple, which PCT finds, until the time is half up or one has `enough` preemptions."""
    engine: Any = trials.lab.engine
    until = time.monotonic() + SHARE * (trials.deadline - time.monotonic())
    depth = 1
    while trials.best.preemptions > enough and time.monotonic() < until:
        depth = 1 + depth % min(DEEPEST, trials.best.preemptions)
        engine.strategy, engine.depth = PCT, depth
        trials.lab.prescribe([])
        trials.executions += trials.lab.run(SLICE)
        found = trials.judged()
        if found:
            other = copy(trials)
            other.best, other.deadline, other.note = found, until, lambda best: None
            simplify(other)
            trials.executions = other.executions
            trials.take(other.best)
