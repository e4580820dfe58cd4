"""Runs compared: figures worked out by hand, verdicts that chance does not give, and what is said of the rest."""

import csv
import io
import json

import msgspec
import numpy as np
import pytest
from helpers_events import BUSY, MAP, MAP_2, OBJECT, S, X, begins, ends, gave, story, took, waited, waits, write_run
from hypothesis import given
from hypothesis import strategies as st

from vmconc.analysis.changes import FIXED, NEW, NO_INTERVAL, PAIRS_LEAST, SAME, UNSURE, change
from vmconc.analysis.conditions import parse
from vmconc.analysis.diff import MOVED_HERE, diff, failed
from vmconc.analysis.figures import MEASURES, counted, figures
from vmconc.analysis.findings import Findings
from vmconc.analysis.hotspot import hot_spot
from vmconc.analysis.order_told import ordered
from vmconc.analysis.sides import Measured, edge_counts
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.coordinator.result import Locks, RunResult
from vmconc.locks.classes import CLASS_NAMES, VM_MAP, VM_PAGE
from vmconc.schedule.steps import STEP_LOSE, STEP_READ, STEP_READ_DONE, STEP_REOWN
from vmconc.vm.opcodes import TOUCH

READ = ((0, STEP_READ), 98, (0, STEP_READ_DONE))  # takes 99 ticks
BEFORE = (  # CPU 1 waits 102 for the map
    begins(0, TOUCH, 3), took(0, MAP, X, 5), waits(1, VM_MAP), *READ, gave(0, MAP), waited(1, VM_MAP),
    took(1, MAP, X, 6), took(1, BUSY), gave(1, BUSY), gave(1, MAP), ends(0, TOUCH),
)  # fmt: skip
AFTER = (  # here for the page, the map not being held; it takes the token, too
    begins(0, TOUCH, 3), took(0, BUSY, X, 5), waits(1, VM_PAGE), *READ, gave(0, BUSY), waited(1, VM_PAGE),
    took(1, BUSY, X, 6), took(1, OBJECT, S), gave(1, OBJECT, S), gave(1, BUSY), took(0, MAP), gave(0, MAP),
    ends(0, TOUCH),
)  # fmt: skip
GOOD = st.lists(st.floats(0.1, 1e9), min_size=PAIRS_LEAST, max_size=12)


def measured(*steps, **more):
    events = story(*steps)
    return Measured("x", events.run | more, figures(Findings(events, "")), edge_counts(ordered(events, "")))


def compared(before, after, **more):
    """Return what changed, by figure, and the whole."""
    found = diff([measured(*steps, **more) for steps in before], [measured(*steps, **more) for steps in after])
    return {row.figure: row for row in found.rows}, found


def test_figures_are_as_by_hand():
    found = figures(Findings(story(*BEFORE), ""))
    assert [found[f"vm_map.{what}"] for what in ("acquired", "contended", "bounces")] == [2, 1, 1]
    assert [found[f"vm_map.exclusive.wait.{what}"] for what in ("total", "avg", "p50", "p99", "max")] == [102] * 5
    assert [found[f"vm_map.hold.{what}"] for what in ("total", "p50", "p99", "max")] == [102 + 3, 3, 102, 102]
    assert [found[f"vm_map.io.{what}"] for what in ("count", "total")] == [1, 99]
    assert found["vm_map.shared.acquired"] == found["vm_object.wait.p99"] == 0
    assert found["all.acquired"] == 3 and found["all.wait.total"] == 102
    assert [found[f"fault.{what}"] for what in ("count", "p50", "p99.9", "max")] == [1, 109, 109, 109]
    assert found["blame.site 5"] == 101  # who got the map there gave it up a tick before CPU 1 went on


def test_all_figures_of_classes_are_sums_of_those_by_mode():
    found = figures(Findings(story(*BEFORE, 7, *AFTER), ""))
    for name in CLASS_NAMES.values():
        for measure in MEASURES:
            if measure.endswith(("total", "acquired", "contended", "bounces", "count")):
                by_mode = [found[f"{name}.{mode}.{measure}"] for mode in ("shared", "exclusive")]
                assert found[f"{name}.{measure}"] == sum(by_mode)
    assert sum(found[f"{name}.wait.total"] for name in CLASS_NAMES.values()) == found["all.wait.total"]


