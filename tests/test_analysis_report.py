"""Reports of recorded events: figures worked out by hand, and sums that agree whatever they are summed up by."""

import csv
import io
import json

import numpy as np
import pytest
from helpers_events import (
    BUSY,
    MAP,
    OBJECT,
    S,
    X,
    begins,
    ends,
    gave,
    story,
    took,
    waited,
    waits,
    write_run,
)
from helpers_events_naive import GROUPS, SUMS, naive, storm
from helpers_runs import options, shared_file

from vmconc.analysis.events import load
from vmconc.analysis.findings import Findings
from vmconc.analysis.grouping import GROUPINGS
from vmconc.analysis.report import SORTS, report
from vmconc.analysis.rows import Row
from vmconc.analysis.tally import times
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.coordinator.single import run_once
from vmconc.locks.classes import CLASS_NAMES, VM_MAP, VM_OBJECT
from vmconc.memory.jit import jit_off
from vmconc.page.run import run_page
from vmconc.schedule.steps import STEP_LOSE, STEP_READ, STEP_READ_DONE, STEP_REOWN, STEP_SLEEP
from vmconc.vm.opcodes import FORK, TOUCH

HANDED_OVER = (  # ticks in front
    begins(0, TOUCH, 3),  # 0
    took(0, MAP, X, 5), 9,  # 1: held 30, until 31
    begins(1, FORK, 4),  # 11
    waits(1, VM_MAP, S), 18,  # 12: waited 20, until 32
    gave(0, MAP),  # 31
    waited(1, VM_MAP),  # 32
    took(1, MAP, S, 6), 6,  # 33: held 7, until 40
    gave(1, MAP, S),  # 40
    ends(1, FORK),  # 41
    ends(0, TOUCH),  # 42
)  # fmt: skip


def summed(events, by, sort="wait", top=0, classes=()):
    """Return the report."""
    return report(Findings(events, ""), by, sort, top, list(classes))


def said(row):
    """Return the sums of a row."""
    return {column: getattr(row, column) for column in SUMS}


FIRST = {
    "acquired": 1, "shared": 0, "exclusive": 1, "contended": 0, "wait_ns": 0, "holds": 1, "hold_ns": 30, "bounces": 0,
}  # fmt: skip
SECOND = {
    "acquired": 1, "shared": 1, "exclusive": 0, "contended": 1, "wait_ns": 20, "holds": 1, "hold_ns": 7, "bounces": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("by", "first", "second"),
    [
        ("site", "site 5", "site 6"), ("cpu", "cpu 0", "cpu 1"), ("lwp", "lwp 3", "lwp 4"),
        ("phase", "fault, rest", "fork"),
    ],
)  # fmt: skip
def test_a_lock_that_is_handed_over_is_summed_up_as_by_hand(by, first, second):
    rows = {row.name: said(row) for row in summed(story(*HANDED_OVER), by).rows}
    assert rows == {first: FIRST, second: SECOND}


@pytest.mark.parametrize(("by", "name"), [("class", "vm_map"), ("instance", f"offset {MAP:#x}")])
def test_all_figures_of_a_row_are_as_by_hand(by, name):
    (row,) = summed(story(*HANDED_OVER), by).rows
    assert row == Row(
        name=name, acquired=2, shared=1, exclusive=1, contended=1, contended_percent=50, wait_ns=20, wait_avg_ns=20,
        wait_p50_ns=20, wait_p99_ns=20, wait_max_ns=20, wait_percent=100, cumulative_percent=100, holds=2, hold_ns=37,
        hold_avg_ns=18.5, hold_p50_ns=7, hold_p99_ns=30, hold_max_ns=30, bounces=1, bounces_percent=50,
    )  # fmt: skip


def test_the_summary_is_as_by_hand():
    run = summed(story(*HANDED_OVER), "class").summary
    assert (run.faults.count, run.faults.total_ns, run.page_ins.count) == (1, 42, 0)
    assert (run.seconds, run.acquired, run.contended, run.wait_ns) == (42e-9, 2, 1, 20)
    assert run.wait_percent == pytest.approx(100 * 20 / (2 * 42))
    assert (run.events, run.lost, run.unfinished_waits, run.unfinished_holds) == (10, 0, 0, 0)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("by", GROUPS)
