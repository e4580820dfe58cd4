"""The timeline of a page: few shapes however much happened, and nothing left out."""

import numpy as np
import pytest
from helpers_events import BUSY, MAP, OBJECT, S, X, begins, ends, gave, story, took, waited, waits

from vmconc.locks.classes import SEMAPHORE, VM_MAP
from vmconc.page import timeline as module
from vmconc.page.activity import EXCLUSIVE, OPERATION, PAGE_IN, SHARED, WAIT, activity
from vmconc.page.recorded import Recorded
from vmconc.page.timeline import blocks, shares, timeline, window
from vmconc.schedule.steps import (
    STEP_ACQUIRE,
    STEP_LOSE,
    STEP_READ,
    STEP_RELEASE,
    STEP_REOWN,
    STEP_SLEEP,
    STEP_UPGRADE,
)
from vmconc.vm.opcodes import FORK, TOUCH

ONE_WAITS = (
    begins(0, FORK, 1), took(0, MAP), 7,  # 0, 1
    waits(1, VM_MAP, S), 9,  # 9
    gave(0, MAP), ends(0, FORK), waited(1, VM_MAP), took(1, MAP, S, 4), 7,  # 19, 20, 21, 22
    gave(1, MAP, S),  # 30
)  # fmt: skip
HANGS = (  # the run goes on for 30 behind its last event, as its clocks say
    begins(0, TOUCH, 3),  # 0
    took(0, MAP, S, 5), (0, STEP_UPGRADE, MAP, X, 6),  # 1, 2
    took(0, OBJECT, X, 7), (0, STEP_LOSE, OBJECT, X), (0, STEP_REOWN, OBJECT, X, 9),  # 3, 4, 5
    (0, STEP_READ, BUSY, X, 8),  # 6
    waits(1, VM_MAP),  # 7
)  # fmt: skip


def hangs():
    """Return events of a run in which nothing goes on any more."""
    events = story(*HANGS)
    events.run["recording"] |= {"ticks": (0, 37), "nanoseconds": (0, 37)}
    return Recorded(events, "")


def many(count):
    """Return events of two CPUs that each take and give up locks, a hold of 3 and then one of 1 tick."""
    steps = []
    for _ in range(count):
        for cpu, lock in ((0, MAP), (1, BUSY)):
            steps += [took(cpu, lock), 2, gave(cpu, lock), took(cpu, lock), gave(cpu, lock), 5]
    return story(*steps)


def test_spans_are_as_by_hand():
    run = Recorded(story(*ONE_WAITS), "")
    found = activity(run)
    whole = window(run, found, 0, 30)
    assert whole.lanes == [["cpu 0", "operation"], ["cpu 0", "vm_map"], ["cpu 1", "waiting"], ["cpu 1", "vm_map"]]
    spans = [(lane, kind, round(begin * 1e6), round(lasts * 1e6)) for lane, kind, begin, lasts, _ in whole.spans]
    assert spans == [(0, OPERATION, 0, 20), (1, EXCLUSIVE, 1, 18), (2, WAIT, 9, 12), (3, SHARED, 22, 8)]
    assert whole.spans[0][4] == "fork for lwp 1" and "site 4" in whole.spans[3][4]
    assert whole.note == ""


def test_shares_are_of_each_cpus_time():
    heat = shares(Recorded(story(*ONE_WAITS), ""), activity(Recorded(story(*ONE_WAITS), "")))
    mean = {name: np.mean(values) for name, values in zip(heat.names, heat.values, strict=True)}
    assert mean["cpu 1 waiting"] > 0 and mean["cpu 0 waiting"] == 0 and mean["cpu 1 in operations"] == 0
    assert max(map(max, heat.values)) <= 100


@pytest.mark.parametrize("apart", [0, 1, 3, 9, 100])
def test_what_is_close_together_is_one_block(apart):
    found = activity(Recorded(many(20), ""))
    rows = np.arange(len(found.lane))
    starts = blocks(found, rows, apart).tolist()
    expected, reached = [], {}
    for row in rows.tolist():
        key = int(found.lane[row]), int(found.kind[row])
        if apart == 0 or key not in reached or found.from_tick[row] >= reached[key] + apart:
            expected.append(row)
        reached[key] = max(reached.get(key, -1), int(found.to_tick[row]))
    assert starts == expected


def test_a_long_run_is_drawn_with_few_shapes_that_stand_for_all(monkeypatch):
    monkeypatch.setattr(module, "SHAPES", 60)
    run = Recorded(many(200), "")
    found = activity(run)
    whole = window(run, found, *run.extent)
    assert len(whole.spans) <= 2 * module.COARSEST + 2 and f"{len(found.lane):,} spans drawn as" in whole.note
    counts = [int(text.split(" ")[0].replace(",", "")) if " together, " in text else 1 for *_, text in whole.spans]
    assert sum(counts) == len(found.lane) == 800


def test_there_is_a_window_around_a_wait():
    section = timeline(Recorded(story(*ONE_WAITS), ""))
    assert [choice.name for choice in section.choices] == ["whole run", "wait of 12 ns by cpu 1"]
    around = section.choices[1].parts[0]
    assert (round(around.begin_ms * 1e6), round(around.end_ms * 1e6)) == (0, 30)


