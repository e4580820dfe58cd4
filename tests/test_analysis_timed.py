"""What a run in mode `timed` leaves, and the reports on it: by hand, and against what the CPUs counted."""

import json
import math

import msgspec
import numpy as np
import pytest
from helpers_runs import options
from hypothesis import given
from hypothesis import strategies as st

from vmconc.analysis.timed_histogram import histograms_timed
from vmconc.analysis.timed_report import OTHERS, bin_begins, report_timed
from vmconc.analysis.timing import FILE, Times, Timing, load_timing
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.coordinator.single import run_once
from vmconc.explore.lockrun import run_locks
from vmconc.locks.classes import VM_MAP, VM_OBJECT
from vmconc.locks.times import BINS, LONGEST, bin_of
from vmconc.program.programs import load_program, lock_program

TICK = 0.5


def write_timed(path, kinds, locks=(), unlisted=0):
    """Write a run directory of these histograms; return it."""
    path.mkdir()
    taken = sum(sum(times.bins.values()) for times in kinds if times.what == "hold")
    locked = {"mutex": {"shared": 0, "exclusive": taken + 1}}
    run = {"program": "story", "cpus": 2, "mode": "timed", "seed": 0, "wall_seconds": 1e-6, "locks": locked}
    run |= {"faults": 7, "pageins": 5}
    (path / "run.json").write_text(json.dumps(run))
    (path / FILE).write_bytes(msgspec.json.encode(Timing(TICK, list(kinds), list(locks), unlisted, unfinished=2)))
    return path


def times(cpu, what, cls, site, *ticks, mode="exclusive", lock=""):
    """Return the histogram of these durations."""
    bins = {}
    for each in ticks:
        bins[int(bin_of(each))] = bins.get(int(bin_of(each)), 0) + 1
    return Times(cpu, what, cls, mode, site, lock, sum(ticks), max(ticks), bins)


STORY = (
    times(0, "hold", "vm_map", "fault", 8, 8, 10),
    times(1, "hold", "vm_map", "fault", 1000, mode="shared"),
    times(0, "hold", "vm_object", "fault", 4),
    times(0, "hold again", "vm_object", "fault", 6),
    times(1, "wait", "vm_map", "mmap", 2000, 100),
    times(0, "wait", "vm_object", "fault", 40),
)
LOCKS = (
    times(1, "wait", "vm_map", "", 2000, 100, mode="", lock="Vmspace 1 lock"),
    times(0, "hold", "vm_map", "", 8, 10, mode="", lock="Vmspace 1 lock"),
    times(0, "wait", "vm_object", "", 40, mode="", lock="VmObject 1 token"),
)


@given(st.integers(0, LONGEST))
def test_a_bin_begins_at_or_before_what_is_in_it_and_is_narrow(ticks):
    number = np.array([int(bin_of(ticks))])
    begin, end = int(bin_begins(number)[0]), int(bin_begins(number + 1)[0])
    assert begin <= ticks < end and number[0] < BINS
    assert end - begin == 1 or 16 * (end - begin) <= begin


def test_a_report_sums_up_by_class(tmp_path):
    found = report_timed(write_timed(tmp_path / "run", STORY), "class", "wait", 0, [])
    first, second = found.rows
    assert (first.name, first.acquired, first.shared, first.exclusive, first.contended) == ("vm_map", 4, 1, 3, 2)
    assert (first.wait_ns, first.wait_max_ns, first.hold_ns) == (1050.0, 1000.0, 513.0)
    assert (first.hold_p50_ns, first.hold_p99_ns) == (4.0, 500.0)
    assert (second.name, second.acquired, second.holds, second.hold_ns) == ("vm_object", 1, 2, 5.0)
    assert (found.total.acquired, found.total.contended, found.total.wait_ns) == (5, 3, 1070.0)
    assert found.summary.acquired == 6
    assert (found.summary.unfinished_waits, found.summary.unfinished_holds) == (2, 1)
    assert (found.summary.faults.count, found.summary.page_ins.count, found.summary.wait_ns) == (7, 5, 1070.0)
    assert math.isnan(found.total.bounces_percent)


