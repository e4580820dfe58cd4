"""What is measured of the bugs of the catalogue is what the command does that a user would run."""

import json
import time

import psutil
import pytest
from helpers_runs import start_command
from typer.testing import CliRunner

from vmconc.cli.bugs import measure_bugs
from vmconc.cli.main import app
from vmconc.explore.bugs import BUGS
from vmconc.explore.failure import Failure, breaks, read
from vmconc.explore.measure import EXECUTIONS, Effort, measure, summarise
from vmconc.explore.session import named_rule, replay
from vmconc.explore.target import Target
from vmconc.memory.jit import jit_off

interpreted = pytest.mark.skipif(not jit_off(), reason="each bug is a build of its own: 45 s to compile")


def effort(execution, rule="needs-copy"):
    """Return what a process printed that found a failure in an execution, or none (0)."""
    failure = {"rule": rule, "lines": [], "turns": [], "execution": execution, "preemptions": 1, "steps": 9}
    result = {"failure": failure if execution else None, "tally": {"seconds": execution / 100}}
    simple = {"small": {"cpus": 2, "written": None}, "proven": True}
    return Effort({**result, **simple}, 10.0 - execution, 1.0 + execution)


def test_a_seed_that_finds_nothing_counts_as_more_than_the_limit():
    efforts = [effort(3), effort(0), effort(5, "oracle")]
    row = summarise(BUGS["B1"], "chained", efforts, efforts[0].result)
    assert (row.seeds, row.found, row.by_rule) == (3, 2, 1)
    assert (row.executions, row.most) == (5, EXECUTIONS + 1)
    assert (row.cold, row.cold_cpu, row.search) == (7.0, 4.0, 0.03)
    assert (row.cpus, row.preemptions, row.steps, row.proven) == (2, 1, 9, True)


def test_a_rule_may_be_the_second_that_a_failure_breaks():
    """The rule of the bug that is switched on is the one that goes on being broken."""
    failure = Failure("count", ["count: one", "needs-copy: two"], [], 0, 0)
    assert breaks(failure, "count") and breaks(failure, "needs-copy") and not breaks(failure, "needs")
    assert breaks(Failure("deadlock", [], [], 0, 0), "deadlock")
    assert named_rule(Target("", bugs=["B1"]), failure) == "needs-copy"
    assert named_rule(Target("", bugs=["B3"]), failure) == "count"


@interpreted
def test_a_bug_is_looked_for_as_a_user_would_and_its_small_failure_kept(tmp_path):
    done = []
    row = measure([(BUGS["B6"], "backing")], 1, 2, 1.0, tmp_path / "kept", done.append)[0]
    assert done == [1] and (row.found, row.by_rule, row.executions) == (1, 1, 1)
    assert (row.cpus, row.preemptions, row.proven, row.compiled) == (1, 0, True, False)
    assert row.operations == 3 and row.program == "cpu 0: spawn, mmap page 0 of file 0, read page 0"
    assert row.cold > row.search > 0 and row.cold_cpu > row.search
    artifact = read(tmp_path / "kept" / "B6-backing.failure.json")
    assert len(artifact.target.written.operations) == 3 and replay(artifact).reproduced


def test_the_command_measures_those_that_are_named(monkeypatch):
    rows = [summarise(BUGS[name], "chained", [effort(3)], effort(3).result) for name in ("B1", "B2")]
    asked = []

    def instead(cases, *settings):
        asked.extend(bug.name for bug, _ in cases)
        return rows

    monkeypatch.setattr("vmconc.explore.measure.measure", instead)
    done = CliRunner().invoke(app, ["bugs", "b1", "B2", "--measure", "--json"])
    assert asked == ["B1", "B2"] and done.exit_code == 0
    assert [row["bug"] for row in json.loads(done.stdout)["measured"]] == asked
    rows[0].by_rule = 0
    assert measure_bugs([BUGS["B1"]], 1, 1, "1s", None, True) == 1


def test_a_killed_measurement_leaves_nobody(tmp_path):
    """The kernel ends the search with it: by itself it would go on for ten seconds at least, compiled or not."""
    parent = start_command(tmp_path, "bugs", "B21", "--measure", "--seeds", "1")
    children, deadline = [], time.monotonic() + 60
    while not children and time.monotonic() < deadline:
        children = psutil.Process(parent.pid).children()
        time.sleep(0.02)
    parent.kill()
    parent.communicate()
    assert children and psutil.wait_procs(children, timeout=3)[1] == []
