"""Histograms and heat maps of recorded events."""

import json

import numpy as np
import pytest
from helpers_events import MAP, MAP_2, S, X, gave, story, took, waited, waits, write_run
from helpers_events_naive import storm

from vmconc.analysis.findings import Findings
from vmconc.analysis.heat import heat
from vmconc.analysis.histogram import bin_edge, bin_numbers, histograms
from vmconc.analysis.report import report
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.locks.classes import VM_MAP, VM_OBJECT


def test_every_duration_lies_between_the_edges_of_its_bin():
    lasted = np.concatenate([[0.0, 0.4], np.arange(1, 5000) / 3, 10.0 ** np.arange(4, 15)])
    numbers = bin_numbers(lasted)
    low, high = (np.array([bin_edge(int(number) + more) for number in numbers]) for more in (0, 1))
    assert (low <= np.maximum(lasted, 1)).all() and (lasted < high).all()
    edges = [bin_edge(number) for number in range(60)]
    assert edges[:5] == [1, 1.5, 2, 3, 4] and edges == sorted(set(edges))


def test_holds_are_counted_in_bins_as_by_hand():
    times = (X, 8), (X, 11), (S, 12), (X, 40)
    steps = [(took(0, MAP, mode), lasted - 1, gave(0, MAP, mode)) for mode, lasted in times]
    (found,) = histograms(story(*sum(steps, ())), "", "hold", False, []).histograms
    assert [(each.from_ns, each.count, each.total_ns) for each in found.bins] == [
        (8, 2, 19), (12, 1, 12), (16, 0, 0), (24, 0, 0), (32, 1, 40),
    ]  # fmt: skip
    by_mode = histograms(story(*sum(steps, ())), "", "hold", True, []).histograms
    assert [(one.mode, one.count, one.total_ns) for one in by_mode] == [("exclusive", 3, 59), ("shared", 1, 12)]


@pytest.mark.parametrize("what", ["wait", "hold"])
@pytest.mark.parametrize("by_mode", [False, True])
def test_histograms_add_up_to_the_report(what, by_mode):
    events, classes = storm(3), [VM_MAP, VM_OBJECT]
    found = histograms(events, "", what, by_mode, classes).histograms
    total = report(Findings(events, ""), "class", "wait", 0, classes).total
    count, ns = (total.contended, total.wait_ns) if what == "wait" else (total.holds, total.hold_ns)
    assert sum(each.count for one in found for each in one.bins) == sum(one.count for one in found) == count > 0
    assert sum(each.total_ns for one in found for each in one.bins) == sum(one.total_ns for one in found) == ns


def test_a_wait_heats_every_bin_in_which_it_lasts():
    events = story((0, 0), 24, waits(1, VM_MAP), 29, waited(1, VM_MAP), 44, (0, 0))  # 0 to 100; a wait from 25 to 55
    found = heat(events, "", 4)
    assert found.bin_ns == 25
    assert [(row.name, row.wait_ns, row.percents) for row in found.rows] == [("vm_map", 30, [0, 50, 10, 0])]
    assert found.total.percents == [0, 50, 10, 0]


@pytest.mark.parametrize("bins", [1, 7, 60])
def test_heat_adds_up_to_all_waiting(bins):
    events = storm(4)
    found = heat(events, "", bins)
    rows = report(Findings(events, ""), "class", "wait", 0, []).rows
    waiting = {row.name: row.wait_ns for row in rows if row.contended}
    assert {row.name: row.wait_ns for row in found.rows} == waiting and len(waiting) > 2
    time = events.raw["time"]
    edges = int(time.min()) + int(time.max() - time.min()) * np.arange(bins + 1) // bins
    for row in [*found.rows, found.total]:
        assert np.dot(row.percents, np.diff(edges)) * 3 / 100 == pytest.approx(row.wait_ns)


def test_the_commands_print_bars_and_json(tmp_path, capsys):
    steps = [took(0, MAP_2), 9, waits(1, VM_MAP), 80, gave(0, MAP_2), waited(1, VM_MAP), took(1, MAP_2), gave(1, MAP_2)]
    run = str(write_run(tmp_path / "run", story(*steps)))
    assert guarded(app, ["histogram", run, "--what", "hold"]) == 0
    assert "vm_map hold: 2 times" in capsys.readouterr().out
    assert guarded(app, ["histogram", run, "--class", "vnode"]) == 0
    assert "no wait was recorded" in capsys.readouterr().out
    assert guarded(app, ["heat", run, "--bins", "10"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("vm_map"))
    assert "| ████████▇|" in line
    assert guarded(app, ["heat", run, "--bins", "3", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["total"]["percents"]) == 3
    assert guarded(app, ["histogram", run, "--mode", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["histograms"][0]["mode"] == "exclusive"


def test_more_bins_than_ticks_are_empty():
    found = heat(story(waits(0, VM_MAP), waited(0, VM_MAP), cpus=1), "", 4)
    assert found.total.percents == [0, 0, 0, 100]


def test_a_run_in_which_nothing_was_waited_for_is_blank(tmp_path, capsys):
    run = str(write_run(tmp_path / "run", story(took(0, MAP), gave(0, MAP))))
    assert guarded(app, ["heat", run, "--bins", "5"]) == 0
    assert "|     |" in capsys.readouterr().out
