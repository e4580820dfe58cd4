"""The page about a timed run, and about a comparison of timed runs: the figures of the reports, and in a browser."""

import json

import msgspec
import pytest
from helpers_browser import NASTY, Reader, assert_only_text, in_browser, needs_browser
from helpers_events import MAP, gave, story, took, write_run
from helpers_timed import COUNTED, timed, write_times
from test_page import CONTENDED, parts
from test_page_change import AFTER, BEFORE

from vmconc.analysis.timed_histogram import histograms_timed
from vmconc.analysis.timed_report import GROUPS, report_timed
from vmconc.analysis.timing import Times
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.page.tables import COLUMNS, MS, cell
from vmconc.page.timed import timed_page

TAKES_EVENTS = ("heat", "timeline", "blame", "order", "layers")  # sections


def left(*steps, **more):
    """Return a recorded run, with names that try to break out of the page, and what it would have left timed."""
    events = story(*steps, **more)
    events.run["program"] = NASTY
    events.run["recording"]["sites"] = {"5": NASTY, "6": "<b>bold</b>"}
    events.run.update(COUNTED | {"mode": "recorded", "locks": {}})
    return events, *timed(events)


def page_of(*steps, **more):
    """Return the page about a timed run."""
    _, run, timing = left(*steps, **more)
    return timed_page(run, timing, "runs/here", lambda name: None)


def sections_of(text):
    """Return the sections of a page, by id."""
    return {section["id"]: section for section in Reader(text).data()["sections"]}


def page_of_command(capsys, page, *arguments, code=0):
    """Run a command that writes a page; return the page."""
    assert guarded(app, [*map(str, arguments), str(page)]) == code
    capsys.readouterr()
    return page.read_text()


@pytest.fixture
def changed(tmp_path, capsys):
    """Return the page about two timed runs; that rows are printed by site changes nothing of it."""
    paths = [write_times(tmp_path / name, *left(*steps)[1:]) for name, steps in (("before", BEFORE), ("after", AFTER))]
    return page_of_command(capsys, tmp_path / "page.html", "diff", *paths, "--by", "site", "--html")


def test_tables_have_the_rows_of_the_reports(tmp_path):
    _, run, timing = left(*CONTENDED)
    path = write_times(tmp_path / "run", run, timing)
    tables = parts(sections_of(page_of(*CONTENDED))["tables"], "table")
    for way, table in zip(GROUPS, tables, strict=True):
        found = report_timed(path, way, "wait", 0, [])
        for row, shown in zip([*found.rows, found.total], [*table["rows"], table["total"]], strict=True):
            assert shown == [row.name, *(cell(getattr(row, field), unit) for _, _, field, unit in COLUMNS)]
        assert table["total"][5] == 25 / 1e6 and table["columns"][table["sort"]]["title"] == "ms"


def test_the_same_classes_columns_and_units_as_on_the_page_of_a_recorded_run(tmp_path, capsys):
    events, run, timing = left(*CONTENDED, tick=2)
    paths = write_run(tmp_path / "recorded", events), write_times(tmp_path / "timed", run, timing)
    pages = [sections_of(page_of_command(capsys, tmp_path / "page.html", "html", path, "-o")) for path in paths]
    one, other = (parts(page["tables"], "table")[0] for page in pages)
    assert one["columns"] == other["columns"] and [row[0] for row in one["rows"]] == [row[0] for row in other["rows"]]
    exact = [place for place, column in enumerate(one["columns"]) if column["title"] in ("ms", "times", "max µs")][:-1]
    assert len(exact) == 6
    for row, same in zip([*one["rows"], one["total"]], [*other["rows"], other["total"]], strict=True):
        assert [row[place] for place in exact] == pytest.approx([same[place] for place in exact], nan_ok=True)
    titles = [sorted(part["title"] for part in parts(page["histograms"], "bars")) for page in pages]
    assert titles[0] == titles[1] and len(titles[0]) > 4


@pytest.mark.parametrize("tick", [1, 2])
def test_frames_and_bins_have_the_sums_of_the_histograms(tmp_path, tick):
    _, run, timing = left(*CONTENDED, tick=tick)
    path, sections = write_times(tmp_path / "run", run, timing), sections_of(page_of(*CONTENDED, tick=tick))
    for what, choice, graph in zip(
        ("wait", "hold"), sections["histograms"]["choices"], parts(sections["flames"], "icicle"), strict=True
    ):
        found = histograms_timed(path, what, True, []).histograms
        assert [sum(part["counts"]) for part in choice["parts"]] == [one.count for one in found]
        assert graph["values_ns"][0] == sum(one.total_ns for one in found)
        for place, value in enumerate(graph["values_ns"]):
            below = [v for v, parent in zip(graph["values_ns"], graph["parents"], strict=True) if parent == place]
            assert not below or sum(below) == value


