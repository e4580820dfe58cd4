"""What `vmconc explore` and `vmconc replay` do, one target at a time."""

import time
from collections.abc import Callable
from functools import partial
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import msgspec

from vmconc.coordinator.signals import StopRequests
from vmconc.explore import failure as failures
from vmconc.explore.again import Repeated, compare, difference, outcome, spoken, told
from vmconc.explore.checkpoint import Keeper, Search, code_of, go_on
from vmconc.explore.debug import stop_at
from vmconc.explore.explain import Explained, explain
from vmconc.explore.failure import Artifact, Failure
from vmconc.explore.fits import check_fits
from vmconc.explore.jobs import search_side_by_side
from vmconc.explore.laboratory import Laboratory
from vmconc.explore.meaning import about_races, meaning, step_of
from vmconc.explore.minimise import run_turns
from vmconc.explore.search import Budget, Choice, Tally
from vmconc.explore.smaller import Small, make_small
from vmconc.explore.story import Row
from vmconc.explore.target import Target, make
from vmconc.explore.workers import Handed, Workers
from vmconc.memory.jit import source_digest
from vmconc.program.errors import ProgramError

Check = Callable[[], list[dict[str, Any]]] | None


class Explored(msgspec.Struct):
    """What came of exploring one target."""

    target: Target
    tally: Tally
    failure: Failure | None = None
    found: Failure | None = None  # as it was before it was made simpler
    simplest: str = ""  # what is known of simpler failures
    proven: bool = False  # it is known that none has fewer preemptions
    small: Target | None = None  # the program of the simpler failure
    artifact: str = ""
    interrupted: bool = False
    meaning: list[str] = []  # of having found nothing
    explained: Explained | None = None  # the failure


class Replayed(msgspec.Struct):
    """What came of replaying a failure."""

    target: Target
    reproduced: bool
    failure: Failure | None
    diverged: int  # decision, from 1, that could not be made as recorded; 0: none
    same_code: bool
    explained: Explained
    repeated: Repeated = msgspec.field(default_factory=Repeated)
    handed: Handed | None = None  # on processes: how they took turns

    @property
    def rows(self) -> list[Row]:
        """Return the steps."""
        return self.explained.rows


class Watcher:
    """Told how far it is; does nothing."""

    def compiling(self, target: Target) -> None:
        """The machine is being made and its code compiled."""

    def searched(self, tally: Tally) -> None:
        """Some more executions are done."""

    def simplified(self, best: Failure) -> None:
        """A simpler failure is found."""


def at_rest(lab: Laboratory, target: Target) -> Check:
    """Return the check of the state at rest; a lock program has none."""
    if not target.protocol:
        return None
    from vmconc.checks.quiescent import check_quiescent

    return lambda: check_quiescent(lab.segment, target.protocol)


def explore(
    target: Target,
    choices: tuple[Choice, ...],
    budget: Budget,
    seed: int,
    simplify: float,
    keep: Path,
    watcher: Watcher,
    jobs: int = 1,
    checkpoint: Path | None = None,
    resume: Path | None = None,
) -> Explored:
    """Explore one target; a failure is made simpler for `simplify` seconds and kept below `keep`.

    How far it is stands in `checkpoint` now and then, and at the end; `resume` is where to go on from.  Ctrl-C ends the
    search, not more.  Raises ProgramError.
    """
    with Keeper(Search(target, choices, seed, jobs), checkpoint, resume) as keeper:
        lab = make(target, loaded=partial(watcher.compiling, target))
        keeper.begin(code_of(target, lab))
        check_fits(lab, target, choices[0])
        lab.engine.strategy = choices[0].strategy
        lab.run(1)  # compiled before the clock starts
        lab.forget_states()  # the one in which it ended has not been checked
        with StopRequests() as requests:
            tally, found = look(lab, keeper, budget, watcher.searched, requests.asked)
    explored = Explored(target, tally, found, found, interrupted=requests.count > 0)
    if not found:
        kind = "orders of lock operations" if target.protocol else "happens-before classes"
        about = [about_races(target.races, tally.crowded), step_of(target)]
        explored.meaning = [*meaning(tally, lab.engine.fibers, kind, choices[0]), *about]
    if found and out_of_memory(lab, found, target):
        frames = lab.segment.machine.frames
        raise ProgramError(f"{target.name} needs more than the {frames} frames that are explored with: make it smaller")
    if found:
        explored.small = target
        found.rule = named_rule(target, found)
        if simplify:
            small, simplest = make_small(Small(target, lab, found), simplify, at_rest, watcher.simplified)
            explored.small, explored.failure = small.target, small.failure
            explored.simplest, explored.proven = simplest.said, simplest.proven
        path = keep / f"{time.strftime('%Y%m%d-%H%M%S')}-{target.name}.failure.json"
        artifact = artifact_of(explored.small, explored.failure or found, explored.proven)
        failures.write(path, artifact)
        explored.artifact, explored.explained = str(path), replay(artifact).explained
    return explored


