"""The page about a comparison: its figures are of both sides, worked out by hand, and a browser shows all of it."""

import json

import pytest
from helpers_browser import NASTY, Reader, assert_only_text, in_browser, needs_browser
from helpers_events import BUSY, MAP, OBJECT, S, X, begins, ends, gave, story, took, waited, waits, write_run
from test_analysis_layers import GROWING, depths
from test_page import parts

from vmconc.analysis.diff import diff, sides
from vmconc.analysis.diff_tables import beside
from vmconc.analysis.figures import WAYS
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.locks.classes import VM_MAP, VM_OBJECT
from vmconc.page.change.charted import charted
from vmconc.page.change.page import change_page
from vmconc.vm.opcodes import FORK, TOUCH

BEFORE = (  # ticks in front; a tick is a nanosecond
    begins(0, TOUCH, 3), took(0, MAP, X, 5), 8,  # 0, 1
    begins(1, FORK, 4), waits(1, VM_MAP), 17,  # 10, 11: waited 19, until 30; in its way until 29: site 5
    gave(0, MAP), waited(1, VM_MAP), took(1, MAP, X, 6), took(1, BUSY, X, 7), gave(1, BUSY), gave(1, MAP),
    ends(1, FORK), ends(0, TOUCH),
)  # fmt: skip
AFTER = (  # the map shared; CPU 1 waits for the object
    begins(0, TOUCH, 3), took(0, MAP, S, 5), took(0, OBJECT, X, 9), 8,
    begins(1, FORK, 4), took(1, MAP, S, 6), waits(1, VM_OBJECT), 99,
    gave(0, OBJECT), gave(0, MAP, S), waited(1, VM_OBJECT), took(1, OBJECT, X, 8), gave(1, OBJECT), gave(1, MAP, S),
    ends(1, FORK), ends(0, TOUCH),
)  # fmt: skip


def told(*steps, sites=(), **more):
    """Return events of a program, and places in the source, whose names try to break out of the page."""
    events = story(*steps, **more)
    events.run["program"] = NASTY
    events.run["recording"]["sites"] = {"5": NASTY, "6": "<b>bold</b>"} | dict(sites)
    return events


def page_of(tmp_path, before, after, asked=()):
    """Return the page about as many runs before as after."""
    paths = [
        [write_run(tmp_path / f"{name}{number}", events) for number, events in enumerate(side)]
        for name, side in (("before", before), ("after", after))
    ]
    seen = {}
    old, new = sides(*paths, lambda path, left, order: seen.update({path: charted(left, order)}), WAYS)
    return change_page(diff(old, new), beside(old, new, 200), list(asked), seen)


def sections_of(tmp_path, before, after, asked=()):
    """Return its sections, by id."""
    data = Reader(page_of(tmp_path, before, after, asked)).data()
    return {section["id"]: section for section in data["sections"]}


@pytest.fixture
def both(tmp_path):
    """Return the sections of the page about the two stories."""
    return sections_of(tmp_path, [told(*BEFORE)], [told(*AFTER)])


def test_histograms_have_both_sides_in_the_same_bins(both):
    waits, holds = (choice["parts"] for choice in both["histograms"]["choices"])
    assert [part["title"].partition(",")[0] for part in waits] == [
        "vm_object exclusive: before none; after 1", "vm_map exclusive: before 1"
    ]  # fmt: skip
    assert "19 ns in all; after none" in waits[1]["title"]
    of_map = next(part for part in holds if part["title"].startswith("vm_map exclusive"))
    assert sum(of_map["before"]) == 2 and sum(of_map["counts"]) == 0
    for part in parts(both["histograms"], "bars"):
        assert len(part["from_ns"]) == len(part["counts"]) == len(part["before"]) == len(part["before_ns"])


def test_frames_have_their_value_before_and_what_is_gone_is_in_the_table(both):
    graph, table = (parts(both["flames"], kind)[0] for kind in ("icicle", "table"))
    at = {label: place for place, label in enumerate(graph["labels"])}
    assert graph["values_ns"][at["site 8"]] == graph["values_ns"][0] == 102 and graph["before_ns"][at["site 8"]] == 0
    assert (graph["values_ns"][at["fork"]], graph["before_ns"][at["fork"]]) == (102, 19)
    rows = {row[1]: (round(row[3] * 1e6), round(row[4] * 1e6), row[6]["text"]) for row in table["rows"]}
    assert rows == {"site 8": (0, 102, "new"), "<b>bold</b>": (19, 0, "gone")}
    assert [round(value * 1e6) for value in table["total"][3:6]] == [19, 102, 83]