def test_a_wait_that_never_ended_is_shown_until_the_end_of_the_run():
    """The run goes on for 30 ticks behind its last event, as its clocks say."""
    events = story(took(0, MAP), waits(1, VM_MAP), (1, STEP_SLEEP, MAP, X, 7), 5, gave(0, MAP))
    events.run["recording"] |= {"ticks": (0, 38), "nanoseconds": (0, 38)}
    run = Recorded(events, "")
    found = activity(run)
    (row,) = np.flatnonzero(found.kind == WAIT)
    assert (found.from_tick[row], found.to_tick[row]) == (1, 38)
    assert found.text(row) == "waits for offset 0x1000, site 7; not ended when recording did"
    section = timeline(run)
    assert [choice.name for choice in section.choices] == ["whole run", "wait of 37 ns by cpu 1"]
    heat, whole = section.choices[0].parts
    assert round(whole.end_ms * 1e6) == 38
    spans = [(kind, round(begin * 1e6), round(lasts * 1e6)) for _, kind, begin, lasts, _ in whole.spans]
    assert (WAIT, 1, 37) in spans
    waiting = dict(zip(heat.names, heat.values, strict=True))["cpu 1 waiting"]
    assert waiting[-1] == 100 and sum(waiting) == 37 * 100  # each tick has a column of its own


def test_what_never_ended_is_shown_until_the_end_of_the_run_and_says_so():
    run = hangs()
    whole = window(run, activity(run), *run.shown)
    spans = [(*whole.lanes[lane], kind, *(round(ms * 1e6) for ms in times)) for lane, kind, *times, _ in whole.spans]
    assert spans == [
        ("cpu 0", "operation", OPERATION, 0, 37), ("cpu 0", "page-in", PAGE_IN, 6, 31),
        ("cpu 0", "vm_map", SHARED, 1, 1), ("cpu 0", "vm_map", EXCLUSIVE, 2, 35),
        ("cpu 0", "vm_object", EXCLUSIVE, 5, 32), ("cpu 0", "vm_object", EXCLUSIVE, 3, 1),
        ("cpu 1", "waiting", WAIT, 7, 30),
    ]  # fmt: skip
    said = [place for place, (*_, text) in enumerate(whole.spans) if text.endswith("; not ended when recording did")]
    assert said == whole.endless == [0, 1, 3, 4, 6]
    fault, read, _, owned, token, *_ = (text.split("; ")[0] for *_, text in whole.spans)
    assert (fault, read) == ("fault for lwp 3", "page-in at site 8")
    assert (owned, token) == ("holds exclusive offset 0x1000, site 5", "holds exclusive offset 0x3000, site 7")
    (spread, _) = timeline(run).choices[0].parts
    reading = dict(zip(spread.names, spread.values, strict=True))["cpu 0 reading pages"]
    assert reading[-1] == 100 and sum(reading) == 31 * 100  # each tick has a column of its own


def test_what_never_ended_hides_nothing_that_did(monkeypatch):
    """Of many holds that are close together one is never given up."""
    monkeypatch.setattr(module, "SHAPES", 10)
    steps = [took(0, OBJECT), *[step for _ in range(20) for step in (took(0, OBJECT), 2, gave(0, OBJECT), 90)]]
    run = Recorded(story(*steps), "")
    whole = window(run, activity(run), *run.shown)
    (first, *others) = whole.spans
    assert whole.endless == [0] and (first[2], round(first[3] * 1e6)) == (0, run.shown[1])
    assert len(others) == 20 and all(round(lasts * 1e6) == 3 for *_, lasts, _ in others)


@pytest.mark.parametrize("steps", [[], [waits(1, VM_MAP)]], ids=["nothing", "a wait as it ends"])
def test_a_run_in_which_nothing_lasted_has_no_spans(steps):
    (choice,) = timeline(Recorded(story((0, STEP_SLEEP), 5, (1, STEP_SLEEP), *steps), "")).choices
    assert [part.lines for part in choice.parts] == [["Nothing lasted."]]


def test_what_nobody_owns_is_not_held_until_the_end():
    down, up = ((0, action, 0x20, X, 0, SEMAPHORE) for action in (STEP_ACQUIRE, STEP_RELEASE))
    found = activity(Recorded(story(down, 5, up, down, (1, STEP_RELEASE, 0x20, X, 0, SEMAPHORE)), ""))
    assert (found.from_tick.tolist(), found.to_tick.tolist(), found.endless.tolist()) == ([0], [6], [False])


def test_where_events_were_lost_what_never_ended_may_have_and_the_section_says_so():
    events = story(took(1, MAP, X, 3), gave(1, MAP), 5, (1, STEP_REOWN, OBJECT, X, 9), 5, gave(0, MAP))
    assert all(not hasattr(part, "lines") for part in timeline(Recorded(events, "")).choices[0].parts)
    events.run["recording"]["dropped"] = [2]
    note, whole = timeline(Recorded(events, "")).choices[0].parts
    assert note.lines == [
        "What is shown as not ended when recording did may have: "
        "2 events were lost, and what was held is known only from all of them."
    ]
    assert [whole.spans[place][4] for place in whole.endless] == [
        "holds exclusive offset 0x3000, site 9; not ended when recording did"
    ]
