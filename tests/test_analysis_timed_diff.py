"""Timed runs compared: figures with the names and sums of a recorded run with the same waits, conditions on them."""

import csv
import io
import json

import msgspec
import pytest
from helpers_events import MAP, X, gave, story, took, write_run
from helpers_timed import COUNTED, timed, write_times
from test_analysis_diff import AFTER, BEFORE, write_counted
from test_page import CONTENDED

from vmconc.analysis.diff import diff, sides
from vmconc.analysis.figures import WAYS, figures, meaning
from vmconc.analysis.findings import Findings
from vmconc.analysis.timed_figures import TIMED, figures_timed, like_timed
from vmconc.analysis.timed_report import report_timed
from vmconc.analysis.timing import Times, gaps
from vmconc.cli.failures import guarded
from vmconc.cli.main import app

BINNED = (".p50", ".p99")
LONG = (took(0, MAP, X, 5), 9_999, gave(0, MAP), took(1, MAP, X, 6), 777, gave(1, MAP))


def told(*steps, **more):
    """Return recorded events whose places in the source have names."""
    events = story(*steps, **more)
    events.run["recording"]["sites"] = {str(site): f"place.{site}" for site in range(1, 12)}
    events.run.update(COUNTED | {"mode": "recorded", "locks": {}})
    return events


@pytest.fixture
def runs(tmp_path):
    """Return directories of runs by name: recorded and timed ones with the same waits and holds."""
    found = {}
    for name, steps in (("before", BEFORE), ("after", AFTER)):
        events = told(*steps)
        found[f"recorded {name}"] = write_run(tmp_path / f"recorded-{name}", events)
        found[name] = write_times(tmp_path / name, *timed(events))
    return found