def test_edges_of_one_side_are_called_new_and_gone(both):
    (graph,), (table,) = (parts(both["order"], kind) for kind in ("arcs", "table"))
    found = {(graph["nodes"][arc["source"]], graph["nodes"][arc["target"]]): arc["side"] for arc in graph["arcs"]}
    assert found == {("vm_map", "vm_object"): "new", ("vm_map", "vm_page"): "gone"}
    assert [(*row[:5], *row[-2:]) for row in table["rows"]] == [
        ("new", "vm_map", "shared", "vm_object", "exclusive", 0, 2),
        ("gone", "vm_map", "exclusive", "vm_page", "exclusive", 1, 0),
    ]


def test_an_edge_of_both_sides_is_neither(tmp_path):
    section = sections_of(tmp_path, [told(*BEFORE)], [told(*BEFORE, *AFTER)])["order"]
    found = {row[3]: row[0] for row in parts(section, "table")[0]["rows"]}
    assert found == {"vm_object": "new", "vm_page": "both"}


def test_of_an_edge_of_both_sides_it_is_said_that_a_mode_is_new(tmp_path):
    shared = took(1, MAP, S), took(1, BUSY), gave(1, BUSY), gave(1, MAP, S)
    section = sections_of(tmp_path, [told(*BEFORE)], [told(*BEFORE, *shared)])["order"]
    (arc,) = parts(section, "arcs")[0]["arcs"]
    assert (arc["side"], arc["word"]) == ("both", "a mode new")
    assert "both, 1 before, 1 after: vm_map exclusive" in arc["text"]
    assert "new, 0 before, 1 after: vm_map shared" in arc["text"]


def test_an_edge_against_the_declared_order_says_so(tmp_path):
    wrong = took(0, BUSY), took(0, MAP), gave(0, MAP), gave(0, BUSY)
    section = sections_of(tmp_path, [told(*BEFORE)], [told(*BEFORE, *wrong)])["order"]
    assert [arc["word"] for arc in parts(section, "arcs")[0]["arcs"] if arc["wrong"]] == ["new, against the order"]


def test_bars_are_the_figures_of_the_table(both):
    bars = parts(both["contention"], "pairs")[0]
    values = dict(zip(bars["names"], zip(bars["before"], bars["after"], strict=True), strict=True))
    assert values == {"vm_object exclusive": (0, 102), "vm_map exclusive": (19, 0)}
    rows = {row[0]: row for row in parts(both["figures"], "table")[0]["rows"]}
    assert [rows["vm_object.exclusive.wait.total"][place]["value"] for place in (1, 2)] == [0, 102]
    facts = {fact["name"]: fact for fact in parts(both["summary"], "facts")[0]["facts"]}
    assert facts["hot spot"]["value"] == "moved to vm_object" and facts["lock-order edges"]["value"] == "1 new, 1 gone"
    assert facts["waited for locks, in all"]["value"] == "+436.8 %"


def test_runs_of_a_side_are_added_up(tmp_path):
    sections = sections_of(tmp_path, [told(*BEFORE)] * 2, [told(*BEFORE), told(*AFTER)])
    graph = parts(sections["flames"], "icicle")[0]
    assert (graph["values_ns"][0], graph["before_ns"][0]) == (19 + 102, 2 * 19)
    histogram = next(part for part in parts(sections["histograms"], "bars") if part["title"].startswith("vm_map ex"))
    assert (sum(histogram["before"]), sum(histogram["counts"])) == (2, 1)
    counts = {row[3]: tuple(row[-2:]) for row in parts(sections["order"], "table")[0]["rows"]}
    assert counts == {"vm_page": (2, 1), "vm_object": (0, 2)}


def test_layers_are_drawn_if_both_sides_have_them(tmp_path):
    growing = depths(*GROWING, at_ends=[1, 3, 2, 0])
    section = sections_of(tmp_path / "1", [growing], [growing])["layers"]
    deepest = parts(section, "curves")[0]
    assert deepest["names"] == ["after", "before"] and deepest["values"][0] == deepest["values"][1]
    assert max(value for value in deepest["values"][0] if value) == 3
    section = sections_of(tmp_path / "2", [growing], [story(took(0, MAP), gave(0, MAP), protocol="")])["layers"]
    assert not parts(section, "curves") and len(parts(section, "lines")[0]["lines"]) == 1


def test_what_is_not_known_is_said(tmp_path):
    lossy = told(*AFTER)
    lossy.run["recording"]["dropped"] = [3]
    sections = sections_of(tmp_path, [told(*BEFORE)], [lossy])
    assert "events were lost" in parts(sections["order"], "lines")[0]["lines"][0]
    blame = sections["flames"]["choices"][2]
    assert blame["name"] == "by blame" and "events were lost" in blame["parts"][0]["lines"][0]
    assert any("3 events lost" in line for part in parts(sections["summary"], "lines") for line in part["lines"])