def test_sums_are_those_of_a_plain_loop_over_the_events(by, seed):
    events = storm(seed)
    assert {row.name: said(row) for row in summed(events, by).rows} == naive(events)[by]


@pytest.mark.parametrize("classes", [(), (VM_MAP,), (VM_MAP, VM_OBJECT)])
def test_whatever_is_summed_up_by_adds_up_to_the_same_totals(classes):
    events = storm(11)
    totals = [summed(events, by, classes=classes).total for by in GROUPINGS]
    assert totals.count(totals[0]) == len(totals) and totals[0].contended > 0 and totals[0].bounces > 0
    for by in GROUPINGS:
        rows = summed(events, by, classes=classes).rows
        assert {column: sum(getattr(row, column) for row in rows) for column in SUMS} == said(totals[0])
        assert rows[-1].cumulative_percent == pytest.approx(100)


def test_percentiles_are_values_of_the_nearest_rank():
    ticks, group = np.arange(200, 0, -1), np.repeat([0, 2], 100)
    found = times(group, ticks, 3)
    assert found.p50.tolist() == [150, 0, 50] and found.p99.tolist() == [199, 0, 99]
    assert found.most.tolist() == [200, 0, 100] and found.total.tolist() == [15050, 0, 5050]


def test_a_lock_bounces_by_number_whatever_the_clocks_say():
    events = story(took(0, MAP), gave(0, MAP), took(1, MAP), gave(1, MAP), took(1, MAP), gave(1, MAP))
    events.raw["time"] = events.raw["time"][::-1].copy()
    assert summed(events, "class").total.bounces == 1


def test_a_page_in_is_a_phase_of_its_own_and_a_token_owned_again_keeps_its_site():
    events = story(
        begins(0, TOUCH, 1), took(0, OBJECT, X, 5), (0, STEP_LOSE, OBJECT, X), (0, STEP_READ), 30,
        (0, STEP_REOWN, OBJECT, X), (0, STEP_READ_DONE), gave(0, OBJECT), ends(0, TOUCH),
    )  # fmt: skip
    phases = {row.name: (row.acquired, row.holds, row.hold_ns) for row in summed(events, "phase").rows}
    assert phases == {"fault, rest": (1, 1, 1), "fault, page-in": (0, 1, 2)}
    assert [(row.name, row.acquired, row.holds) for row in summed(events, "site").rows] == [("site 5", 1, 2)]
    assert summed(events, "class").summary.page_ins.total_ns == 32


def test_a_wait_that_acquires_nothing_is_for_what_was_slept_on():
    slept = [waits(0, CLASS_OF_BUSY), (0, STEP_SLEEP, BUSY, X, 4), 5, waited(0, CLASS_OF_BUSY)]
    spun = [waits(0, CLASS_OF_BUSY), 2, waited(0, CLASS_OF_BUSY)]
    rows = {row.name: (row.contended, row.wait_ns) for row in summed(story(*slept, *spun), "instance").rows}
    assert rows == {f"offset {BUSY:#x}": (1, 7), "vm_page, which is not known": (1, 3)}


CLASS_OF_BUSY = next(cls for cls, name in CLASS_NAMES.items() if name == "vm_page")


def test_what_had_not_ended_and_what_was_lost_is_said(tmp_path, capsys):
    fork = begins(1, FORK, 3), ends(1, FORK), begins(1, FORK, 3)
    events = story(begins(0, TOUCH, 3), took(0, MAP), (0, STEP_READ, BUSY, X), *fork, waits(1, VM_MAP))
    run = summed(events, "class").summary
    assert run.unfinished == [("operations", 2), ("page-ins", 1), ("waits", 1), ("holds", 1)]
    events.run["recording"]["dropped"] = [3]
    assert guarded(app, ["report", str(write_run(tmp_path / "run", events))]) == 0
    told = capsys.readouterr().out
    assert "in no figure: operations 2, page-ins 1, waits 1, holds 1" in told and "events lost: 3" in told


