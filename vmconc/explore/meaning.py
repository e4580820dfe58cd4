"""What it means that nothing was found: which bugs would have been missed, and how likely."""

import math

from vmconc.explore.search import EXHAUSTIVE, PORTFOLIO, Choice, Tally
from vmconc.explore.target import LOCKS, Target
from vmconc.schedule.records import BRANCHES
from vmconc.schedule.strategies import DFS, DPOR

WORTH_SAYING = 0.5  # a bug that is rather missed than found is not spoken of
LAST = 0.9  # the last tenth


def meaning(
    tally: Tally, cpus: int, kind: str = "happens-before classes", choice: Choice = PORTFOLIO[0]
) -> list[str]:
    """Return sentences about a search that found nothing.

    `kind`: what its classes are of; `choice`: its strategy, or the first of several.
    """
    whole = choice.strategy in EXHAUSTIVE
    lines = exhaustive(tally, choice) if whole else []
    lines += [line for depth in (2, 3) if (line := missed(tally, cpus, depth))] + classes(tally, kind, not whole)
    if tally.at_rest:
        late = sum(1 for number in tally.new_at if number > LAST * tally.executions)
        whose = f" (each of {tally.processes} processes counts its own)" if tally.processes > 1 else ""
        lines.append(
            f"{tally.at_rest:,} different states at rest{whose}, each checked; "
            f"{late:,} of them were new in the last tenth"
        )
    return lines


def classes(tally: Tally, kind: str, sampled: bool) -> list[str]:
    """Say how many classes the executions fell into, and of a sample how many there may be that were not seen."""
    found = tally.classes
    if not found.counted:
        return []
    whole = tally.executions - tally.cut
    full = f" (there was no room for more of those of {whole:,})" if found.counted < whole else ""
    seen = f"{found.seen:,} different {kind} in {found.counted:,} executions{full}"
    if not sampled:
        return [seen]
    lines = [f"{seen}; {found.late:,} of them were new in the last tenth"]
    if not found.once:
        return [*lines, "each of them was seen more than once: hardly any is left that this strategy would find"]
    return [
        *lines,
        f"one more execution would be of a new one with a probability of about {found.unseen:.2g} (Good-Turing); "
        f"there are about {max(found.seen, round(found.total)):,} or more (Chao1)",
    ]


def about_races(looked_for: bool, crowded: bool) -> str:
    """Say whether data races were looked for; `crowded`: until there was no room for one more word."""
    if looked_for and crowded:
        return "data races were not looked for to the end: the program touches more words than there is room for"
    if looked_for:
        return "no data race: in each execution all accesses that conflict were ordered, or atomic"
    return "data races were not looked for (--races; of a machine, with --points accesses)"


def exhaustive(tally: Tally, choice: Choice) -> list[str]:
    """Say what a search through all executions has been through."""
    bounded = choice.strategy == DFS and choice.preemptions >= 0
    which = f"execution with at most {choice.preemptions} preemptions" if bounded else "execution"
    alike = ", but of those alike up to the order of steps that commute one," if choice.strategy == DPOR else ""
    also = f", and {tally.cut:,} begun that would have repeated one" if tally.cut else ""
    if not tally.exhausted:
        return [f"not every {which} was run: the search was stopped after {tally.executions:,}"]
    lines = [
        f"every {which}{alike} was run: {tally.executions - tally.cut:,} executions{also}",
        "of loops that wait for others only what is fair: who waits looks again after others have gone on",
    ]
    if tally.unnoted:
        lines.append(f"some were longer than {BRANCHES:,} decisions: those after that were not varied")
    return lines


def step_of(target: Target) -> str:
    """Say what a step was: between two of them nobody else ran."""
    if target.protocol and target.points == LOCKS:
        return "a step was a lock operation, a sleep, a wake-up or a page-in: --points accesses finds more, later"
    what = "its shared records" if target.protocol else "the @shared class"
    return f"a step was an access to a field of {what}, a lock operation, a sleep or a wake-up"


def missed(tally: Tally, cpus: int, depth: int) -> str:
    """Say how likely PCT has missed a bug of a depth: each execution finds it with at least 1 / (n k^(d-1))."""
    runs, steps = tally.settled.get(f"pct {depth}", 0), max(1, tally.longest)
    chance = math.exp(runs * math.log1p(-1 / max(2, cpus * steps ** (depth - 1))))
    if not runs or chance > WORTH_SAYING:
        return ""
    return (
        f"a bug of depth {depth} was missed with a probability below {max(chance, 1e-99):.1g} "
        f"(PCT, {runs:,} executions of {cpus} CPUs and at most {steps:,} steps)"
    )
