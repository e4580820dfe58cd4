"""Runs that did not end: what their directories say, what is checked of them, and what is not."""

import os

import msgspec
import numpy as np
import pytest
from helpers_events import BUSY, MAP, S, X, begins, gave, story, took, waits, write_run

from vmconc.analysis.check import check, check_run
from vmconc.analysis.events import RunError, load, load_all
from vmconc.analysis.unended import BEGUN, CLOCKS, PAIR
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.locks.classes import VM_MAP
from vmconc.memory.ring import EVENT_BYTES
from vmconc.schedule.steps import STEP_DOWNGRADE, STEP_SLEEP, STEP_UPGRADE
from vmconc.vm.opcodes import FORK

SAYS = "this run did not end: it goes on, or vmconc was killed"
STORY = (
    begins(0, FORK, 1), took(0, MAP), 7, waits(1, VM_MAP, S), (1, STEP_SLEEP, MAP, S), 9,
    took(0, BUSY), 2, gave(0, BUSY), gave(0, MAP),
)  # fmt: skip


def killed(path, events, torn=0, clocks=(5, 11), **known):
    """Write a directory as a killed run leaves it, with so many bytes of an event more; return it."""
    write_run(path, events)
    (path / "run.json").unlink()
    recording = events.run["recording"]
    begun = {"begun": (1, 3), "rings": len(events.first) - 1, "sites": recording["sites"], "tables": {}}
    run = {key: value for key, value in events.run.items() if key != "recording"} | {"run_dir": str(path)} | known
    (path / BEGUN).write_bytes(msgspec.json.encode(run | {"recording": begun}))
    (path / CLOCKS).write_bytes(PAIR.pack(*clocks))
    with (path / "events" / "cpu1").open("ab") as file:
        file.write(b"x" * torn)
    return path


def broken(*steps):
    """Return what is found broken in a run that did not end, and in the same one that has."""
    events = story(*steps)
    ended = {found.rule for found in check(events, "").broken}
    events.run["unended"] = SAYS
    return {found.rule for found in check(events, "").broken}, ended


def test_what_there_is_is_read_and_a_torn_event_is_cut_off_and_counted(tmp_path):
    events = story(*STORY)
    found = load(killed(tmp_path / "whole", events))
    assert np.array_equal(found.raw, events.raw) and np.array_equal(found.first, events.first)
    assert SAYS in found.unended and "cut off" not in found.unended
    assert found.tick == 2 and found.nanoseconds(5) == 8 and found.wall_nanoseconds == 8
    torn = load(killed(tmp_path / "torn", events, torn=EVENT_BYTES - 1))
    assert np.array_equal(torn.raw, events.raw) and "they were not whole: 1 events" in torn.unended


def test_a_run_that_was_told_to_have_ended_is_read_as_one(tmp_path):
    path = killed(tmp_path / "run", story(*STORY))
    (path / "run.json").write_bytes(msgspec.json.encode(story(*STORY).run))
    assert load(path).unended == ""


