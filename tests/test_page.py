"""The page about a recorded run: its figures are those of the reports, and a browser shows all of it."""

import json

import pytest
from helpers_browser import NASTY, Reader, assert_only_text, in_browser, needs_browser
from helpers_events import (
    BUSY,
    MAP,
    MUTEX_1,
    MUTEX_2,
    OBJECT,
    RW,
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

from vmconc.analysis.findings import Findings
from vmconc.analysis.report import report
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.locks.classes import VM_MAP, VM_OBJECT
from vmconc.page import ordering
from vmconc.page.run import SECTIONS, run_page
from vmconc.page.tables import COLUMNS, cell
from vmconc.schedule.steps import STEP_READ
from vmconc.vm.opcodes import FORK, TOUCH

CONTENDED = (  # ticks in front; a tick is a nanosecond
    begins(0, TOUCH, 3),  # 0
    took(0, MAP, X, 5), 8,  # 1
    took(0, BUSY, X, 7),  # 10
    begins(1, FORK, 4),  # 11
    waits(1, VM_MAP, S), 17,  # 12: waited 20, until 32; in its way until 31: site 5, then nobody
    gave(0, BUSY),  # 30
    gave(0, MAP),  # 31
    waited(1, VM_MAP),  # 32
    took(1, MAP, S, 6), 6,  # 33
    took(1, OBJECT, X, 9), 6,  # 40
    waits(0, VM_OBJECT, X), 2,  # 47: waited 5, until 52; in its way until 50: site 9, then nobody
    gave(1, OBJECT),  # 50
    gave(1, MAP, S),  # 51
    waited(0, VM_OBJECT),  # 52
    took(0, OBJECT, X, 8),  # 53
    gave(0, OBJECT),  # 54
    ends(1, FORK),  # 55
    ends(0, TOUCH),  # 56
)  # fmt: skip


def contended():
    """Return events in which every section has something to show, with names that try to break out of the page."""
    events = story(*CONTENDED)
    events.run["program"] = NASTY
    events.run["recording"]["sites"] = {"5": NASTY, "6": "<b>bold</b>"}
    return events


def page_of(events):
    """Return the page."""
    return run_page(events, "runs/here", lambda name: None)


def sections(events):
    """Return the sections of the page, by id."""
    return {section["id"]: section for section in Reader(page_of(events)).data()["sections"]}


def parts(section, kind):
    """Return the parts of a kind, of all choices."""
    return [part for choice in section["choices"] for part in choice["parts"] if part["type"] == kind]


def test_tables_have_the_rows_of_the_reports():
    events = contended()
    ways = ("class", "instance", "site", "cpu", "lwp", "phase")
    for way, table in zip(ways, parts(sections(events)["tables"], "table"), strict=True):
        found = report(Findings(events, ""), way, "wait", 0, [])
        for row, shown in zip([*found.rows, found.total], [*table["rows"], table["total"]], strict=True):
            assert shown == [row.name, *(cell(getattr(row, field), unit) for _, _, field, unit in COLUMNS)]
        assert table["total"][5] == 25 / 1e6 and table["columns"][table["sort"]]["title"] == "ms"


def test_who_is_charged_is_as_by_hand_and_flows_have_the_sums_of_the_tables():
    section = sections(contended())["blame"]
    table, flow = parts(section, "table")[0], parts(section, "flow")[0]
    by_hand = {("<b>bold</b>", NASTY): 19, ("<b>bold</b>", "nobody: wake-up"): 1, ("site 8", "site 9"): 3}
    by_hand |= {("site 8", "nobody: wake-up"): 2}
    assert {(row[0], row[1]): round(row[2] * 1e6) for row in table["rows"]} == by_hand
    named = {(flow["left"][left], flow["right"][right]): round(ms * 1e6) for left, right, ms, _ in flow["links"]}
    assert named == by_hand


def test_frames_of_flame_graphs_are_the_sums_of_what_is_below_them():
    graphs = parts(sections(contended())["flames"], "icicle")
    assert [graph["values_ns"][0] for graph in graphs] == [25, 30 + 20 + 10 + 18 + 1, 25]
    for graph in graphs:
        for place, value in enumerate(graph["values_ns"]):
            below = [v for v, parent in zip(graph["values_ns"], graph["parents"], strict=True) if parent == place]
            assert not below or sum(below) == value


def test_an_arrow_against_the_declared_order_is_marked_and_one_that_keeps_to_it_is_not():
    wrong = story(took(0, BUSY), took(0, MAP), gave(0, MAP), gave(0, BUSY))
    right = story(took(0, MAP), took(0, BUSY), gave(0, BUSY), gave(0, MAP))
    for events, expected in ((wrong, True), (right, False)):
        (graph,) = parts(sections(events)["order"], "arcs")
        assert graph["nodes"] == ["vm_map", "vm_page"] and [arc["wrong"] for arc in graph["arcs"]] == [expected]
        tones = [part["tone"] for part in parts(sections(events)["summary"], "lines")]
        assert ("bad" in tones) == expected


def test_whatever_is_shown_is_text():
    text = page_of(contended())
    assert_only_text(text)
    assert Reader(text).data()["title"] == f"{NASTY} under backing"


def test_what_cannot_be_known_is_said():
    events = story(took(0, MAP), gave(0, MAP))
    events.run["recording"]["dropped"] = [3]
    found = sections(events)
    lost = [fact for fact in parts(found["summary"], "facts")[0]["facts"] if fact["name"] == "events lost"]
    assert [(fact["value"], fact["tone"]) for fact in lost] == [("3", "bad")]
    assert "events were lost" in parts(found["blame"], "lines")[0]["lines"][0]
    assert [choice["name"] for choice in found["flames"]["choices"]] == ["by wait", "by hold"]


def test_what_had_not_ended_is_counted():
    events = story(begins(0, TOUCH, 3), took(0, MAP), (0, STEP_READ, BUSY, X), waits(1, VM_MAP))
    (notes,) = (part["lines"] for part in parts(sections(events)["summary"], "lines") if part["tone"] == "note")
    counted = [line.removeprefix("not ended, and in no figure: ") for line in notes if line.startswith("not ended")]
    assert counted == ["operations 1", "page-ins 1", "waits 1", "holds 1"]


@pytest.mark.parametrize("events", [story(), story(took(0, MAP), gave(0, MAP), protocol="")], ids=["none", "few"])
def test_a_run_in_which_little_happened_has_a_page(events):
    assert len(sections(events)) == len(SECTIONS)


LOOK = """{
const seen = {loaded: Boolean(window.Plotly)};
drawAll();
const column = (table, i) => [...table.tBodies[0].rows].map((row) => row.cells[i].textContent);
const table = document.querySelector("#tables table"), heads = table.tHead.rows[1].cells;
seen.first = column(table, 0);
heads[0].firstChild.click();
seen.named = column(table, 0); seen.sort = heads[0].ariaSort;
heads[2].firstChild.click(); seen.most = column(table, 2);
heads[2].firstChild.click(); seen.least = column(table, 2);
seen.total = table.tFoot.rows[0].cells[0].textContent;
document.querySelectorAll(".choices").forEach((choices) => choices.querySelectorAll("button").forEach((button) => {
  button.click();
  drawAll();
}));
const charts = [...drawnCharts.keys()];
seen.charts = charts.map((node) => node.querySelectorAll("svg.main-svg").length > 0);
seen.shapes = [".heatmaplayer image", ".barlayer .point", ".sankey-link", ".slice"].map(
  (selector) => charts.reduce((sum, node) => sum + node.querySelectorAll(selector).length, 0));
seen.arcs = document.querySelectorAll("svg.arcs g.arc").length;
const texts = charts.flatMap((node) => [...node.querySelectorAll("text")]);
seen.bold = texts.some((text) => text.textContent.includes("<b>bold"));
document.title = JSON.stringify(seen);
}"""


@needs_browser
def test_a_browser_draws_every_chart_and_sorts_tables(tmp_path):
    shown, complaints = in_browser(tmp_path, page_of(contended()), LOOK)
    assert complaints == []
    seen = json.loads(Reader(shown).texts["title"][0])
    assert seen["first"][:2] == ["vm_map", "vm_object"] and seen["named"] == ["vm_map", "vm_object", "vm_page"]
    assert seen["sort"] == "ascending" and seen["total"] == "total"
    assert seen["most"] == ["2", "1", "1"] and seen["least"] == ["1", "1", "2"]
    assert len(seen["charts"]) > 10 and all(seen["charts"]) and seen["bold"]
    assert all(seen["shapes"]), seen["shapes"]
    assert seen["arcs"] == 2 and not seen["loaded"]


@needs_browser
def test_a_browser_shows_a_run_in_which_little_happened(tmp_path):
    """Of its two holds one never ended, which has a mark."""
    events = story(took(0, MAP), gave(0, MAP), took(1, MAP), gave(0, MAP), protocol="")
    look = """drawAll();
    const count = (selector) => document.querySelectorAll(selector).length;
    const names = [...document.querySelectorAll(".legendtext")].map((text) => text.textContent);
    document.title = [drawnCharts.size, count(".barlayer .point"), count(".scatterlayer .point"), ...names].join();"""
    shown, complaints = in_browser(tmp_path, page_of(events), look)
    assert complaints == [] and Reader(shown).texts["title"] == ["1,2,1,holds exclusive,not ended"]


@needs_browser
def test_charts_are_written_light_on_dark_if_that_is_preferred(tmp_path):
    look = """drawAll();
    const text = document.querySelector("#heat .xtick text"), paper = getComputedStyle(document.body).backgroundColor;
    document.title = [getComputedStyle(text).fill, paper].map((said) => said.match(/\\d+/)[0] > 127).join();"""
    for dark in (False, True):
        shown, complaints = in_browser(tmp_path, page_of(contended()), look, dark=dark)
        assert complaints == [] and Reader(shown).texts["title"][0] == ("true,false" if dark else "false,true")


@needs_browser
def test_a_browser_complains_of_a_page_that_is_broken(tmp_path):
    broken = page_of(contended()).replace("KINDS.heat =", "KINDS.cold =")
    assert in_browser(tmp_path, broken)[1] != []


def test_the_command_writes_it_into_the_run_directory(tmp_path, capsys):
    run = write_run(tmp_path / "run", contended())
    assert guarded(app, ["html", str(run)]) == 0
    told = capsys.readouterr()
    assert f"page: {run}/report.html" in told.out
    assert Reader((run / "report.html").read_text()).data()["sections"][0]["id"] == "summary"
    assert guarded(app, ["html", str(run), "--output", str(tmp_path / "other.html"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"page": str(tmp_path / "other.html"), "bytes": (tmp_path / "other.html").stat().st_size}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["html", "nothing"], "nothing is no run"),
        (["html", "run", "-o", "."], "--output . is a directory; name a file in it"),
        (["html", "run", "-o", "no/where.html"], "there is no directory no; make it"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "run", contended())
    assert guarded(app, arguments) == 2
    assert said in capsys.readouterr().err


def test_of_many_rings_a_few_are_told_and_the_others_counted(monkeypatch):
    monkeypatch.setattr(ordering, "RINGS", 1)
    steps = []
    for first, second in ((MUTEX_1, MUTEX_2), (MUTEX_2, RW), (RW, MUTEX_1), (MUTEX_2, MUTEX_1)):
        cpu = len(steps) // 4
        steps += [took(cpu, first), took(cpu, second), gave(cpu, second), gave(cpu, first)]
    shown = parts(sections(story(*steps, protocol="", cpus=4))["order"], "lines")
    assert shown[0]["lines"][0].startswith("Ring ") and shown[1]["lines"] == ["More rings: 1; vmconc order has them"]
