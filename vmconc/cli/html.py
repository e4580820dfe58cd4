"""`vmconc html`: a recorded or timed run as a page for a browser."""

from pathlib import Path
from typing import Annotated

import typer

from vmconc.cli import options as o
from vmconc.cli.asked_html import check_html
from vmconc.cli.recorded import Run, reading
from vmconc.coordinator.errors import UsageError

NAME = "report.html"
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Where to write it.", show_default=f"RUN/{NAME}"),
]


def html(run: Run, output: Output = None, json: o.Json = False) -> int:
    """Write all reports on a recorded or timed run as one page for a browser, with charts; it needs no network.

    Example: vmconc html runs/20261123-181845-sh-pipeline-backing --output report.html
    """
    from vmconc.analysis.allocation import keep_memory
    from vmconc.cli.show import console, print_json

    check_html(output, "--output")
    path = output or run / NAME
    keep_memory()
    page = made(run)
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}; name another file with --output") from error
    told = {"page": str(path), "bytes": path.stat().st_size}
    print_json(told) if json else console().print(f"page: {path}, {told['bytes']:,} bytes", markup=False)
    return 0


def made(run: Path) -> str:
    """Return the page about a run, showing meanwhile what is worked out."""
    from rich.console import Console
    from rich.progress import Progress

    from vmconc.analysis.events import load
    from vmconc.analysis.timing import is_timed, load_timing
    from vmconc.page import run as recorded
    from vmconc.page import timed

    people = Console(stderr=True)
    with reading(run), Progress(console=people, transient=True, disable=not people.is_terminal) as bar:
        times = is_timed(run)
        sections = timed.SECTIONS if times else recorded.SECTIONS
        task = bar.add_task("reading", total=len(sections) + 1)

        def tell(name: str) -> None:
            bar.update(task, advance=1, description=name)

        if times:
            return timed.timed_page(*load_timing(run), str(run), tell)
        return recorded.run_page(load(run), str(run), tell)