def test_a_run_without_an_event_says_so(tmp_path):
    path = killed(tmp_path / "run", story(*STORY))
    for file in (path / "events").iterdir():
        os.truncate(file, EVENT_BYTES // 2)
    with pytest.raises(RunError, match="has no events yet"):
        load(path)


def test_who_may_have_given_a_lock_up_is_not_accused_and_who_has_not_is():
    took_both = took(0, MAP), took(1, MAP)
    assert broken(*took_both) == (set(), {"two-writers"})
    assert broken(*took_both, gave(0, MAP)) == ({"two-writers"}, {"two-writers"})
    shared = took(0, MAP, S), took(1, MAP)
    assert broken(*shared) == (set(), {"reader-and-writer"})
    assert broken(*shared, gave(0, MAP, S))[0] == {"reader-and-writer"}
    assert broken(took(0, MAP, S), took(1, MAP, S), gave(1, MAP, S), (0, STEP_UPGRADE, MAP, X))[0] == set()
    assert broken(took(0, MAP, S), took(1, MAP, S), (0, STEP_UPGRADE, MAP, X), gave(1, MAP, S))[0] != set()


def test_a_hold_that_changed_its_mode_and_may_have_ended_is_left_out_with_all_its_changes():
    up, down = (0, STEP_UPGRADE, MAP, X), (0, STEP_DOWNGRADE, MAP, S)
    before = took(0, MAP), gave(0, MAP)
    assert broken(*before, took(0, MAP, S), up, took(1, MAP), gave(1, MAP))[0] == set()
    assert broken(*before, took(0, MAP, S), up, down, took(1, MAP), gave(1, MAP))[0] == set()


def test_a_wait_that_did_not_end_and_a_sleeper_are_no_proof():
    assert broken(took(0, BUSY), waits(0, VM_MAP)) == (set(), {"lock-order"})
    sleeper = took(0, MAP), waits(1, VM_MAP), (1, STEP_SLEEP, MAP, X), gave(0, MAP), begins(0, FORK, 1)
    assert broken(*sleeper) == (set(), {"lost-wakeup"})


def test_the_check_says_what_it_could_not_check(tmp_path):
    checked = check_run(killed(tmp_path / "run", story(*STORY)))
    assert "lost-wakeup" not in checked.rules and "two-writers" in checked.rules and not checked.broken
    assert any("lost-wakeup: who sleeps" in line for line in checked.not_checked)
    assert any("how many events were written" in line for line in checked.not_checked)


def test_where_events_may_be_missing_between_others_nothing_is_checked(tmp_path):
    path = killed(tmp_path / "run", story(*STORY), options={"drop": True})
    checked = check_run(path)
    assert checked.exit_code == 2 and "--when-full drop" in checked.not_checked[0]
    with pytest.raises(RunError, match="--when-full drop"):
        load_all(path)


READERS = [
    ["check"], ["report"], ["report", "--by", "pair"], ["report", "--json"], ["histogram"], ["heat"], ["timeline"],
    ["order"], ["blame"], ["html"], ["timeline", "--json"],
]  # fmt: skip


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_every_reader_reads_it_and_warns_in_one_line(command, tmp_path, capsys):
    path = killed(tmp_path / "run", story(*STORY), torn=5)
    assert guarded(app, [command[0], str(path), *command[1:]]) == 0
    out, err = capsys.readouterr()
    assert err.count("\n") == 1 and err.startswith(f"vmconc: {path}: {SAYS}") and "1 events" in err
    assert out and "0 lost" not in out


@pytest.mark.parametrize("form", ["pprof", "openmetrics", "perfetto", "folded"])
def test_an_export_says_nothing_that_is_not_known(form, tmp_path, capsys):
    path, out = killed(tmp_path / "run", story(*STORY)), tmp_path / "out"
    assert guarded(app, ["export", form, str(path), "-o", str(out)]) == 0
    assert SAYS in capsys.readouterr().err and b"events_lost" not in out.read_bytes()


def test_the_page_says_that_the_run_did_not_end(tmp_path):
    path = killed(tmp_path / "run", story(*STORY))
    assert guarded(app, ["html", str(path)]) == 0
    page = (path / "report.html").read_text()
    assert SAYS in page and "not known" in page


def test_its_figures_are_neither_compared_nor_judged(tmp_path, capsys):
    path, whole = killed(tmp_path / "run", story(*STORY)), write_run(tmp_path / "whole", story(*STORY))
    counted = tmp_path / "counted"
    counted.mkdir()
    (counted / "run.json").write_text('{"program": "story", "locks": {}}')
    for other in (whole, counted):
        assert guarded(app, ["diff", str(other), str(path)]) == 2
        assert SAYS in capsys.readouterr().err
    assert guarded(app, ["report", str(path), "--fail-on", "all.wait.total>1ms"]) == 2
    assert SAYS in capsys.readouterr().err
