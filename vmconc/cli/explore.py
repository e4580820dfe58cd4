"""`vmconc explore`: look for an order of steps in which a program fails."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vmconc.cli import options as o
from vmconc.cli.asked import Asked
from vmconc.cli.asked_checks import check, check_checkpoint
from vmconc.cli.asked_html import write_html
from vmconc.cli.asking import asking, given_in
from vmconc.cli.targets import targets_of
from vmconc.cli.uncompiled import say_if_uncompiled
from vmconc.coordinator.errors import EXIT_CLEAN, EXIT_INTERRUPTED, EXIT_VIOLATION, UsageError

if TYPE_CHECKING:
    from vmconc.explore.session import Explored
    from vmconc.explore.target import Target

SECONDS_DEFAULT = 10.0


@asking(Asked)
def explore(asked: Asked) -> int:
    """Run a program's threads in many orders until one fails, make the failure simple, and show it step by step.

    Example: vmconc explore fork_chain --set generations=3 --set pages=2 --set writes=1 --set chains=1 --for 20s
    """
    check(asked)
    targets, kept = targets_of(asked, given_in(asked.context)), asked.checkpoint or asked.resume
    if kept:
        check_checkpoint(kept, asked.strategy, len(targets))
    say_if_uncompiled()
    return explore_each(targets, search_of(asked), asked.html, kept, asked.json)


def search_of(asked: Asked) -> Callable[..., "Explored"]:
    """Return what explores one target as is asked.  Raises UsageError."""
    from functools import partial

    from vmconc.coordinator.units import duration
    from vmconc.explore.search import Budget, choices_of
    from vmconc.explore.session import explore as explore_one

    default = 0.0 if asked.executions else SECONDS_DEFAULT
    seconds = duration("--for", asked.seconds) / 1e9 if asked.seconds else default
    return partial(
        explore_one, choices=choices_of(asked.strategy, asked.depth, asked.preemptions),
        budget=Budget(asked.executions, seconds), seed=asked.seed,
        simplify=duration("--minimise", asked.minimise) / 1e9, keep=asked.keep, jobs=asked.jobs or o.core_count(),
        checkpoint=asked.checkpoint, resume=asked.resume,
    )  # fmt: skip


def explore_each(
    targets: list["Target"], run: Callable[..., "Explored"], html: Path | None, kept: Path | None, json: bool
) -> int:
    """Explore one target after the other, show what came of it, and return the exit code; `kept`: the checkpoint."""
    from vmconc.cli.show import print_json
    from vmconc.cli.show_explore import Progress, show_explored
    from vmconc.explore.page import explored_part
    from vmconc.program.errors import ProgramError

    results: list[Explored] = []
    while targets and not (results and results[-1].interrupted):
        target, *targets = targets
        with Progress(not json) as progress:
            try:
                results.append(run(target, watcher=progress))
            except ProgramError as error:
                raise UsageError(str(error)) from error
        if not json:
            show_explored(results[-1], kept)
    if html:
        write_html(html, [explored_part(result) for result in results], not json)
    if json:
        print_json({"explored": results})
    if any(result.failure for result in results):
        return EXIT_VIOLATION
    return EXIT_INTERRUPTED if results[-1].interrupted else EXIT_CLEAN
