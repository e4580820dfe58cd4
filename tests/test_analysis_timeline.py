"""Timelines of recorded events: tracks of slices, and columns of time."""

import json

import numpy as np
import pytest
from helpers_events import BUSY, MAP, OBJECT, S, X, begins, ends, gave, story, took, waited, waits, write_run
from helpers_events_naive import storm

from vmconc.analysis.events import RunError
from vmconc.analysis.heat import heat
from vmconc.analysis.spans import holds
from vmconc.analysis.spans import waits as all_waits
from vmconc.analysis.timeline import HOLDING, IDLE, MOSTLY_IDLE, OPERATION, PAGE_IN, STATES, WAITING, timeline
from vmconc.analysis.tracks import left_out, tracks
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.locks.classes import SEMAPHORE, VM_MAP
from vmconc.schedule.steps import STEP_ACQUIRE, STEP_BEGIN, STEP_END, STEP_READ, STEP_READ_DONE, STEP_SLEEP
from vmconc.vm.opcodes import FORK, TOUCH

STORY = (  # ticks in front
    begins(0, TOUCH, 3),  # 0
    took(0, MAP, X, 5), 8,  # 1
    begins(1, FORK, 4),  # 10
    waits(1, VM_MAP, S),  # 11
    (0, STEP_READ, BUSY, X), 17,  # 12
    (0, STEP_READ_DONE, BUSY, X),  # 30
    gave(0, MAP),  # 31
    waited(1, VM_MAP),  # 32
    took(1, MAP, S, 6), 6,  # 33
    gave(1, MAP, S),  # 40
    ends(1, FORK),  # 41
    ends(0, TOUCH),  # 42
)  # fmt: skip
LETTERS = {WAITING: "w", PAGE_IN: "r", HOLDING: "h", OPERATION: "o", IDLE: ".", MOSTLY_IDLE: ":"}


def states(row):
    return "".join(LETTERS[state] for state in row.states)


def test_a_cpu_is_in_one_state_at_every_tick():
    found = timeline(story(*STORY), "", 42, held=True)
    first, second = found.rows
    assert states(first) == "o" + 11 * "h" + 18 * "r" + "h" + 11 * "o"
    assert states(second) == 10 * "." + "o" + 21 * "w" + "o" + 7 * "h" + "o" + "."
    assert second.waits_for == 11 * [""] + 21 * ["offset 0x1000"] + 10 * [""]
    assert first.nanoseconds == {"waiting": 0, "page-in": 18, "holding": 12, "operation": 12, "idle": 0}
    assert [(held.cls, "".join(mode[:1] or "." for mode in held.modes)) for held in first.held + second.held] == [
        ("vm_map", "." + 30 * "e" + 11 * "."), ("vm_map", 33 * "." + 7 * "s" + 2 * "."),
    ]  # fmt: skip
    (wait,) = found.longest
    assert (wait.cpu, wait.begin_ns, wait.nanoseconds, wait.lock, wait.site) == (1, 11, 21, "offset 0x1000", "site 6")


def test_a_column_shows_what_took_most_of_it_and_tells_busy_from_idle():
    found = timeline(story(*STORY), "", 3)
    assert [states(row) for row in found.rows] == ["hro", ":wh"]
    assert (found.begin_ns, found.end_ns, found.column_ns) == (0, 42, 14)
    # In the second column the CPU waited as long as it was idle.
    assert states(timeline(story(*STORY), "", 6, cpus=[1]).rows[0]) == ".wwwwh"


def test_a_part_of_a_run_is_cut_where_it_was_asked_for():
    found = timeline(story(*STORY), "", 10, (20, 30))
    assert [states(row) for row in found.rows] == [10 * "r", 10 * "w"]
    assert (found.waits, found.longest[0].begin_ns, found.longest[0].nanoseconds) == (1, 20, 10)
    assert timeline(story(*STORY), "", 10, (33, 0)).longest == []


def test_a_wait_that_never_ends_lasts_until_the_end_and_is_for_what_was_slept_on():
    endless = [took(0, MAP), waits(1, VM_MAP), (1, STEP_SLEEP, MAP, X, 7), 17, (0, STEP_BEGIN)]
    found = timeline(story(*endless), "", 20)
    assert states(found.rows[1]) == "." + 19 * "w" and found.rows[1].waits_for[-1] == "offset 0x1000"
    assert (found.longest[0].nanoseconds, found.longest[0].site) == (19, "site 7")


