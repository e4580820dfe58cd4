"""Commands whose options stand in records: which options they have, and where their values come to."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from vmconc.cli.asked_run import AskedRun
from vmconc.cli.asked_session import Recording, Session, run_options
from vmconc.cli.asking import asking, given_in, options_of
from vmconc.coordinator.options import RunOptions

Words = Annotated[list[str], typer.Option("--word")]
Size = Annotated[int, typer.Option("--size")]
Loud = Annotated[bool, typer.Option("--loud")]
What = Annotated[str, typer.Argument()]


@dataclass(frozen=True)
class Inner:
    size: Size = 3
    words: Words = field(default_factory=list)


@dataclass(frozen=True)
class Outer:
    context: typer.Context
    what: What
    inner: Inner = field(default_factory=Inner)
    loud: Loud = False


def asked(*arguments):
    """Return what a command with these options is asked for, and which of them were given."""
    found = []

    @asking(Outer)
    def command(asked: Outer) -> int:
        """Do it."""
        found.append((asked, given_in(asked.context)))
        return 0

    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, list(arguments))
    return found[0] if found else result.exit_code


def test_an_option_of_an_inner_record_comes_to_its_place():
    asked_for, given = asked("x", "--size", "7", "--word", "a", "--word", "b", "--loud")
    assert (asked_for.what, asked_for.inner, asked_for.loud) == ("x", Inner(7, ["a", "b"]), True)
    assert given == {"what": "what x", "size": "--size 7", "words": "--word a --word b", "loud": "--loud"}


def test_what_is_not_given_is_as_the_record_has_it():
    asked_for, given = asked("x")
    assert (asked_for.inner, asked_for.loud) == (Inner(), False)
    assert given == {"what": "what x"}


def test_an_argument_without_default_has_to_be_given():
    assert asked("--loud") == 2


def test_options_stand_in_the_order_of_the_record_and_of_those_in_it():
    names = [option.name for option in options_of(AskedRun)]
    assert names[:9] == ["context", "what", "protocol", "cpus", "mode", "ring", "when_full", "check_events", "frames"]
    assert names[-5:] == ["delays", "bugs", "rounds", "live", "json"]


OF_SESSION = [  # option, value given, what the run's options then say
    ("frames", 64, 64), ("seed", 5, 5), ("time_limit", 2.5, 2.5), ("stall", 3.0, 3.0),
    ("directory", Path("/"), Path("/")), ("runs", Path("/x"), Path("/x")), ("io_latency", "5ms", 5_000_000),
    ("io_error_rate", 0.5, 0.5), ("io_bandwidth", "1MB/s", 1e6), ("fail_fast", True, True), ("heuristic", False, False),
    ("keep", False, False), ("tables", ["objects=7"], {"objects": 7}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "given", "meant"), OF_SESSION, ids=lambda value: value if isinstance(value, str) else ""
)
def test_each_option_of_a_session_reaches_the_run_and_no_other_does(name, given, meant):
    assert run_options(2, "counted", Session(**{name: given})) == RunOptions(**{name: meant})


def test_the_other_options_reach_the_run():
    assert run_options(2, "off", Session(no_checks=True)) == RunOptions(mode="off", checks=False)
    ways = Recording(ring=8, when_full="drop", check_events=False)
    assert run_options(3, "recorded", Session(), ways, ["5us@mutex"], ("B4",)) == RunOptions(
        cpus=3, mode="recorded", ring=8, drop=True, check_events=False, delays=("5us@mutex",), bugs=("B4",)
    )


def test_no_number_of_cpus_is_the_number_of_cores():
    from vmconc.cli.options import core_count

    assert run_options(0, "counted", Session()).cpus == core_count() > 0