def test_held_across_io_is_what_was_held_from_before_it_until_after_it():
    found = figures(Findings(story(
        took(0, MAP), took(0, OBJECT), took(0, BUSY, S), (0, STEP_LOSE, OBJECT, X), *READ, (0, STEP_REOWN, OBJECT, X),
        (0, STEP_READ), gave(0, MAP), 8, (0, STEP_READ_DONE), took(0, MAP_2), gave(0, MAP_2), gave(0, OBJECT),
        gave(0, BUSY, S),
    ), ""))  # fmt: skip
    assert (found["vm_map.io.count"], found["vm_map.io.total"]) == (1, 99)  # the second was read without it, in part
    assert (found["vm_object.io.count"], found["vm_object.io.total"]) == (1, 10)  # owned again before the second
    assert (found["vm_page.shared.io.count"], found["vm_page.io.total"]) == (2, 109)


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ([4], [4], SAME), ([4], [2], NO_INTERVAL), ([0], [2], NO_INTERVAL), ([4] * 5, [2] * 5, NO_INTERVAL),
        ([4] * 6, [2] * 6, "better"), ([2] * 6, [4] * 6, "worse"), ([4] * 6, [0] * 6, FIXED), ([0] * 6, [4] * 6, NEW),
        ([4, 4, 4, 2, 2, 2], [2, 2, 2, 4, 4, 4], UNSURE), ([0, 4, 4, 4, 4, 4], [0, 2, 2, 2, 2, 2], NO_INTERVAL),
    ],
)  # fmt: skip
def test_what_can_be_said_of_a_change(before, after, verdict):
    assert change("vm_map.wait.total", before, after).verdict == verdict


def test_more_is_better_of_rates_and_neither_of_acquisitions():
    assert change("fault.rate", [4] * 6, [8] * 6).verdict == "better"
    assert [change("vm_map.acquired", [a] * 6, [b] * 6).verdict for a, b in ((4, 8), (8, 4))] == ["more", "fewer"]


def test_one_run_shows_that_a_lock_is_not_held_across_io_any_more():
    assert change("vm_map.io.count", [917], [0]).verdict == FIXED
    assert change("vm_map.io.count", [0], [917]).verdict == NEW
    assert change("vm_map.contended", [917], [0]).verdict == NO_INTERVAL


@given(GOOD, st.floats(0.01, 100))
def test_a_change_that_is_the_same_in_every_pair_has_no_width(before, ratio):
    found = change("vm_map.wait.total", before, [value * ratio for value in before])
    expected = pytest.approx(100 * (ratio - 1), rel=1e-6, abs=1e-6)
    assert (found.change_percent, found.low_percent, found.high_percent) == (expected, expected, expected)


@given(st.lists(st.tuples(st.floats(0.1, 1e3), st.floats(0.1, 1e3)), min_size=1, max_size=10))
def test_an_interval_holds_the_change_and_is_there_only_with_enough_pairs(pairs):
    before, after = map(list, zip(*pairs, strict=True))
    found = change("vm_map.wait.total", before, after)
    if len(pairs) < PAIRS_LEAST:
        assert (found.low_percent, found.high_percent) == (None, None)
    else:
        assert found.low_percent <= found.change_percent <= found.high_percent
        assert (found.verdict == "better") == (found.high_percent < 0)


def test_an_interval_holds_the_true_change_nearly_always():
    random = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        ratios = 1.5 * np.exp(random.normal(0, 0.3, 9))
        found = change("vm_map.wait.total", [1.0] * 9, ratios.tolist())
        covered += found.low_percent <= 50 <= found.high_percent
    assert covered >= 180


def waiting(**shares):
    """Return figures of a run that waited for these."""
    return {f"{name}.wait.total": float(ns) for name, ns in shares.items()} | {"all.wait.total": sum(shares.values())}


def test_the_hot_spot_moves_to_the_class_whose_share_grew_most():
    before, after = waiting(vm_object=80, vm_page=15, vm_map=5), waiting(vm_object=20, vm_page=60, vm_map=20)
    moved = hot_spot([before], [after])
    assert (moved.source, moved.source_before, moved.source_after) == ("vm_object", 80, 20)
    assert (moved.target, moved.target_before, moved.target_after) == ("vm_page", 15, 60)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([waiting(vm_object=80, vm_page=20)], [waiting(vm_object=40, vm_page=10)]),  # less of all
        ([waiting(vm_object=80, vm_page=20)], [waiting(vm_object=75, vm_page=25)]),  # by 5 points
        ([waiting(vm_object=80)], [waiting()]), ([waiting()], [waiting()]),
        ([waiting(vm_object=9, vm_page=1)] * 2, [waiting(vm_page=9), waiting(vm_object=9)]),  # not in every pair
    ],
)  # fmt: skip
def test_otherwise_it_does_not_move(before, after):
    assert hot_spot(before, after) is None