def test_what_takes_events_is_not_there_and_named_in_one_line():
    sections = sections_of(page_of(*CONTENDED))
    assert not [name for name in TAKES_EVENTS if name in sections]
    (notes,) = parts(sections["summary"], "lines")
    (line,) = [line for line in notes["lines"] if line.startswith("not here")]
    assert "timeline" in line and "lock order" in line and "--mode recorded" in line


def test_how_a_run_ended_what_it_found_and_what_had_no_room_is_said():
    _, run, timing = left(*CONTENDED)
    run |= {"ending": {"message": "deadlock", "reason": "deadlock"}, "violations": ["broken"], "violation_count": 70}
    timing = msgspec.structs.replace(timing, kinds=[*timing.kinds, Times(0, "hold", "", total=9, most=9, bins={9: 1})])
    sections = sections_of(timed_page(run, timing, "x", lambda name: None))
    facts = {fact["name"]: fact for fact in parts(sections["summary"], "facts")[0]["facts"]}
    assert (facts["violations"]["value"], facts["violations"]["tone"]) == ("70", "bad")
    said = [line for part in parts(sections["summary"], "lines") for line in part["lines"]]
    assert said[:2] == ["deadlock", "broken"] and "by class there is only what was counted" in said[2]
    others = "others, for which there was no room"
    assert others in [row[0] for row in parts(sections["tables"], "table")[0]["rows"]]
    assert f"{others}: 1, 9 ns in all" in [part["title"] for part in parts(sections["histograms"], "bars")]


def test_waits_for_locks_without_room_are_told_under_the_table_by_lock():
    _, run, timing = left(*CONTENDED)
    gone = timing.locks[0].lock
    timing = msgspec.structs.replace(timing, locks=[one for one in timing.locks if one.lock != gone], unlisted=7)
    sections = sections_of(timed_page(run, timing, "x", lambda name: None))
    by_lock = next(choice for choice in sections["tables"]["choices"] if choice["name"] == "by lock")
    table, notes = by_lock["parts"]
    rows = {row[0]: row for row in table["rows"]}
    assert gone not in rows and rows["others, for which there was no room"][3] == 1 and table["total"][5] == 25 / 1e6
    (line,) = [line for line in notes["lines"] if line.endswith("no room: 7")]
    assert line in [each for part in parts(sections["summary"], "lines") for each in part["lines"]]


@pytest.mark.parametrize("steps", [(), (took(0, MAP), gave(0, MAP))], ids=["none", "few"])
@pytest.mark.parametrize("protocol", ["", "backing"])
def test_a_run_in_which_little_happened_has_a_page(steps, protocol):
    assert list(sections_of(page_of(*steps, protocol=protocol))) == ["summary", "tables", "histograms", "flames"]


def test_the_page_of_a_comparison_has_tables_of_both_sides(changed):
    sections = sections_of(changed)
    assert list(sections) == ["summary", "figures", "tables", "contention", "histograms", "flames"]
    assert "waited for locks, in all" in [fact["name"] for fact in parts(sections["summary"], "facts")[0]["facts"]]
    by_class, by_site, by_lock, by_cpu = parts(sections["tables"], "table")
    heads = [(column["group"], column["title"]) for column in by_class["columns"]]
    rows = {row[0]: row for row in [*by_class["rows"], by_class["total"]]}
    waited = heads.index(("waited ms", "before"))
    assert [row[0] for row in by_class["rows"]] == ["vm_object", "vm_map", "vm_page"]  # most waiting first
    assert [round(value * 1e6) for value in rows["vm_map"][waited : waited + 2]] == [19, 0]
    assert [round(value * 1e6) for value in rows["vm_object"][waited : waited + 2]] == [0, 102]
    assert [round(value * 1e6) for value in rows["total"][waited : waited + 2]] == [19, 102]
    assert rows["total"][waited + 2]["text"] == "+436.8 %" and rows["vm_map"][waited + 2]["text"] == "-100.0 %"
    columns = {
        heading: [each for (group, _), each in zip(heads, rows["vm_object"], strict=True) if group == heading]
        for heading in ("acquired", "waits", "avg µs waited", "p99 µs waited", "held ms", "avg µs held", "p99 µs held")
    }  # after: held for 111 ns and for 1
    assert columns == {
        "acquired": [0, 2], "waits": [0, 1], "avg µs waited": [0, 0.102], "p99 µs waited": [0, 0.102],
        "held ms": [0, 112 / MS, {"value": None, "text": "-", "tone": ""}], "avg µs held": [0, 0.056],
        "p99 µs held": [0, 0.111],
    }  # fmt: skip
    held = heads.index(("held ms", "before"))
    for table in (by_site, by_cpu):
        assert [round(sum(row[place] for row in table["rows"]) * 1e6) for place in (waited, waited + 1)] == [19, 102]
        sums = [sum(row[place] for row in table["rows"]) for place in (held, held + 1)]
        assert sums == pytest.approx(rows["total"][held : held + 2])
    assert {row[0] for row in by_cpu["rows"]} == {"0", "1"} and "waits only" in by_lock["note"]
    assert "held ms" not in [column["group"] for column in by_lock["columns"]]