def command(capsys, *arguments):
    """Return the exit code, the output and the complaint of a command."""
    code = guarded(app, [*map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("tick", [0.5, 1, 3])
@pytest.mark.parametrize("steps", [BEFORE, AFTER, CONTENDED, (*BEFORE, *AFTER, *LONG)])
def test_figures_are_those_of_the_same_run_recorded(steps, tick):
    events = told(*steps, tick=tick)
    recorded = like_timed(figures(Findings(events, ""), WAYS), events.run)
    found = figures_timed(*timed(events), WAYS)
    assert found.keys() == recorded.keys() and len(found) > 300
    for name, value in recorded.items():
        if name.endswith(BINNED):
            assert value <= found[name] <= value * 17 / 16, name
        else:
            assert found[name] == pytest.approx(value, rel=1e-12), name


@pytest.mark.parametrize("way", ["", *WAYS])
def test_sums_are_those_of_the_histograms(way):
    run, timing = timed(told(*BEFORE, *CONTENDED, *LONG))
    found = figures_timed(run, timing, [way] if way else [])
    for what, measure in (("wait", "wait.total"), ("hold", "hold.total")):
        there = timing.locks if way == "instance" else timing.kinds
        total = sum(times.total for times in there if times.what.startswith(what)) * timing.tick
        names = [name for name in found if name.endswith(f".{measure}") and name.startswith(f"{way}.")]
        names = names if way else [f"{each}.{measure}" for each in run["locks"]]
        assert (way == "instance" and measure == "hold.total") or sum(found[name] for name in names) == total > 0
    count = sum(sum(times.bins.values()) for times in timing.kinds if times.what == "wait")
    assert found["all.contended"] == count == sum(locks["contended"] for locks in run["locks"].values())
    assert found["all.acquired"] == sum(locks["shared"] + locks["exclusive"] for locks in run["locks"].values())


@pytest.mark.parametrize("by", ["class", "site", "instance", "cpu"])
def test_percentiles_and_sums_are_those_of_the_report(by, runs):
    (run,), _ = sides([runs["before"]], [runs["after"]], ways=WAYS)
    rows = report_timed(runs["before"], by, "wait", 0, []).rows
    begin = "" if by == "class" else f"{by}."
    for row in rows:
        subject = begin + row.name.removeprefix("cpu ")
        if row.contended:
            told = [row.wait_ns, row.wait_avg_ns, row.wait_p50_ns, row.wait_p99_ns, row.wait_max_ns, row.contended]
            names = [f"{subject}.{name}" for name in ("wait.total", "wait.avg", "wait.p50", "wait.p99", "wait.max")]
            assert [run.figures[name] for name in [*names, f"{subject}.contended"]] == told
    assert any(row.contended for row in rows)


def test_what_changed_between_two_timed_runs_is_what_changed_between_recorded_ones(runs):
    found, recorded = (diff(*sides([runs[f"{begin}before"]], [runs[f"{begin}after"]])) for begin in ("", "recorded "))
    rows, others = ({row.figure: (row.unit, row.before, row.after) for row in each.rows} for each in (found, recorded))
    there = {name: values for name, values in others.items() if name.endswith(TIMED)}
    assert len(there) > 8 and {name: rows[name] for name in there if not name.endswith(BINNED)} == {
        name: values for name, values in there.items() if not name.endswith(BINNED)
    }
    assert (found.hot_spot.source, found.hot_spot.target) == ("vm_map", "vm_page") and found.new_edges == []
    assert found.warnings == [] and found.notes[-1].startswith("timed: no blame") and "a 16th" in found.notes[-1]


def test_a_timed_and_a_recorded_run_are_compared_by_what_both_have(runs, capsys):
    code, out, _ = command(capsys, "diff", runs["recorded before"], runs["before"], "--all", "--json")
    found = json.loads(out)
    assert code == 0 and found["warnings"] == ["mode is not the same: recorded before, timed after"]
    assert found["notes"][-1].startswith("timed and recorded: what both have; no blame")
    names = {row["figure"] for row in found["rows"]}
    assert {"fault.rate", "vm_map.exclusive.hold.p99", "all.wait.avg"} <= names
    assert not [
        name for name in names if name.endswith(("bounces", "io.count", "io.total")) or name.startswith("blame")
    ]
    assert {row["verdict"] for row in found["rows"] if not row["figure"].endswith(BINNED)} == {"same"}
    assert command(capsys, "diff", runs["before"], runs["recorded before"], "--fail-on", "blame.place.5>1ns")[0] == 2


@pytest.mark.parametrize("kind", ["", "recorded "])
def test_rows_by_site_instance_and_cpu(kind, runs, capsys):
    for by, subject in (("site", "site.place.6"), ("instance", "instance.offset 0x1000"), ("cpu", "cpu.1")):
        code, out, _ = command(capsys, "diff", runs[f"{kind}before"], runs[f"{kind}after"], "--by", by, "--csv")
        rows = {row["figure"]: row for row in csv.DictReader(io.StringIO(out))}
        assert code == 0 and {name.split(".")[0] for name in rows} == {by}
        assert float(rows[f"{subject}.wait.total"]["before"]) == 102 and f"{subject}.contended" in rows
        assert (f"{subject}.hold.total" in rows) == (by != "instance")
    assert "of single locks there are waits only" in command(
        capsys, "diff", runs["before"], runs["after"], "--by", "instance"
    )[1].replace("\n", " ")


@pytest.mark.parametrize("turned", [False, True])
def test_rows_by_site_are_in_the_order_of_their_waiting(turned, tmp_path):
    run, timing = timed(told(*BEFORE, *AFTER, *CONTENDED))
    sites = sorted(timing.sites, reverse=turned)
    path = write_times(tmp_path / "run", run, msgspec.structs.replace(timing, sites=sites))
    rows = diff(*sides([path], [path], ways=["site"]), by="site").rows
    assert [row.after for row in rows if row.figure.endswith(".wait.total")] == [224, 5]


def test_every_figure_is_a_row_if_asked_for(runs):
    both = sides([runs["before"]], [runs["after"]])
    few, every = ({row.figure for row in diff(*both, every=each).rows} for each in (False, True))
    assert few < every and {"all.hold.p99", "vm_map.exclusive.wait.avg", "vm_map.exclusive.hold.max"} <= every - few
    assert {meaning(name).unit for name in every} == {"ns", "/s", ""}


def test_six_pairs_have_an_interval(tmp_path, capsys):
    for number in range(6):
        for side, more in (("a", 0), ("b", 100 * (number + 10))):
            run, timing = timed(told(took(0, MAP, X, 5), 99 * (number + 10) + more, gave(0, MAP)))
            write_times(tmp_path / side / str(number), run, timing)
    code, out, _ = command(
        capsys, "diff", tmp_path / "a", tmp_path / "b", "--json", "--fail-on", "vm_map.hold.avg>+90%"
    )
    row = next(row for row in json.loads(out)["rows"] if row["figure"] == "vm_map.exclusive.hold.total")
    assert code == 5 and row["verdict"] == "worse" and 90 < row["low_percent"] <= row["high_percent"] < 101


def test_a_run_that_was_only_counted_leaves_what_counters_say(runs, tmp_path, capsys):
    counted = write_counted(tmp_path / "counted")
    _, out, _ = command(capsys, "diff", runs["before"], counted, "--json")
    found = json.loads(out)
    assert (
        not [row for row in found["rows"] if ".hold." in row["figure"]]
        and "only what counters say" in found["notes"][1]
    )
    code, _, said = command(capsys, "diff", runs["before"], counted, "--by", "site")
    assert code == 2 and "what was only counted tells nothing by site" in said


CROWD = Times(0, "hold", "", total=9, most=9, bins={9: 1})


def test_of_a_crowded_run_classes_have_what_was_counted_and_the_rest_is_not_known(runs, tmp_path, capsys):
    run, timing = timed(told(*BEFORE))
    crowded = write_times(tmp_path / "crowded", run, msgspec.structs.replace(timing, kinds=[*timing.kinds, CROWD]))
    code, out, _ = command(capsys, "diff", runs["before"], crowded, "--all", "--json")
    found = json.loads(out)
    names = {row["figure"]: row for row in found["rows"]}
    assert code == 0 and names["all.hold.total"]["after"] == names["all.hold.total"]["before"] + 9
    assert "vm_map.wait.total" in names and not [
        name for name in names if name.startswith("vm_map.") and "hold" in name
    ]
    assert "by class there is only what was counted" in found["notes"][1]
    assert json.loads(command(capsys, "diff", runs["before"], crowded, "--by", "site", "--json")[1])["rows"] == []
    code, _, said = command(capsys, "diff", runs["before"], crowded, "--fail-on", "vm_map.hold.total>1ns")
    assert code == 2 and "'vm_map.hold.total>1ns' cannot be judged" in said and str(crowded) in said
    assert command(capsys, "diff", runs["before"], crowded, "--fail-on", "all.hold.total>1ns")[0] == 5


def test_where_some_locks_had_no_room_those_that_had_are_compared_and_judged_and_no_other(tmp_path, capsys):
    run, timing = timed(told(*BEFORE))
    full = write_times(tmp_path / "full", run, msgspec.structs.replace(timing, unlisted=3))
    nobody = write_times(tmp_path / "nobody", run, msgspec.structs.replace(timing, locks=[]))
    assert gaps(timing) == []
    code, out, _ = command(capsys, "diff", full, full, "--by", "instance", "--json")
    found = json.loads(out)
    rows = {row["figure"]: row["after"] for row in found["rows"]}
    assert code == 0 and rows["instance.offset 0x1000.wait.total"] == 102
    assert any("waits for others, for which there was no room: 3" in note for note in found["notes"])
    assert command(capsys, "report", full, "--fail-on", "instance.offset 0x1000.wait.total>1ns")[0] == 5
    assert command(capsys, "diff", nobody, full, "--fail-on", "instance.offset 0x1000.wait.total>1ns")[0] == 5
    code, _, said = command(capsys, "report", full, "--fail-on", "instance.elsewhere.wait.total>1ns")
    assert code == 2 and "no room: 3; so 'instance.elsewhere.wait.total>1ns' cannot be judged" in said


def test_a_timed_run_without_its_histograms_is_named(runs, capsys):
    (runs["after"] / "times.json").unlink()
    code, _, said = command(capsys, "diff", runs["before"], runs["after"])
    assert code == 2 and "times.json cannot be read" in said and "--mode timed" in said


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("vm_map.wait.p99>101ns", "it is 102 ns"), ("vm_map.exclusive.hold.total>=105ns", "it is 105 ns"),
        ("site.place.6.wait.total>=102ns", "it is 102 ns"), ("cpu.1.contended>0", "it is 1"),
        ("instance.offset 0x1000.wait.max>1ns", "it is 102 ns"), ("all.acquired<4", "it is 3"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["", "recorded "])
def test_a_condition_on_one_run_holds_of_it_timed_as_of_it_recorded(asked, said, kind, runs, capsys):
    code, _, complaint = command(capsys, "report", runs[f"{kind}before"], "--fail-on", asked)
    assert (code, complaint) == (5, f"vmconc: --fail-on {asked}: {said}\n")


def test_faults_of_a_timed_run_are_those_it_counted(runs, capsys):
    assert "fault.rate<2: it is 1.5\n" in command(capsys, "report", runs["before"], "--fail-on", "fault.rate<2")[2]


@pytest.mark.parametrize("asked", ["vm_map.wait.p99>102ns", "site.place.9.wait.total>0ns", "vm_object.wait.max>0ns"])
def test_a_condition_that_does_not_hold_of_a_timed_run_is_none(asked, runs, capsys):
    assert command(capsys, "report", runs["before"], "--fail-on", asked)[::2] == (0, "")


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ("blame.place.5>1ns", "was timed, and 'blame.place.5>1ns' takes events; record it: vmconc run --mode recorded"),
        ("vm_map.io.count>0", "takes events"), ("all.bounces>0", "takes events"), ("fault.p99>2ms", "takes events"),
        ("vm_map.wait.p99>+5%", "two runs are needed: vmconc diff"), ("vm_map.wait.p98>1ns", "wait.p98 is not known"),
        ("site.nowhere.wait.p99>1ns", "by site there are place.1, place.2"),
        ("site.place.6.wait.p98>1ns", "wait.p98 is not known of site.place.6; there are acquired, contended"),
        ("instance.offset 0x1000.hold.max>1ns", "of instance.LOCK there are contended, wait.total"),
        ("cpu.0.hold.p99>3", "is a time; give ns"),
    ],
)  # fmt: skip
def test_what_a_timed_run_cannot_answer_is_refused_in_a_line(asked, complaint, runs, capsys):
    code, out, said = command(capsys, "report", runs["before"], "--fail-on", asked)
    assert code == 2 and complaint in said and out == "" and said.count("\n") == 1
    if "+" not in asked:
        code, _, said = command(capsys, "diff", runs["before"], runs["recorded after"], "--fail-on", asked)
        assert code == 2 and complaint in said