def out_of_memory(lab: Laboratory, found: Failure, target: Target) -> bool:
    """Tell whether a failure is no more than a program that is too large for the machine."""
    run_turns(lab, found.turns, None)
    return bool(target.protocol) and failures.out_of_memory(lab)


def named_rule(target: Target, failure: Failure) -> str:
    """Return the rule that is kept broken when a failure is made small: of several that of the bug switched on."""
    from vmconc.explore.bugs import BUGS

    named = [BUGS[name].rule for name in BUGS.keys() & set(target.bugs) if failures.breaks(failure, BUGS[name].rule)]
    return next(iter(named), failure.rule)


def look(
    lab: Laboratory, keeper: Keeper, budget: Budget, note: Callable[[Tally], None], stop: Callable[[], bool]
) -> tuple[Tally, Failure | None]:
    """Search on from where the keeper's parts are, here or side by side."""
    (target, choices, seed, jobs), parts = msgspec.structs.astuple(keeper.now.search), keeper.now.parts
    if jobs > 1:
        keep = keeper.keep if keeper.path else None
        return search_side_by_side(target, choices, budget, seed, jobs, note, parts, keep, stop)
    keep_only = partial(keeper.keep, 0)
    return go_on(lab, choices, budget, seed, at_rest(lab, target), parts[0], note, keep_only, stop)


def artifact_of(target: Target, failure: Failure, proven: bool = False) -> Artifact:
    """Return a failure with all that its replay is compared with; `proven`: none has fewer preemptions."""
    lab = make(target, watched=True)
    run_turns(lab, failure.turns, at_rest(lab, target))
    return Artifact(target, failure, source_digest(), spoken(lab), proven=proven)


def replay(
    artifact: Artifact, everything: bool = False, debug: bool = False, times: int = 1, processes: bool = False
) -> Replayed:
    """Replay a failure on a machine that is watched, `times` times; on `processes` after once without.

    With `debug` once more, in the debugger before its last step.
    """
    lab = make(artifact.target, watched=True)
    check = at_rest(lab, artifact.target)
    failure = run_turns(lab, artifact.failure.turns, check)
    if debug:
        with stop_at(lab.engine.steps):
            failure = run_turns(lab, artifact.failure.turns, check)
    engine: Any = lab.engine
    same = failure is not None and failures.breaks(failure, artifact.failure.rule)
    same_code, diverged = source_digest() == artifact.digest, engine.diverged
    repeated, handed = repeat(lab, artifact, failure, check, times, processes)
    explained = explain(lab, artifact.failure.turns, check, everything)
    return Replayed(artifact.target, same, failure, diverged, same_code, explained, repeated, handed)


def repeat(
    lab: Laboratory, artifact: Artifact, failure: Failure | None, check: Check, times: int, processes: bool
) -> tuple[Repeated, Handed | None]:
    """Compare `times` replays, on processes or this one among them, with what was recorded; `failure` came of this."""
    first = outcome(lab, failure)
    departs = difference(artifact, first, told(lab))
    again = (run_turns(lab, artifact.failure.turns, check) for _ in count())
    if not processes:
        return compare(lab, artifact, first, departs, islice(chain([failure], again), times)), None
    with Workers(lab) as workers:
        repeated = compare(lab, artifact, first, departs, islice(again, times))
        return repeated, workers.handed()