@pytest.mark.parametrize("sort", SORTS)
def test_rows_are_in_order_and_the_rest_is_counted(sort):
    events = storm(5)
    values = [np.nan_to_num(getattr(row, SORTS[sort])) for row in summed(events, "site", sort).rows]
    assert values == sorted(values, reverse=True) and len(set(values)) > 1
    short = summed(events, "site", sort, top=2)
    assert len(short.rows) == 2 and short.left_out == len(values) - 2
    assert short.total == summed(events, "site", sort).total


def test_nothing_recorded_is_no_rows():
    found = summed(story(), "instance")
    assert found.rows == [] and said(found.total) == dict.fromkeys(SUMS, 0)


def test_the_command_prints_tables_json_and_csv(tmp_path, capsys):
    run = str(write_run(tmp_path / "run", story(*HANDED_OVER)))
    assert guarded(app, ["report", run, "--by", "lwp", "--top", "1", "--class", "vm_map"]) == 0
    told = capsys.readouterr().out
    assert "lwp 4" in told and "lwp 3" not in told and "of vm_map only" in told and "total only: 1;" in told
    assert guarded(app, ["report", run, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["wait_ns"] == 20
    assert guarded(app, ["report", run, "--by", "cpu", "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["name"], float(row["wait_ns"])) for row in rows] == [("cpu 1", 20), ("cpu 0", 0), ("total", 20)]
    assert guarded(app, ["report", run, "--by", "cpu", "--csv", "--top", "1"]) == 0
    assert "total only: 1;" in capsys.readouterr().err


def test_one_form_of_output_at_a_time(capsys):
    assert guarded(app, ["report", ".", "--json", "--csv"]) == 2
    assert json.loads(capsys.readouterr().out)["error"] == "--csv has no effect with --json; choose one"


def test_long_names_are_printed_whole(tmp_path, capsys):
    events = story(*HANDED_OVER)
    events.run["recording"]["sites"] = {"5": "a_place_in_the_source_with_quite_a_long_name[of its own]"}
    assert guarded(app, ["report", str(write_run(tmp_path / "run", events)), "--by", "site"]) == 0
    assert capsys.readouterr().out.count("a_place_in_the_source_with_quite_a_long_name[of its own]") == 2


@pytest.mark.slow
@pytest.mark.skipif(jit_off(), reason="worker processes need the JIT")
@pytest.mark.parametrize("protocol", ["chained", "backing"])
def test_a_report_says_what_the_cpus_counted(protocol, tmp_path):
    result = run_once(shared_file(spaces=2, pages=40), protocol, options(tmp_path, mode="recorded"))
    events = load(tmp_path / "runs" / result.run_dir.rsplit("/", 1)[-1])
    found = {row.name: (row.shared, row.exclusive, row.contended) for row in summed(events, "class").rows}
    counted = {name: (locks.shared, locks.exclusive, locks.contended) for name, locks in result.locks.items()}
    assert found == {name: counts for name, counts in counted.items() if any(counts)}


def test_what_was_switched_on_and_how_the_run_ended_is_said_first(tmp_path, capsys):
    events = story(took(0, MAP), gave(0, MAP))
    events.run["options"] = {"bugs": ["B4"], "delays": ["5us@vm_map"]}
    events.run["ending"] = {"message": "deadlock of 2 CPUs", "report": ["cpu 0 waits for cpu 1"]}
    events.run["violations"] = [{"text": "one"}, {"text": "two"}]
    run = str(write_run(tmp_path / "run", events))
    assert guarded(app, ["report", run]) == 0
    out = capsys.readouterr().out
    assert "story under backing with B4, --delay 5us@vm_map on 2 CPUs" in out
    assert "ended      deadlock of 2 CPUs" in out and "violations 2 told by run.json" in out
    data = run_page(events, run, lambda name: None)
    assert all(text in data for text in ("with B4", "deadlock of 2 CPUs", "cpu 0 waits for cpu 1", '"two"'))


def test_a_program_about_locks_has_threads_and_no_faults(tmp_path, capsys):
    run = str(write_run(tmp_path / "run", story(took(0, MAP), gave(0, MAP), protocol="")))
    assert guarded(app, ["report", run]) == 0
    out = capsys.readouterr().out
    assert out.startswith("story on 2 threads (recorded") and "faults" not in out
