"""The entry point: finds the command, and turns whatever goes wrong into one line and an exit code."""

import gc
import sys

import typer

import vmconc
from vmconc.cli import (
    bench,
    blame,
    bugs,
    check,
    compare,
    diff,
    doctor,
    dump,
    explore,
    export,
    fault,
    heat,
    histogram,
    html,
    layers,
    listing,
    order,
    replay,
    report,
    run,
    sql,
    timeline,
    top,
)
from vmconc.cli.failures import guarded

app = typer.Typer(
    name="vmconc", no_args_is_help=True, add_completion=False, rich_markup_mode=None,
    pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)  # fmt: skip
app.command("run", short_help="Run a program or trace under one protocol.")(run.run)
app.command("check", short_help="Check a recorded run's events against every rule.")(check.check)
app.command("order", short_help="Show in which order a recorded run asked for locks.")(order.order)
app.command("blame", short_help="Charge a recorded run's waits to who was in the way.")(blame.blame)
app.command("report", short_help="Sum up a recorded or timed run's waits and holds.")(report.report)
app.command("histogram", short_help="Show how long a recorded or timed run waited or held.")(histogram.histogram)
app.command("heat", short_help="Show when a recorded run's CPUs waited for which class.")(heat.heat)
app.command("layers", short_help="Show how deep a recorded run's faults had to look.")(layers.layers)
app.command("timeline", short_help="Show what a recorded run's CPUs did when.")(timeline.timeline)
app.command("html", short_help="Write a recorded or timed run's reports as a page with charts.")(html.html)
app.command("export", short_help="Write a recorded run for other tools.")(export.export)
app.command("sql", short_help="Ask a recorded run in SQL.")(sql.sql)
app.command("top", short_help="Watch a run that goes on.")(top.top)
app.command("dump", short_help="Show who waits for whom in a run that goes on.")(dump.dump)
app.command("compare", short_help="Run it under both protocols, side by side.")(compare.compare)
app.command("diff", short_help="Show what changed between runs before and after.")(diff.diff)
app.command("fault", short_help="Execute one fault and print every lock operation.")(fault.fault)
app.command("explore", short_help="Look for an order of steps in which a program fails.")(explore.explore)
app.command("replay", short_help="Run a failure that was found again, step by step.")(replay.replay)
app.command("bugs", short_help="List the known bugs that can be switched on.")(bugs.bugs)
app.command("list", short_help="List protocols, programs, traces, rules, locks.")(listing.listing)
app.command("bench", short_help="Measure the emulator beside the real kernel.")(bench.bench)
app.command("doctor", short_help="Check environment, compile cache and limits.")(doctor.doctor)


def show_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        typer.echo(f"vmconc {vmconc.__version__}")
        raise typer.Exit


@app.callback()
def common(
    version: bool = typer.Option(False, "--version", callback=show_version, is_eager=True, help="Print the version."),
) -> None:
    """Run a BSD virtual-memory locking protocol on emulated CPUs and see who locks what.

    Exit codes: 0 clean, 1 a violation was found, 2 usage or bad input, 3 deadlock or stall, 4 vmconc's own fault,
    5 a condition of --fail-on holds.
    """


def main() -> None:
    """Run the command line.  Imports and compiled code make no garbage worth looking for: a session switches it on."""
    gc.disable()
    sys.exit(guarded(app, sys.argv[1:]))


if __name__ == "__main__":
    main()