@pytest.mark.parametrize("by", ["class", "site", "cpu"])
def test_every_grouping_has_the_same_total(by, tmp_path):
    path = write_timed(tmp_path / "run", STORY)
    found = report_timed(path, by, "hold", 0, [])
    whole = report_timed(path, "class", "hold", 0, [])
    assert found.total.wait_ns == whole.total.wait_ns == sum(row.wait_ns for row in found.rows)
    assert found.total.hold_ns == whole.total.hold_ns == sum(row.hold_ns for row in found.rows)
    assert [row.hold_ns for row in found.rows] == sorted((row.hold_ns for row in found.rows), reverse=True)


def test_by_instance_only_the_locks_that_were_waited_for_have_rows(tmp_path):
    path = write_timed(tmp_path / "run", STORY, LOCKS)
    found = report_timed(path, "instance", "wait", 0, [])
    assert [(row.name, row.contended, row.wait_ns, row.holds) for row in found.rows] == [
        ("Vmspace 1 lock", 2, 1050.0, 2), ("VmObject 1 token", 1, 20.0, 0),
    ]  # fmt: skip
    assert found.total.wait_percent == 100 and found.summary.gaps == []
    assert [row.name for row in report_timed(path, "instance", "wait", 0, [VM_OBJECT]).rows] == ["VmObject 1 token"]


def test_waits_for_locks_without_room_are_a_row_and_every_head_says_so(tmp_path, capsys):
    lock = times(1, "wait", "vm_map", "", 100, mode="", lock="Vmspace 1 lock")
    path = write_timed(tmp_path / "run", STORY, [lock], unlisted=2)
    found = report_timed(path, "instance", "wait", 0, [])
    others, row = found.rows
    assert (others.name, others.contended, others.wait_ns, others.wait_max_ns) == (OTHERS, 2, 1020.0, 1000.0)
    assert math.isnan(others.holds) and math.isnan(others.hold_ns) and math.isnan(others.acquired)
    assert (row.name, row.wait_percent) == ("Vmspace 1 lock", 100 * 50 / 1070)
    assert (found.total.contended, found.total.wait_ns) == (found.summary.contended, found.summary.wait_ns)
    note = "locks with rows of their own: 1; waits for others, for which there was no room: 2"
    for command in (["report"], ["report", "--by", "instance"], ["histogram"]):
        assert guarded(app, [*command, str(path)]) == 0
        assert note in " ".join(capsys.readouterr().out.split())


def test_of_a_crowded_run_no_rest_is_told_of_some_classes_only(tmp_path):
    lock = times(1, "wait", "vm_map", "", 3000, mode="", lock="Vmspace 1 lock")
    crowd = times(0, "wait", "", "", 3000, mode="")
    path = write_timed(tmp_path / "run", [*STORY, crowd], [lock], unlisted=3)
    assert [row.name for row in report_timed(path, "instance", "wait", 0, []).rows] == ["Vmspace 1 lock", OTHERS]
    assert [row.name for row in report_timed(path, "instance", "wait", 0, [VM_MAP]).rows] == ["Vmspace 1 lock"]


def test_histograms_have_the_totals_of_the_report(tmp_path):
    path = write_timed(tmp_path / "run", STORY)
    waits = histograms_timed(path, "wait", False, []).histograms
    assert [(one.cls, one.count, one.total_ns) for one in waits] == [("vm_map", 2, 1050.0), ("vm_object", 1, 20.0)]
    assert [(bin_.from_ns, bin_.count) for bin_ in waits[0].bins if bin_.count] == [(48, 1), (768, 1)]
    assert [sum(bin_.total_ns for bin_ in one.bins) for one in waits] == pytest.approx([1050.0, 20.0])
    held = histograms_timed(path, "hold", True, []).histograms
    assert {(one.cls, one.mode): one.count for one in held} == {
        ("vm_map", "shared"): 1, ("vm_map", "exclusive"): 3, ("vm_object", "exclusive"): 2,
    }  # fmt: skip