def test_flames_of_a_comparison_have_places_and_locks(changed):
    sections = sections_of(changed)
    assert [choice["name"] for choice in sections["flames"]["choices"]] == ["by wait", "by hold"]
    graph, table = (parts(sections["flames"], kind)[0] for kind in ("icicle", "table"))
    assert (graph["values_ns"][0], graph["before_ns"][0]) == (102, 19)
    assert [column["title"] for column in table["columns"][:2]] == ["place in the source", "lock"]
    assert {(row[0], row[-1]["text"]) for row in table["rows"]} == {("site 8", "new"), ("<b>bold</b>", "gone")}
    notes = [line for part in parts(sections["summary"], "lines") for line in part["lines"]]
    assert [line for line in notes if "--mode recorded" in line and "order of locks" in line]


def test_a_recorded_run_beside_a_timed_one_has_what_both_have(tmp_path, capsys):
    events, run, timing = left(*BEFORE)
    recorded, other = write_run(tmp_path / "recorded", events), write_times(tmp_path / "timed", run, timing)
    sections = sections_of(page_of_command(capsys, tmp_path / "page.html", "diff", recorded, other, "--html"))
    assert list(sections) == ["summary", "figures", "tables", "contention", "histograms", "flames"]
    for table in parts(sections["flames"], "table"):
        assert table["rows"] and {row[-1]["text"] for row in table["rows"]} == {"+0.0 %"}
    for part in parts(sections["histograms"], "bars"):
        assert part["counts"] == part["before"]


def test_whatever_is_shown_is_text(changed):
    for text in (page_of(*CONTENDED), changed):
        assert_only_text(text)


LOOK = """{
const seen = {}, column = (table, i) => [...table.tBodies[0].rows].map((row) => row.cells[i].textContent);
drawAll();
document.querySelectorAll(".choices").forEach((choices) => choices.querySelectorAll("button").forEach((button) => {
  button.click();
  drawAll();
}));
document.querySelector("#tables .choices button").click();
const table = document.querySelector("#tables table"), heads = table.tHead.rows[1].cells;
heads[0].firstChild.click();
seen.names = column(table, 0); seen.sort = heads[0].ariaSort;
heads[5].firstChild.click();
seen.down = column(table, 0)[0]; heads[5].firstChild.click(); seen.up = column(table, 0).slice(-1)[0];
const charts = [...drawnCharts.keys()], count = (node, selector) => node.querySelectorAll(selector).length;
seen.charts = charts.map((node) => count(node, "svg.main-svg") > 0);
seen.shapes = [".barlayer .point", ".slice"].map(
  (selector) => charts.reduce((sum, node) => sum + count(node, selector), 0));
seen.dark = parseInt(getComputedStyle(document.body).backgroundColor.slice(4)) < 127;
document.title = JSON.stringify(seen);
}"""


@needs_browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_browser_draws_every_chart_and_sorts_tables(tmp_path, changed, dark):
    for text, names, most in ((page_of(*CONTENDED), 3, "vm_map"), (changed, 3, "vm_map")):
        shown, complaints = in_browser(tmp_path, text, LOOK, dark=dark)
        assert complaints == []
        seen = json.loads(Reader(shown).texts["title"][0])
        assert seen["sort"] == "ascending" and seen["names"] == sorted(seen["names"]) and len(seen["names"]) == names
        assert seen["down"] == most == seen["up"] and seen["dark"] == dark
        assert len(seen["charts"]) > 6 and all(seen["charts"]) and all(seen["shapes"]), seen


def test_the_command_writes_it_into_the_run_directory(tmp_path, capsys):
    path = write_times(tmp_path / "run", *left(*CONTENDED)[1:])
    assert guarded(app, ["html", str(path)]) == 0
    assert f"page: {path}/report.html" in capsys.readouterr().out
    assert "tables" in sections_of((path / "report.html").read_text())
    (path / "times.json").write_text("{")
    assert guarded(app, ["html", str(path)]) == 2
    assert "times.json cannot be read" in capsys.readouterr().err
