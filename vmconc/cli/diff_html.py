"""The page of `vmconc diff --html`."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vmconc.coordinator.errors import UsageError

if TYPE_CHECKING:
    from vmconc.analysis.diff import Diff
    from vmconc.analysis.diff_tables import Beside
    from vmconc.analysis.findings import Findings
    from vmconc.analysis.order_told import Ordered
    from vmconc.analysis.sides import Look
    from vmconc.analysis.timing import Timing
    from vmconc.page.change.charted import Charted


@contextlib.contextmanager
def looking(seen: "dict[Path, Charted]") -> Iterator["Look"]:
    """Show how many runs were read, and keep of each what charts show."""
    from rich.console import Console
    from rich.progress import Progress

    from vmconc.page.change.charted import charted

    people = Console(stderr=True)
    with Progress(console=people, transient=True, disable=not people.is_terminal) as bar:
        task = bar.add_task("reading runs", total=None)

        def look(path: Path, left: "Findings | Timing", order: "Ordered | None") -> None:
            bar.update(task, description=f"charts of {path}")
            seen[path] = charted(left, order)
            bar.update(task, description=f"runs read: {len(seen):,}")

        yield look


def write_page(
    path: Path, found: "Diff", tables: "list[Beside]", asked: list[str], seen: "dict[Path, Charted]"
) -> None:
    """Write it.  Raises UsageError, naming the file."""
    from vmconc.page.change.page import change_page

    try:
        path.write_text(change_page(found, tables, asked, seen), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--html {path}: {error.strerror}; name a file that can be written") from error
