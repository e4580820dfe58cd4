"""The page for a browser: whole, safe whatever it shows, and of use in a browser if there is one."""

import json
from pathlib import Path

import pytest
from helpers_browser import NASTY, Reader, in_browser, needs_browser

from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.explore.explain import Explained
from vmconc.explore.page import explored_part, page, replayed_part, write_page
from vmconc.explore.say_swap import Swap
from vmconc.explore.search import Tally
from vmconc.explore.session import Explored, Replayed
from vmconc.explore.state import Word
from vmconc.explore.story import Row
from vmconc.explore.target import Target


def replayed(rows, **more):
    """Return the part of a page that shows a replay with these steps."""
    target = Target(more.pop("program", "queue.py"))
    told = Explained([Row(number, *row) for number, row in enumerate(rows, 1)], **more)
    return replayed_part(Replayed(target, False, None, 0, True, told), Path("x.failure.json"))


def test_the_page_is_whole_and_has_every_step_and_lock():
    rows = [(0, "acquire X mutex, m", 1, False, ("X mutex, m",)), (1, "write <a>", 2, True, ())]
    rows += [(0, "try", 3, False, ("X mutex, m",))] * 5
    swap = Swap("had `b` come before `a`", True, 3, True, [2], [1], [1, 2])
    reader = Reader(page([replayed(rows, swap=swap, loop=["round"], state=[Word("x", "0", "1", "2")])]))
    assert reader.open == []
    (part,) = reader.data()
    assert [row[:4] for row in part["rows"]] == [[n, r[0], r[1], r[3]] for n, r in enumerate(rows, 1)]
    assert part["locks"] == [["X", "mutex, m", 0]] and part["rows"][0][4] == [0] and part["rows"][1][4] == []
    assert part["lines"] == [0, 1, 2, [[0], "(the same step 4 more times)", [3, 4, 5, 6]]]
    assert part["swap"]["named"] == [1, 2] and part["state"] == [["x", "0", "1", "2"]]
    assert not [attrs for tag, attrs in reader.tags if attrs.keys() & {"src", "href", "action"}]


def test_whatever_is_shown_is_text():
    part = replayed([(0, NASTY, 1)], program=NASTY, loop=[NASTY], state=[Word(NASTY, NASTY, NASTY)])
    text = page([part])
    reader = Reader(text)
    assert [tag for tag, _ in reader.tags].count("script") == 2 and reader.open == []
    assert reader.data()[0]["rows"][0][2] == NASTY and "alert(1)</script" not in text


def test_nothing_found_has_a_page_that_says_what_that_means():
    explored = Explored(Target("queue.py"), Tally(7, 70, 0.1, longest=10, by_strategy={"uniform": 7}), meaning=["so"])
    (part,) = Reader(page([explored_part(explored)])).data()
    assert part["result"] == "nothing found" and not part["failed"] and part["replay"] == ""
    assert part["meaning"][0] == "so" and any("sequentially consistent" in line for line in part["meaning"])


@needs_browser
def test_a_browser_shows_it_without_complaint(tmp_path):
    rows = [(0, NASTY, 1, False, ("S map",)), (1, "b", 2, True, ("X m",))] + [(1, "try", 3)] * 9
    swap = Swap("had `b` come before", True, 1, True, [2], [1], [1, 2])
    part = replayed(rows, program=NASTY, swap=swap, loop=[NASTY], state=[Word(NASTY, "0", "1", "2")])
    shown, complaints = in_browser(tmp_path, page([part]))
    assert complaints == [] and "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    reader = Reader(shown)
    rows = [attrs for tag, attrs in reader.tags if tag == "tr" and "id" in attrs]
    assert [row["id"] for row in rows] == ["p0s1", "p0s2", "p0s3"]
    assert "preempts" in rows[1]["class"] and [row["id"] for row in rows if "swap" in row["class"]] == ["p0s1", "p0s2"]
    assert [attrs["class"] for tag, attrs in reader.tags if attrs.get("class", "").endswith(" first")] == [
        "lane held S first", "lane held X first",
    ]  # fmt: skip
    assert in_browser(tmp_path, page([part]), "nothing.at.all()")[1] != []


@needs_browser
def test_five_thousand_steps_are_opened_as_wanted_by_keys_and_buttons(tmp_path):
    """The last ones are open; the swap far above is opened when it is gone to."""
    rows = [(number % 3, f"read x = {number}", number) for number in range(1, 5001)]
    swap = Swap("had this come before", True, 1, True, [1000], [999], [999, 1000])
    look = """
    const seen = {};
    seen.first = document.querySelectorAll("tr[id]").length;
    document.querySelector(".callout button").click();
    seen.went = document.activeElement.id;
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowDown", bubbles: true}));
    seen.next = document.activeElement.id;
    seen.said = document.getElementById("detail").textContent;
    document.querySelectorAll("tr.more button").forEach((button) => button.click());
    seen.all = document.querySelectorAll("tr[id]").length;
    document.title = JSON.stringify(seen);
    """
    text = page([replayed(rows, swap=swap)])
    assert len(text) < 400_000
    shown, complaints = in_browser(tmp_path, text, look)
    seen = json.loads(Reader(shown).texts["title"][0])
    assert complaints == []
    assert seen["first"] == 400 and seen["all"] == 5000
    assert seen["went"] == "p0s999" and seen["next"] == "p0s1000" and seen["said"].startswith("step 1000, cpu 1: read")


def test_the_commands_write_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert guarded(app, ["explore", "lost_update", "--executions", "500", "--html", "found.html"]) == 1
    told = capsys.readouterr().out
    assert "the decisive swap: had cpu" in told and "page: found.html" in told
    (artifact,) = (tmp_path / "failures").iterdir()
    assert guarded(app, ["replay", str(artifact), "--html", "again.html", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)["explained"]
    found, again = (Reader((tmp_path / name).read_text()).data()[0] for name in ("found.html", "again.html"))
    assert found["rows"] == again["rows"] and len(again["rows"]) == len(answer["rows"]) > 5
    assert found["swap"]["text"] == again["swap"]["text"] == answer["swap"]["text"]
    assert found["replay"] == f"vmconc replay failures/{artifact.name}"
    assert guarded(app, ["explore", "lost_update", "--html", "nowhere/found.html"]) == 2
    assert "--html nowhere/found.html: there is no directory nowhere; make it" in capsys.readouterr().err


def test_a_page_that_cannot_be_written_is_reported(tmp_path):
    from vmconc.program.errors import ProgramError

    with pytest.raises(ProgramError, match="Is a directory"):
        write_page(tmp_path, [])
