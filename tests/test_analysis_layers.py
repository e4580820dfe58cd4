"""How deep faults looked, and how many objects there were, from recorded events."""

import json

import numpy as np
import pytest
from helpers_events import MAP, begins, ends, gave, story, took, write_run
from helpers_runs import options

from vmconc.analysis.events import RunError, load
from vmconc.analysis.layers import layers
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.coordinator.single import run_once
from vmconc.memory.jit import jit_off
from vmconc.program.programs import load_program
from vmconc.schedule.steps import STEP_END, STEP_FREE, STEP_MAKE
from vmconc.vm.kern import KERN_INVALID_ADDRESS
from vmconc.vm.opcodes import FORK, TOUCH

OBJECT, BACKING = 0x20000, 0x30000
TABLES = {
    "VmObject": {"first": OBJECT, "stride": 0x100, "capacity": 16, "parts": {}},
    "Backing": {"first": BACKING, "stride": 0x40, "capacity": 16, "parts": {}},
}


def depths(*steps, at_ends):
    """Return the events of a story whose operations end with these depths."""
    events = story(*steps)
    events.run["recording"]["tables"] = TABLES
    events.raw["number"][events.action == STEP_END] = at_ends
    return events


def fault(cpu, ticks):
    """Return a fault that lasts so long."""
    return [begins(cpu, TOUCH, 1), ticks - 1, ends(cpu, TOUCH)]


GROWING = (
    (0, STEP_MAKE, OBJECT), *fault(0, 4), 4,  # 0: made, 1 to 5: a fault, then until 10
    (0, STEP_MAKE, OBJECT + 0x100), (0, STEP_MAKE, BACKING), *fault(0, 3), 4,  # 10, 11, 12 to 15
    (0, STEP_FREE, OBJECT), *fault(0, 5), 3,  # 20: freed, 21 to 26
    begins(1, FORK, 2), 9, ends(1, FORK),  # 30 to 40: no fault
)  # fmt: skip


def test_depth_and_objects_of_each_bin_are_as_by_hand():
    found = layers(depths(*GROWING, at_ends=[1, 3, 2, 0]), "", 4)
    rows = [(row.begin_ns, row.faults, row.least, row.most, row.objects, row.backings) for row in found.bins]
    assert rows == [(0, 1, 1, 1, 2, 0), (10, 1, 3, 3, 1, 1), (20, 1, 2, 2, 1, 1), (30, 0, 0, 0, 1, 1)]
    assert np.isnan(found.bins[3].mean) and found.bin_ns == 10
    assert (found.total.faults, found.total.least, found.total.mean, found.total.most) == (3, 1, 2.0, 3)
    assert (found.total.objects, found.total.backings) == (2, 1)


def test_a_record_that_is_freed_part_by_part_is_freed_once():
    parts = [(0, STEP_FREE, OBJECT + place) for place in (0, 0x80, 0xC0)]
    steps = [(0, STEP_MAKE, OBJECT), (0, STEP_MAKE, OBJECT + 0x100), *fault(0, 4), 4, *parts, *fault(0, 4)]
    found = layers(depths(*steps, at_ends=[1, 1]), "", 2)
    assert [row.objects for row in found.bins] == [2, 1] and found.total.objects == 2


@pytest.mark.parametrize("bins", [1, 2, 3, 7, 40])
def test_every_fault_is_in_one_bin(bins):
    found = layers(depths(*GROWING, at_ends=[1, 3, 2, 0]), "", bins)
    assert sum(row.faults for row in found.bins) == 3
    assert sum(row.mean * row.faults for row in found.bins if row.faults) == 6
    assert max(row.most for row in found.bins) == 3


def test_a_fault_that_did_not_end_well_has_no_depth():
    failed = [begins(0, TOUCH, 1), 2, (0, STEP_END, 0, 0, KERN_INVALID_ADDRESS, TOUCH)]
    found = layers(depths(*failed, *fault(0, 3), at_ends=[0, 2]), "", 2)
    assert (found.total.faults, found.total.most) == (1, 2)


def test_what_does_not_tell_of_depth_is_refused(tmp_path, capsys):
    old = str(write_run(tmp_path / "old", story(*fault(0, 3))))
    assert guarded(app, ["layers", old]) == 2
    assert "before faults told how many layers they looked into; record again" in capsys.readouterr().err
    with pytest.raises(RunError, match="a program about locks: it has no layers"):
        layers(story(took(0, MAP), gave(0, MAP), protocol=""), "run", 3)


def test_bins_are_printed_as_text_csv_and_json(tmp_path, capsys):
    run = str(write_run(tmp_path / "run", depths(*GROWING, at_ends=[1, 3, 2, 0])))
    assert guarded(app, ["layers", run, "--bins", "4"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["0.000", "1", "1", "1", "1", "2", "0", 10 * "#"] in lines
    assert ["0.000", "0", "-", "-", "-", "1", "1"] in lines
    assert guarded(app, ["layers", run, "--bins", "2", "--csv"]) == 0
    csv = capsys.readouterr().out.splitlines()
    assert csv[0] == "begin_ns,faults,least,mean,most,objects,backings" and csv[1] == "0.0,2,1,2.0,3,1,1"
    assert guarded(app, ["layers", run, "--json", "--bins", "4"]) == 0
    assert json.loads(capsys.readouterr().out)["bins"][3]["mean"] is None


@pytest.mark.slow
@pytest.mark.skipif(jit_off(), reason="worker processes need the JIT")
@pytest.mark.parametrize("protocol", ["chained", "backing"])
def test_events_tell_the_depth_that_the_operations_do_and_every_object_that_ends(protocol, tmp_path):
    plan = load_program("fork_chain", 2, {"generations": "6", "chains": "2"})
    result = run_once(plan, protocol, options(tmp_path, mode="recorded"))
    events = load(tmp_path / "runs" / result.run_dir.rsplit("/", 1)[-1])
    found = layers(events, "", 10)
    assert found.total.most == result.max_depth + 1 > 2 and found.total.faults == result.faults
    assert (found.bins[-1].objects, found.bins[-1].backings) == (0, 0) and found.total.objects >= 6  # a chain
    assert (found.total.backings > 0) == (protocol == "backing")