def test_what_changed_between_two_stories():
    rows, found = compared([BEFORE], [AFTER])
    assert (rows["vm_map.exclusive.wait.total"].before, rows["vm_map.exclusive.wait.total"].after) == (102, 0)
    assert rows["vm_page.exclusive.wait.total"].verdict == MOVED_HERE
    assert rows["vm_map.exclusive.io.count"].verdict == FIXED and rows["vm_page.exclusive.io.count"].verdict == NEW
    assert (found.hot_spot.source, found.hot_spot.target) == ("vm_map", "vm_page")
    assert [(edge.edge, edge.count) for edge in found.gone_edges] == [
        ("vm_map exclusive -> page-in shared", 1), ("vm_map exclusive -> vm_page exclusive", 1),
    ]  # fmt: skip
    assert {edge.edge for edge in found.new_edges} == {
        "vm_page exclusive -> page-in shared", "vm_page exclusive -> vm_object shared",
    }  # fmt: skip
    assert not found.warnings and "one run each: no interval" in found.notes[0]


def test_a_run_and_itself_differ_in_nothing():
    rows, found = compared([BEFORE] * 6, [BEFORE] * 6)
    assert {row.verdict for row in rows.values()} == {SAME} and len(rows) > 10
    assert not (found.hot_spot or found.new_edges or found.gone_edges or found.warnings)
    assert found.notes == ["an interval of 6 pairs covers 96.9 %: some 1 in 32 misses by chance"]


def test_rows_of_nothing_are_left_out_and_the_most_waited_for_comes_first():
    rows, _ = compared([BEFORE], [BEFORE])
    assert not any(name.startswith("vm_object") for name in rows)
    acquired = [name for name in rows if name.endswith("acquired")]
    assert acquired == ["vm_map.exclusive.acquired", "vm_page.exclusive.acquired"]


def test_runs_that_differ_in_more_than_one_thing_are_warned_of():
    one = measured(*BEFORE, seed=1, mode="recorded", machine={"processor": "A"})
    other = measured(*BEFORE, seed=2, mode="recorded", machine={"processor": "B"}, program="other", cpus=4)
    said = diff([one], [other]).warnings
    assert [line.split(" is not")[0] for line in said] == ["program", "cpus", "seed", "processor"]
    assert "seed is not the same: 1 before, 2 after" in said
    stopped = measured(*BEFORE, seed=1, mode="recorded", machine={"processor": "A"}, ending={"reason": "deadlock"})
    assert diff([one], [stopped]).warnings == ["x did not end by itself: deadlock"]
    assert diff([one, other], [one, other]).warnings == ["several programs: other, story"]


COUNTED = RunResult(
    "p", "chained", 2, "counted", 0, faults=100, faults_per_cpu_second=50.0, wall_seconds=2.0,
    locks={"vm_map": Locks(shared=3, exclusive=4, contended=2, wait_ns=7), "vm_object": Locks()},
)  # fmt: skip


def test_counters_are_figures_too():
    found = counted(msgspec.to_builtins(COUNTED))
    assert found["fault.rate"] == 50 and found["vm_map.acquired"] == 7 and found["vm_map.shared.acquired"] == 3
    assert found["vm_map.wait.total"] == found["all.wait.total"] == 7 and found["all.contended"] == 2


def write_counted(path, **more):
    path.mkdir(parents=True)
    result = msgspec.structs.replace(COUNTED, **more)
    (path / "run.json").write_bytes(msgspec.json.encode(result))
    return path


