"""The timeline of a page: few shapes however much happened, and nothing left out."""

import numpy as np
import pytest
from helpers_events import BUSY, MAP, S, X, begins, ends, gave, story, took, waited, waits

from vmconc.locks.classes import VM_MAP
from vmconc.page import timeline as module
from vmconc.page.activity import EXCLUSIVE, OPERATION, SHARED, WAIT, activity
from vmconc.page.recorded import Recorded
from vmconc.page.timeline import blocks, shares, timeline, window
from vmconc.schedule.steps import STEP_SLEEP
from vmconc.vm.opcodes import FORK

ONE_WAITS = (
    begins(0, FORK, 1), took(0, MAP), 7,  # 0, 1
    waits(1, VM_MAP, S), 9,  # 9
    gave(0, MAP), ends(0, FORK), waited(1, VM_MAP), took(1, MAP, S, 4), 7,  # 19, 20, 21, 22
    gave(1, MAP, S),  # 30
)  # fmt: skip


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
    assert found.text(row) == "waits for offset 0x1000, site 7, until the run's end"
    section = timeline(run)
    assert [choice.name for choice in section.choices] == ["whole run", "wait of 37 ns by cpu 1"]
    heat, whole = section.choices[0].parts
    assert round(whole.end_ms * 1e6) == 38
    spans = [(kind, round(begin * 1e6), round(lasts * 1e6)) for _, kind, begin, lasts, _ in whole.spans]
    assert (WAIT, 1, 37) in spans
    waiting = dict(zip(heat.names, heat.values, strict=True))["cpu 1 waiting"]
    assert waiting[-1] == 100 and sum(waiting) == 37 * 100  # each tick has a column of its own