def test_in_what_runs_differ_and_which_conditions_hold_is_said(tmp_path, capsys):
    write_run(tmp_path / "a", told(*BEFORE))
    write_run(tmp_path / "b", told(*AFTER, cpus=3))
    page = tmp_path / "page.html"
    conditions = ["vm_object.wait.total>50ns", "vm_map.wait.total>50ns"]
    asked = [each for condition in conditions for each in ("--fail-on", condition)]
    assert guarded(app, ["diff", str(tmp_path / "a"), str(tmp_path / "b"), *asked, "--html", str(page)]) == 5
    assert f"page: {page}" in capsys.readouterr().out
    lines = [part for part in parts(Reader(page.read_text()).data()["sections"][0], "lines") if part["tone"] == "bad"]
    assert lines[0]["lines"][1:] == ["cpus is not the same: 2 before, 3 after"]
    assert lines[1]["lines"][0] == "Conditions that hold: 1 of 2" and "vm_object.wait.total" in lines[1]["lines"][1]


def test_what_did_not_happen_is_said_where_it_is_known(tmp_path):
    quiet = told(took(0, MAP), gave(0, MAP))
    choices = sections_of(tmp_path, [quiet], [quiet])["contention"]["choices"]
    nothing = {choice["name"] for choice in choices if "There is nothing" in json.dumps(choice)}
    assert [choice["name"] for choice in choices] == ["waited", "waits, counted", "held", "acquired"]
    assert nothing == {"waited", "waits, counted"}


def test_of_counted_runs_there_are_the_figures_only(tmp_path, capsys):
    counted = {"program": "x", "protocol": "backing", "wall_seconds": 1, "faults": 9, "faults_per_cpu_second": 5}
    counted |= {"locks": {"vm_map": {"shared": 3, "exclusive": 4, "contended": 2, "wait_ns": 100}}}
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps(counted))
    page = tmp_path / "page.html"
    assert guarded(app, ["diff", str(tmp_path / "a"), str(tmp_path / "b"), "--json", "--html", str(page)]) == 0
    assert json.loads(capsys.readouterr().out)["new_edges"] == []
    sections = {section["id"]: section for section in Reader(page.read_text()).data()["sections"]}
    assert list(sections) == ["summary", "figures", "tables", "contention"]
    assert [choice["name"] for choice in sections["contention"]["choices"]] == ["waited", "waits, counted", "acquired"]
    assert parts(sections["contention"], "pairs")[0]["before"] == [100]


@pytest.mark.parametrize("name", [".", "no/where.html"])
def test_where_a_page_cannot_be_written_is_said_before_runs_are_read(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    assert guarded(app, ["diff", "nothing", "nothing", "--html", name]) == 2
    assert f"--html {name}" in capsys.readouterr().err


def test_whatever_is_shown_is_text(tmp_path):
    assert_only_text(page_of(tmp_path, [told(*BEFORE)], [told(*AFTER)], [NASTY]))


LOOK = """{
const seen = {}, column = (table, i) => [...table.tBodies[0].rows].map((row) => row.cells[i].textContent);
drawAll();
const table = document.querySelector("#figures table"), heads = table.tHead.rows[1].cells;
heads[1].firstChild.click();
seen.most = column(table, 1)[0]; seen.sort = heads[1].ariaSort;
document.querySelectorAll(".choices").forEach((choices) => choices.querySelectorAll("button").forEach((button) => {
  button.click();
  drawAll();
}));
const charts = [...drawnCharts.keys()], count = (node, selector) => node.querySelectorAll(selector).length;
seen.charts = charts.map((node) => count(node, "svg.main-svg") > 0);
seen.shapes = [".barlayer .point", ".slice", ".scatterlayer .js-line"].map(
  (selector) => charts.reduce((sum, node) => sum + count(node, selector), 0));
seen.words = [...document.querySelectorAll("svg.arcs text.word")].map((node) => node.textContent).sort();
const slices = charts.flatMap((node) => [...node.querySelectorAll(".slicetext")]);
seen.changes = slices.map((text) => text.textContent).join();
document.title = JSON.stringify(seen);
}"""


@needs_browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_browser_draws_every_chart_and_sorts_tables(tmp_path, dark):
    shown, complaints = in_browser(tmp_path, page_of(tmp_path, [told(*BEFORE)], [told(*AFTER)]), LOOK, dark=dark)
    assert complaints == []
    seen = json.loads(Reader(shown).texts["title"][0])
    assert seen["sort"] == "descending" and seen["most"].endswith("/s")
    assert len(seen["charts"]) > 8 and all(seen["charts"]) and all(seen["shapes"]), seen
    assert seen["words"] == ["gone", "new"] and "+437 %" in seen["changes"] and "new" in seen["changes"]
