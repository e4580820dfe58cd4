"""Makes the program of a failure smaller: fewer CPUs, LWPs, operations and pages, with the same rule broken still.

Each smaller program is searched for a failure, first with no more preemptions than are known to do, then by the
portfolio.  Oracle and waits are computed anew for it, so a correct protocol has to be right about it too.
Of a lock program only the options that were given are lowered: a thread left out may be one that the others need.
"""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from vmconc.explore.failure import Failure, breaks
from vmconc.explore.fewest import search_all
from vmconc.explore.laboratory import Laboratory
from vmconc.explore.minimise import Simplest, minimise
from vmconc.explore.search import PORTFOLIO, Budget, search
from vmconc.explore.target import Target, make, written_plan
from vmconc.explore.trials import Check, Trials
from vmconc.memory.jit import jit_off
from vmconc.program.builder import PAGE
from vmconc.program.errors import ProgramError
from vmconc.program.written import STARTS, Operation, Written, plan_of, without

EXECUTIONS = (64, 4096)  # at least and at most, complete and by chance each, in one program
HARDER = 8  # times as many executions as it took to find the failure, in between
SHARE = 0.25  # of the time left that one program may take
COMPILING = 20.0  # seconds: a lock program with other options is another one to compile

CheckOf = Callable[[Laboratory, Target], Check]
Note = Callable[[Failure], None]


class Small(NamedTuple):
    """A program with a failure."""

    target: Target
    lab: Laboratory
    failure: Failure


def make_small(small: Small, seconds: float, check_of: CheckOf, note: Note) -> tuple[Small, Simplest]:
    """Make the schedule simple, then the program small, then the schedule of that one simple, each in a third.

    Returns the program with its failure, and what is known of simpler ones.
    """
    deadline = time.monotonic() + seconds
    simplest = minimise(small.lab, small.failure, seconds / 3, check_of(small.lab, small.target), note)
    left = deadline - time.monotonic()
    smaller = make_smaller(small._replace(failure=simplest.failure), left / 2, check_of, note)
    if smaller.lab is not small.lab or not simplest.proven:
        left, check = deadline - time.monotonic(), check_of(smaller.lab, smaller.target)
        simplest = minimise(smaller.lab, smaller.failure, left, check, note)
    return smaller._replace(failure=simplest.failure), simplest


def make_smaller(small: Small, seconds: float, check_of: CheckOf, note: Note) -> Small:
    """Return the smallest program in which the same rule was found broken in the time; at most the one given."""
    first, small = small.lab, small._replace(target=written_down(small.target))
    deadline = time.monotonic() + seconds
    improved = True
    while improved and time.monotonic() < deadline:
        improved = False
        for target in smaller_targets(small.target, deadline):
            found = fails(target, small.failure, SHARE * (deadline - time.monotonic()), check_of)
            if found:
                if small.lab is not first:
                    small.lab.close()
                small, improved = found, True
                note(found.failure)
                break
    return small


def written_down(target: Target) -> Target:
    """Return the target with its operations, unless it is a lock program or too large."""
    try:
        return replace(target, written=written_plan(target)) if target.protocol else target
    except ProgramError:
        return target


def fails(target: Target, failure: Failure, seconds: float, check_of: CheckOf) -> Small | None:
    """Look for a failure of the same rule in another program."""
    lab = make(target)
    check = check_of(lab, target)
    deadline = time.monotonic() + seconds
    trials = Trials(lab, failure, deadline, check, lambda best: None)
    left = min(max(EXECUTIONS[0], HARDER * failure.execution), EXECUTIONS[1])
    found, _ = search_all(trials, failure.preemptions, time.monotonic() + seconds / 2, left)
    while found is None and left > 0 and time.monotonic() < deadline:
        tally, seen = search(lab, PORTFOLIO, Budget(left, deadline - time.monotonic()), left, check)
        left -= tally.executions
        found = seen if seen and breaks(seen, failure.rule) else None
    if found is None:
        lab.close()
        return None
    found.rule, found.strategy, found.execution = failure.rule, failure.strategy, failure.execution
    return Small(target, lab, found)


def smaller_targets(target: Target, deadline: float) -> Iterator[Target]:
    """Yield targets with less in them, those first that have least, until the deadline."""
    candidates = smaller_plans(target) if target.written else lower_options(target)
    needed = COMPILING if not target.protocol and not jit_off() else 0.0
    for candidate in candidates:
        if time.monotonic() + needed >= deadline:
            return
        yield candidate


def lower_options(target: Target) -> Iterator[Target]:
    """Yield a lock program with lower options: halved, then one less; 1 and less may mean yes or no and stays."""
    for name, text in target.options.items() if not target.protocol else ():
        value = int(text, 0)
        for lower in sorted({value // 2, value - 1}) if value > 1 else ():
            yield replace(target, options={**target.options, name: str(lower)})


def smaller_plans(target: Target) -> Iterator[Target]:
    """Yield a program on fewer CPUs, then with fewer LWPs, operations and pages.

    No more touches than before may miss their page: that is no fault of the protocol.
    """
    assert target.written
    missing = plan_of(target.written, target.name).missing
    for cpus in range(1, target.cpus):
        yield replace(target, cpus=cpus)
    for written in smaller_programs(target.written):
        smaller = written.operations and written != target.written
        if smaller and plan_of(written, target.name).missing <= missing:
            yield replace(target, written=written)


def smaller_programs(written: Written) -> Iterator[Written]:
    """Yield programs with fewer operations, then with fewer pages."""
    operations = written.operations
    for place in reversed(range(len(operations))):
        if operations[place].kind in STARTS:
            yield without(written, {place})
    length = len(operations) // 2
    while length >= 1:
        for last in range(len(operations), 0, -length):
            yield without(written, set(range(max(0, last - length), last)))
        length //= 2
    for place, each in enumerate(operations):
        for fewer in shorter(each):
            yield Written((*operations[:place], fewer, *operations[place + 1 :]), written.files)


def shorter(each: Operation) -> Iterator[Operation]:
    """Yield an operation with fewer pages: half of them, all but the last, all but the first."""
    if each.kind == "touch" or each.length <= PAGE:
        return
    pages = each.length // PAGE
    for count in sorted({(pages + 1) // 2, pages - 1}):
        yield replace(each, length=count * PAGE)
    if each.kind != "mmap":
        yield replace(each, va=each.va + PAGE, length=each.length - PAGE)