def command(capsys, *arguments):
    """Return the exit code of `vmconc diff`, its output and its complaint."""
    code = guarded(app, ["diff", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_directories_of_runs_are_compared_in_pairs(tmp_path, capsys):
    for number in range(6):
        write_counted(tmp_path / "a" / str(number), faults_per_cpu_second=50.0 + number)
        write_counted(tmp_path / "b" / str(number), faults_per_cpu_second=100.0 + 2 * number, protocol="backing")
    code, out, _ = command(capsys, tmp_path / "a", tmp_path / "b", "--json")
    found = json.loads(out)
    row = next(row for row in found["rows"] if row["figure"] == "fault.per_cpu_second")
    assert code == 0 and (row["change_percent"], row["low_percent"], row["high_percent"]) == (100, 100, 100)
    assert row["verdict"] == "better" and len(found["before"]["runs"]) == 6
    assert "only what counters say" in found["notes"][1]
    pairs = [word for n in range(6) for word in ("--before", tmp_path / f"a/{n}", "--after", tmp_path / f"b/{n}")]
    assert json.loads(command(capsys, *pairs, "--json")[1]) == found
    _, out, _ = command(capsys, tmp_path / "a", tmp_path / "b")
    assert "96.9 % CI (6 pairs)" in out and "+100.0 % … +100.0 %" in out


@pytest.mark.parametrize("other", ["off", "counted"])
def test_of_a_run_in_mode_off_only_faults_are_known(other, tmp_path, capsys):
    zeros = {"vm_map": Locks(), "vm_object": Locks()}
    off = write_counted(tmp_path / "off", mode="off", locks=zeros)
    more = write_counted(tmp_path / "other", mode=other, **({"locks": zeros} if other == "off" else {}))
    page = tmp_path / "page.html"
    code, out, _ = command(capsys, off, more, "--all", "--json", "--html", page)
    found = json.loads(out)
    assert code == 0 and {row["figure"].partition(".")[0] for row in found["rows"]} == {"fault"}
    assert f"{off}: mode off counts nothing of locks, so only faults are known" in found["notes"]
    assert found["hot_spot"] is None and '"hot spot"' not in page.read_text()
    for asked in ("all.wait.total>1ns", "vm_map.shared.acquired<1"):
        code, _, said = command(capsys, off, more, "--fail-on", asked)
        assert code == 2 and f"{off}: mode off counts" in said and "cannot be judged" in said
    assert command(capsys, off, more, "--fail-on", "fault.rate>1")[0] == 5


def test_a_comparison_in_mode_off_knows_faults_only(tmp_path, capsys):
    each = {name: msgspec.structs.replace(COUNTED, protocol=name, mode="off") for name in ("backing", "chained")}
    (tmp_path / "rounds.json").write_bytes(msgspec.json.encode([each]))
    (tmp_path / "run.json").write_text('{"protocols": {"chained": {}, "backing": {}}}')
    code, out, _ = command(capsys, tmp_path, "--all")
    assert code == 0 and "vm_map" not in out and out.count("mode off counts") == 1 and "fault.count" in out


def test_a_comparison_has_both_sides(tmp_path, capsys):
    rounds = [{name: msgspec.structs.replace(COUNTED, protocol=name, faults=faults) for name, faults in each}
              for each in ([("backing", 300), ("chained", 100)], [("chained", 200), ("backing", 400)])]  # fmt: skip
    (tmp_path / "rounds.json").write_bytes(msgspec.json.encode(rounds))
    (tmp_path / "run.json").write_text('{"protocols": {"chained": {}, "backing": {}}}')
    code, out, _ = command(capsys, tmp_path, "--json", "--fail-on", "fault.rate>+149%")
    found = json.loads(out)
    assert code == 5 and (found["before"]["protocol"], found["after"]["protocol"]) == ("chained", "backing")
    row = next(row for row in found["rows"] if row["figure"] == "fault.rate")
    assert (row["before"], row["after"], row["change_percent"]) == (75, 175, 150)  # of 200 and of 100 %
    assert found["failed"] == ["fault.rate>+149%: it is 150 %"]


def test_the_command_prints_tables_and_csv_and_gates(tmp_path, capsys):
    before, after = (write_run(tmp_path / name, story(*steps)) for name, steps in (("b", BEFORE), ("a", AFTER)))
    code, out, said = command(capsys, before, after, "--fail-on", "vm_page.wait.p99>100ns", "--fail-on", "fault.max>1s")
    assert code == 5 and said == "vmconc: --fail-on vm_page.wait.p99>100ns: it is 102 ns\n"
    assert "hot spot moved to vm_page: 0.0 % of all waiting before, 100.0 % after" in out
    assert "gone lock-order edge   vm_map exclusive -> vm_page exclusive (1 times)" in out
    row = next(line for line in out.splitlines() if line.startswith("vm_map.exclusive.wait.total"))
    assert row.split() == ["vm_map.exclusive.wait.total", "102", "ns", "0", "ns", "-100.0", "%", "-", "-"]
    code, out, said = command(capsys, before, after, "--csv", "--fail-on", "vm_page.io.count>+10%")
    assert code == 5 and said.endswith("vm_page.io.count>+10%: it is inf %\n")
    rows = {row["figure"]: row for row in csv.DictReader(io.StringIO(out))}
    assert rows["vm_page.exclusive.io.count"]["verdict"] == NEW and rows["fault.p50"]["unit"] == "ns"
    assert command(capsys, before, before, "--fail-on", "vm_map.wait.total>+0%")[0] == 0
    _, out, _ = command(capsys, before, after, "--top", "2")
    assert f"rows that are left out: {len(rows) - 2}; --top 0" in out


def test_report_gates_too(tmp_path, capsys):
    run = write_run(tmp_path / "run", story(*BEFORE))
    assert guarded(app, ["report", str(run), "--fail-on", "vm_map.io.count>0"]) == 5
    assert "--fail-on vm_map.io.count>0: it is 1" in capsys.readouterr().err
    assert guarded(app, ["report", str(run), "--fail-on", "vm_map.io.count>1"]) == 0
    assert guarded(app, ["report", str(run), "--fail-on", "vm_map.io.count>+1%"]) == 2
    assert "two runs are needed: vmconc diff" in capsys.readouterr().err


def test_with_events_lost_it_is_said_and_what_is_not_known_is_no_figure(tmp_path, capsys):
    events = story(*BEFORE)
    events.run["recording"]["dropped"] = [3]
    run, whole = write_run(tmp_path / "run", events), write_run(tmp_path / "whole", story(*AFTER))
    _, out, _ = command(capsys, run, whole)
    assert "3 events lost" in out and "lock-order edge" not in out and "io.count" not in out and "blame." not in out
    code, _, said = command(capsys, run, run, "--fail-on", "vm_map.io.count>0")
    assert code == 2 and "3 events were lost, so no condition on its figures can be judged" in said


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "0 runs: give two, or one of vmconc compare"), (["A", "A", "A"], "3 runs: give two"),
        (["A"], "is no comparison; give a second run"), (["A", "OUT"], "is no run: run.json cannot be read"),
        (["--before", "A"], "--before and --after go together"),
        (["A", "--before", "A", "--after", "A"], "leave the arg"),
        (["A", "D"], "1 before, 2 after: runs are compared in pairs"), (["A", "C"], "C is a comparison: it has both"),
        (["A", "B"], "B is damaged (KeyError"),
        (["C"], "C has no rounds.json"), (["A", "A", "--fail-on", "x.y>3"], "--fail-on 'x.y>3': x is not known"),
        (["A", "A", "--fail-on", "x"], "--fail-on 'x' is no condition"), (["A", "A", "--json", "--csv"], "choose one"),
        (["A", "A", "--top", "-1"], "--top -1 is too few"),
    ],
)  # fmt: skip
def test_what_is_asked_wrongly_is_said_in_a_line(arguments, complaint, tmp_path, capsys):
    for name in ("A", "D/1", "D/2"):
        write_counted(tmp_path / name)
    (tmp_path / "B").mkdir()
    (tmp_path / "B" / "run.json").write_text('{"locks": {}}')
    (tmp_path / "C").mkdir()
    (tmp_path / "C" / "run.json").write_text('{"protocols": {}}')
    words = [str(tmp_path / word) if word in ("A", "B", "C", "D", "OUT") else word for word in arguments]
    code, out, said = command(capsys, *words)
    assert code == 2 and complaint in out + said


@pytest.mark.parametrize(
    ("before", "after", "grown"),
    [([0, 0, 1], [0, 0, 0], False), ([0, 0, 5], [0, 0, 4], False), ([0, 0, 0], [0, 1, 1], True)],
)
def test_a_figure_that_fell_to_nothing_or_stays_there_has_not_grown(before, after, grown):
    sides = ([Measured("x", {}, {"vm_map.contended": float(value)}) for value in side] for side in (before, after))
    assert bool(failed([parse("vm_map.contended>+10%")], *sides)) == grown


def test_what_was_run_differently_is_warned_of():
    steps = [took(0, MAP), gave(0, MAP)]
    one, other = measured(*steps, operations=164, options={"delays": []}), measured(
        *steps, operations=1060, options={"delays": ["5us@vm_map"]}
    )
    assert {line.split(" ")[0] for line in diff([one], [other]).warnings} == {"operations", "delays"}
