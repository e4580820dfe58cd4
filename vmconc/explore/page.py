"""What was found, as one page for a browser."""

import importlib.resources
from pathlib import Path
from typing import Any

from vmconc.document import filled, titled
from vmconc.explore.explain import Explained
from vmconc.explore.failure import Failure
from vmconc.explore.fold import Fold, fold
from vmconc.explore.say_swap import Swap, numbers_of
from vmconc.explore.search import Tally
from vmconc.explore.session import Explored, Replayed
from vmconc.explore.target import Target
from vmconc.program.errors import ProgramError

TEMPLATE = "page.html"
SILENT = (
    "Nothing failed in these executions. Others may: the number of orders grows beyond bounds with the steps.",
    "Memory is sequentially consistent: a missing barrier is not found.",
)

Part = dict[str, Any]


def write_page(path: Path, parts: list[Part]) -> None:
    """Write the page.  Raises ProgramError, naming the file."""
    try:
        path.write_text(page(parts), encoding="utf-8")
    except OSError as error:
        raise ProgramError(f"--html {path}: {error.strerror}; name a file that can be written") from error


def page(parts: list[Part]) -> str:
    """Return the page."""
    title = "; ".join(f"{part['name']}: {part['result']}" for part in parts)
    template = importlib.resources.files("vmconc.explore").joinpath(TEMPLATE).read_text(encoding="utf-8")
    return filled(template, titled(title, parts))


def explored_part(explored: Explored) -> Part:
    """Return what a page says of one target that was explored."""
    failure = explored.failure
    return {
        **about(explored.target, failure.rule if failure else "nothing found", failure is not None),
        "facts": [*facts_of_target(explored.target), *facts_of_tally(explored.tally), *facts_of_failure(explored)],
        "lines_of_failure": failure.lines if failure else [],
        "meaning": [] if failure else [*explored.meaning, *SILENT],
        "replay": f"vmconc replay {explored.artifact}" if failure else "",
        **told(explored.explained),
    }


def replayed_part(replayed: Replayed, artifact: Path) -> Part:
    """Return what a page says of a replay."""
    failure: Failure | None = replayed.failure
    facts = [*facts_of_target(replayed.target), ["code", "the same" if replayed.same_code else "has changed since"]]
    if replayed.diverged:
        facts.append(["went apart", f"at decision {replayed.diverged:,}"])
    return {
        **about(replayed.target, failure.rule if failure else "it does not fail again", failure is not None),
        "facts": facts,
        "lines_of_failure": failure.lines if failure else [],
        "meaning": [],
        "replay": f"vmconc replay {artifact}",
        **told(replayed.explained),
    }


def about(target: Target, result: str, failed: bool) -> Part:
    """Return the heading."""
    return {"name": target.name, "result": result, "failed": failed}


def facts_of_target(target: Target) -> list[list[str]]:
    """Say what was explored."""
    named = {
        "program": target.program,
        "protocol": target.protocol and f"{target.protocol} on {target.cpus} CPUs",
        "options": ", ".join(f"{name}={value}" for name, value in target.options.items()),
        "known bugs switched on": ", ".join(target.bugs),
        "disk errors": f"{target.io_errors} of 1,000 requests" if target.io_errors else "",
    }
    return [[name, value] for name, value in named.items() if value]


def facts_of_tally(tally: Tally) -> list[list[str]]:
    """Say what was done."""
    by = ", ".join(f"{name} {count:,}" for name, count in tally.by_strategy.items())
    return [
        [
            "explored",
            f"{tally.executions:,} executions in {tally.seconds:.1f} s, the longest of {tally.longest:,} steps",
        ],
        ["strategies", by],
    ]


def facts_of_failure(explored: Explored) -> list[list[str]]:
    """Say how the failure was found."""
    failure, found = explored.failure, explored.found
    if not failure or not found:
        return []
    simpler = f"{found.preemptions} preemptions and {found.steps} steps"
    return [
        ["found", f"by {failure.strategy} in execution {failure.execution:,}"],
        ["made simpler", f"from {simpler} to {failure.preemptions} and {failure.steps}"],
    ]


def told(explained: Explained | None) -> Part:
    """Return steps, locks, swap and words; each lock once, as mode, name and the number of its name."""
    explained = explained or Explained()
    locks: dict[str, int] = {}
    rows = [
        [row.number, row.cpu, row.text, row.preempted, [locks.setdefault(lock, len(locks)) for lock in row.held]]
        for row in explained.rows
    ]
    names = list(dict.fromkeys(lock.partition(" ")[2] for lock in locks))
    swap = explained.swap
    return {
        "cpus": sorted({row.cpu for row in explained.rows}),
        "rows": rows,
        "locks": [[lock[0], name := lock.partition(" ")[2], names.index(name)] for lock in locks],
        "lines": lines_of(explained, numbers_of(swap)),
        "swap": about_swap(swap),
        "loop": explained.loop,
        "state": [[word.name, word.first, word.failed, word.swapped] for word in explained.state],
    }


def about_swap(swap: Swap | None) -> Part | None:
    """Return what is said of the swap."""
    if swap is None:
        return None
    return {"text": swap.text, "found": swap.found, "named": swap.named}


def lines_of(explained: Explained, kept: set[int]) -> list[Any]:
    """Return the lines to show: places in the rows, or CPUs, text and places of rows that are folded."""
    places = {id(row): place for place, row in enumerate(explained.rows)}  # rows may be equal
    return [
        [line.cpus, line.text, [places[id(row)] for row in line.rows]]
        if isinstance(line, Fold)
        else places[id(line)]
        for line in fold(explained.rows, kept)
    ]