@pytest.mark.parametrize(
    ("step", "state"), [(took(1, MAP), "h"), ((1, STEP_READ, BUSY, X), "r"), (begins(1, TOUCH, 3), "o")]
)
def test_what_never_ended_lasts_until_the_end_of_the_run(step, state):
    """Its clocks say that it went on for 7 ticks behind the last event."""
    events = story((0, STEP_BEGIN), (0, STEP_END), step)
    assert states(timeline(events, "", 2).rows[1]) == ".."
    events.run["recording"] |= {"ticks": (0, 9), "nanoseconds": (0, 9)}
    assert states(timeline(events, "", 9).rows[1]) == ".." + 7 * state


def test_what_nobody_owns_is_not_held():
    steps = [(0, STEP_ACQUIRE, 0x20, X, 0, SEMAPHORE), 8, (0, STEP_BEGIN)]
    found = timeline(story(*steps, cpus=1), "", 9, held=True)
    assert states(found.rows[0]) == 9 * "." and found.rows[0].held == []


@pytest.mark.parametrize("seed", range(4))
def test_times_add_up_whatever_the_columns(seed):
    events = storm(seed)
    whole = timeline(events, "", 7)
    span = whole.end_ns - whole.begin_ns
    for row in whole.rows:
        assert sum(row.nanoseconds.values()) == pytest.approx(span) and all(row.nanoseconds[s] >= 0 for s in STATES)
    assert sum(row.nanoseconds[WAITING] for row in whole.rows) == heat(events, "", 5).total.wait_ns
    middle = round(span / 3)
    parts = [timeline(events, "", 50, part) for part in ((0, middle), (middle, 0))]
    for state in STATES:
        for row, *both in zip(whole.rows, *(part.rows for part in parts), strict=True):
            assert row.nanoseconds[state] == sum(one.nanoseconds[state] for one in both)


@pytest.mark.parametrize("seed", range(4))
def test_everything_is_on_one_track_and_no_two_slices_of_a_track_overlap(seed):
    events = storm(seed)
    held, waited = holds(events), all_waits(events)
    titles, found = tracks(events, held, waited)
    kinds = {}
    for track in found:
        spans = track.spans
        assert (spans.begin[1:] >= spans.end[:-1]).all() and (events.cpu[spans.end] == track.cpu).all()
        kind = track.name.split()[-1]
        kinds[kind] = kinds.get(kind, 0) + len(spans.begin)
        names = {titles[title] for title in track.title}
        assert kind != "operations" or names <= {"fault", "fork", "mmap"}
    begun = {action: int(np.isin(events.action, action).sum()) for action in (STEP_BEGIN, STEP_READ)}
    assert kinds == {
        "held": len(held.begin), "waiting": len(waited.begin), "operations": begun[STEP_BEGIN],
        "page-ins": begun[STEP_READ],
    }  # fmt: skip
    assert left_out(events, found) == 0


def test_what_did_not_end_is_on_no_track_and_is_counted():
    events = story(begins(0, TOUCH, 1), took(0, MAP), took(0, OBJECT), (0, STEP_READ, BUSY, X), waits(0, VM_MAP))
    _, found = tracks(events, holds(events), all_waits(events))
    assert found == [] and left_out(events, found) == 5


def test_what_is_not_there_is_refused():
    with pytest.raises(RunError, match="the run has no cpu 2; choose 0 to 1"):
        timeline(story(*STORY), "", 10, cpus=[2])
    with pytest.raises(RunError, match=r"its events are from 0.000000 ms to 0.000042 ms"):
        timeline(story(*STORY), "", 10, (42, 50))


def test_the_picture_names_what_is_waited_for_where_there_is_room(tmp_path, capsys):
    run = str(write_run(tmp_path / "run", story(*STORY)))
    assert guarded(app, ["timeline", run, "--width", "42", "--held"]) == 0
    shown = capsys.readouterr().out.splitlines()
    lines = {line[:16].strip(): line[16:] for line in shown if "|" in line}
    assert lines["cpu 1"] == "|..........+--- offset 0x1000 ---+=======+.|"
    assert lines["cpu 0"] == "|+===========##################=+++++++++++|"
    assert lines["vm_map"] == "|" + 33 * " " + "SSSSSSS  |"
    assert guarded(app, ["timeline", run, "--width", "3", "--cpu", "1", "--held", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert row["name"] == "cpu 1" and row["states"] == ["mostly idle", "waiting", "holding"]
    assert row["held"] == [{"cls": "vm_map", "modes": ["", "", "shared"]}]
    assert timeline(story(*STORY), "", 1, held=True).rows[1].held[0].modes == ["partly"]
