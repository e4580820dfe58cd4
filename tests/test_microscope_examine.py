"""The microscope as the command line uses it: what it answers, what it refuses."""

import os

import pytest

from vmconc.coordinator.errors import UsageError
from vmconc.explore.microscope import Scene, examine
from vmconc.explore.microscope_scene import Stage
from vmconc.memory.jit import jit_off
from vmconc.memory.struct import STRUCTS
from vmconc.memory.table import slot_of
from vmconc.protocols import protocol_names

pytestmark = pytest.mark.timeout(600)  # the first test may have to compile every kernel

interpreted = pytest.mark.skipif(not jit_off(), reason="steps are logged in mode controlled only")


def seen(layers="DD", page=1, write=True, heuristic=False, needs_copy=False, paged_out=False, protocol="both"):
    return examine(layers, page, write, heuristic, needs_copy, paged_out, protocol)


def test_both_protocols_answer_with_counts_and_steps():
    found = seen()
    assert set(found) == set(protocol_names())
    for answer in found.values():
        counts, steps = answer["counts"], answer["steps"]
        assert counts["attempts"] == 2 and counts["copy"] == 1
        assert [step["step"] for step in steps] == list(range(1, len(steps) + 1))
        assert {"step", "cpu", "action", "class", "mode", "lock", "site", "file", "line"} == set(steps[0])
        assert steps[0]["action"] == "acquire" and steps[0]["class"] == "vm_map" and steps[0]["mode"] == "shared"
        assert steps[0]["site"] == "vm_map_lookup.shared" and os.path.isfile(steps[0]["file"]) and steps[0]["line"] > 0
        assert any("(layer 1)" in step["lock"] for step in steps)


@interpreted
@pytest.mark.parametrize("protocol", protocol_names())
def test_what_is_acquired_is_released_and_counts_are_what_the_steps_say(protocol):
    for layers, page, paged_out in [("D", None, False), ("DDD", 2, False), ("DDV", 2, True)]:
        found = seen(layers, page, paged_out=paged_out, protocol=protocol)[protocol]
        held = []
        for step in found["steps"]:
            key = step["class"], step["lock"], step["mode"]
            if step["action"] == "acquire":
                held.append(key)
            elif step["action"] == "release":
                held.remove(key)
        assert held == []
        taken = [(step["class"], step["mode"]) for step in found["steps"] if step["action"] == "acquire"]
        counts = found["counts"]
        assert taken.count(("vm_object", "shared")) == counts["tok_S"]
        assert taken.count(("vm_object", "exclusive")) == counts["tok_X"]
        assert taken.count(("vm_map", "shared")) == counts["map_S"] + counts["map_relock_timed"]
        assert taken.count(("pip", "shared")) == counts["pip"]
        assert taken.count(("vm_page", "exclusive")) == counts["busy"]


@interpreted
@pytest.mark.parametrize("protocol", protocol_names())
def test_a_page_in_sleeps_with_or_without_the_map(protocol):
    steps = seen("DV", 1, paged_out=True, protocol=protocol)[protocol]["steps"]
    begins = next(i for i, step in enumerate(steps) if step["action"] == "page-in begins")
    ends = next(i for i, step in enumerate(steps) if step["action"] == "page-in ends")
    inside = [step["action"] for step in steps[begins:ends]]
    assert "sleep" in inside and "wake" in inside
    held = 0
    for step in steps[:begins]:
        if step["class"] == "vm_map":
            held += {"acquire": 1, "release": -1}[step["action"]]
    assert held == (protocol == "backing")


@interpreted
def test_a_front_layer_to_be_made_shows_as_upgrade_and_downgrade():
    for answer in seen("DD", 1, needs_copy=True).values():
        actions = [step["action"] for step in answer["steps"]]
        assert actions.index("upgrade") < actions.index("downgrade")
        assert answer["counts"]["map_upgrade"] == answer["counts"]["map_downgrade"] == 1


def test_where_the_jit_is_on_the_answer_is_the_same(monkeypatch):
    there = seen("DV", None, heuristic=True)
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "0")
    assert seen("DV", None, heuristic=True) == there


@pytest.mark.parametrize(
    ("scene", "says"),
    [
        ({"layers": "DSD", "page": 2}, "the swap pager is not there yet"),
        ({"layers": "VD"}, "is no chain"),
        ({"layers": ""}, "is no chain"),
        ({"page": 2}, "--page 2 is no layer of 'DD'; choose 0 to 1, or none"),
        ({"paged_out": True}, "needs a page in a layer with a pager"),
        ({"needs_copy": True, "page": 0}, "the fault makes the front layer"),
        ({"protocol": "none"}, "no protocol 'none'"),
    ],
)
@pytest.mark.parametrize("jit", ["0", "1"])
def test_a_scene_that_cannot_be_is_refused(scene, says, jit, monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", jit)
    with pytest.raises(UsageError, match=says):
        seen(**scene)


def test_a_segment_without_a_table_of_steps_logs_none():
    """The place in the directory where the table would stand belongs to no other table."""
    others = [name for name in STRUCTS if name != "Step"]
    assert slot_of("Step") not in {slot_of(name) for name in others}
    mode = "controlled" if jit_off() else "counted"
    stage = Stage(Scene("D", None), "backing", mode)
    stage.segment.table("Step").capacity = 0
    stage.touch()
    assert stage.segment.table("Step").fresh == 0