FULL = {"unlisted": 3}  # beside the waits for locks that have a row


@pytest.mark.parametrize(
    ("more", "asked", "complaint"),
    [
        ({}, "nonsense.wait.total>1ns", "nonsense is not known"), (FULL, "vm_map.wait.p98>1ns", "wait.p98 is not"),
        (FULL, "sites.x.wait.total>1ns", "spin, site, cpu"), ({}, "site.place.6.wait.total>1ns", "cannot be judged"),
        ({}, "vm_map.shared.hold.max>1ns", "cannot be judged"), (FULL, "instance.x.wait.total>1ns", "cannot be judged"),
        ({}, "instance.x.wait.p98>1ns", "wait.p98 is not known"), (FULL, "cpu.9.wait.total>1ns", "by cpu there"),
    ],
)  # fmt: skip
def test_a_gap_is_the_reason_only_of_what_it_concerns(more, asked, complaint, runs, tmp_path, capsys):
    run, timing = timed(told(*BEFORE))
    more = more or {"kinds": [*timing.kinds, CROWD]}
    path = write_times(tmp_path / "run", run, msgspec.structs.replace(timing, **more))
    for words in (("report", path), ("diff", runs["before"], path)):
        code, _, said = command(capsys, *words, "--fail-on", asked)
        assert code == 2 and complaint in said and ("cannot be judged" in said) == ("cannot be judged" in complaint)