def test_what_histograms_do_not_tell_is_refused(tmp_path, capsys):
    run = str(write_timed(tmp_path / "run", STORY))
    assert guarded(app, ["report", run, "--by", "lwp"]) == 2
    assert "--mode recorded" in capsys.readouterr().err
    assert guarded(app, ["report", run, "--sort", "bounces"]) == 2
    assert guarded(app, ["heat", run]) == 2
    (tmp_path / "run" / FILE).write_text("{")
    assert guarded(app, ["report", run]) == 2
    assert "times.json cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("tick", 0, "tick is 0 ns"), ("tick", -1, "tick is -1 ns"),
        ("bins", {"9999": 1}, "no bin 9999, but 688 from 0 on"), ("bins", {"-1": 2}, "no bin -1"),
        ("bins", {str(BINS): 1}, f"no bin {BINS}"), ("bins", {"3": -4}, "-4 is no count"),
        ("bins", {"3": 1 << 63}, f"{1 << 63} is no count"), ("what", "sleep", "'sleep' is none of wait, hold"),
        ("total", -5, "-5 is no count"), ("most", -6, "-6 is no count"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("among", ["kinds", "locks"])
def test_a_number_that_no_run_leaves_is_named_and_refused(field, value, said, among, tmp_path, capsys):
    path = write_timed(tmp_path / "run", STORY, LOCKS)
    left = json.loads((path / FILE).read_text())
    (left if field in left else left[among][0])[field] = value
    (path / FILE).write_text(json.dumps(left))
    for command in ("report", "histogram", "html"):
        assert guarded(app, [command, str(path)]) == 2
        complaint = capsys.readouterr().err
        assert f"{path / FILE} cannot be read" in complaint and said in complaint and complaint.count("\n") == 1


def test_the_commands_read_a_timed_run(tmp_path, capsys):
    run = str(write_timed(tmp_path / "run", STORY))
    assert guarded(app, ["report", run]) == 0
    assert "(timed, seed 0)" in capsys.readouterr().out
    assert guarded(app, ["histogram", run, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["histograms"][0]["cls"] == "vm_map"


def held_and_waited(path):
    """Return, by class, how often it was held for the first time and how often waited for."""
    _, timing = load_timing(path)
    found = {}
    for times in timing.kinds:
        held, waited = found.get(times.cls, (0, 0))
        count = sum(times.bins.values())
        found[times.cls] = (held + count * (times.what == "hold"), waited + count * (times.what == "wait"))
    return found


@pytest.mark.parallel
def test_every_hold_and_wait_of_a_lock_program_is_in_a_histogram(tmp_path):
    result = run_locks(lock_program("dining"), {}, 50, options(tmp_path, mode="timed", stall=30.0))
    counted = {name: (locks.shared + locks.exclusive, locks.contended) for name, locks in result.locks.items()}
    found = held_and_waited(tmp_path / "runs" / result.run_dir.split("/")[-1])
    assert found == {name: both for name, both in counted.items() if any(both)} and found["mutex"][0] == 300


@pytest.mark.slow
@pytest.mark.parallel
@pytest.mark.parametrize("protocol", ["chained", "backing"])
def test_every_hold_and_wait_of_a_machine_is_in_a_histogram(protocol, tmp_path):
    plan = load_program("fork_chain", 2, {})
    result = run_once(plan, protocol, options(tmp_path, mode="timed"))
    counted = {name: (locks.shared + locks.exclusive, locks.contended) for name, locks in result.locks.items()}
    found = held_and_waited(tmp_path / "runs" / result.run_dir.split("/")[-1])
    assert result.exit_code == 0 and found == {name: both for name, both in counted.items() if any(both)}