def test_a_condition_on_a_lock_holds_on_with_a_gap_by_class_and_where_nobody_waited(runs, tmp_path, capsys):
    run, timing = timed(told(*BEFORE))
    crowded = write_times(tmp_path / "run", run, msgspec.structs.replace(timing, kinds=[*timing.kinds, CROWD]))
    for path in (runs["before"], crowded, runs["recorded before"]):
        for words in (("report", path), ("diff", path, path)):
            assert command(capsys, *words, "--fail-on", "instance.VmPage 3 busy.wait.total>1ns")[::2] == (0, "")
            assert command(capsys, *words, "--fail-on", "instance.offset 0x1000.wait.total>1ns")[0] == 5


def test_of_a_crowded_run_a_condition_on_holds_of_a_class_is_not_judged(tmp_path, capsys):
    run, timing = timed(told(*BEFORE))
    path = write_times(tmp_path / "run", run, msgspec.structs.replace(timing, kinds=[*timing.kinds, CROWD]))
    code, _, said = command(capsys, "report", path, "--fail-on", "vm_map.hold.p99>1ns")
    assert code == 2 and "'vm_map.hold.p99>1ns' cannot be judged" in said
    assert command(capsys, "report", path, "--fail-on", "vm_map.wait.total>1ns")[0] == 5
