"""Accesses to the machine's shared records as steps, and what is checked at each of them."""

import pytest
from helpers_bugs import find

from vmconc.checks.places import path
from vmconc.explore.bugs import BUGS
from vmconc.explore.failure import failure_of
from vmconc.explore.guards import CHECKED, LOCKS, NO_SECOND, UNCHECKED, rules_of
from vmconc.explore.meaning import step_of
from vmconc.explore.session import Artifact, replay
from vmconc.explore.target import OF_BUG, Target, make
from vmconc.memory.jit import jit_off
from vmconc.memory.struct import STRUCTS, WORD_BYTES
from vmconc.schedule.records import FINISHED
from vmconc.schedule.steps import STEP_LOAD, STEP_STORE
from vmconc.vm.guards import FROZEN

interpreted = pytest.mark.skipif(not jit_off(), reason="a build of its own: 40 s to compile")


def target_of(name, protocol, points="accesses", bugs=()):
    """Return the program of a bug as something to explore."""
    bug = BUGS[name]
    return Target(OF_BUG + name, protocol, bug.cpus, bugs=list(bugs), io_errors=bug.io_errors, points=points)


@interpreted
@pytest.mark.parametrize("protocol", ["backing", "chained"])
def test_accesses_are_steps_between_which_others_run(protocol):
    labs = {points: make(target_of("B28", protocol, points), watched=True) for points in ("locks", "accesses")}
    for lab in labs.values():
        lab.run(1)
        assert lab.engine.ended == FINISHED
    assert labs["accesses"].engine.steps > 5 * labs["locks"].engine.steps
    actions = {points: lab.segment.view("Step")["action"].tolist() for points, lab in labs.items()}
    assert not {STEP_LOAD, STEP_STORE} & set(actions["locks"])
    assert {STEP_LOAD, STEP_STORE} <= set(actions["accesses"])


@interpreted
def test_a_failure_between_accesses_is_replayed_from_its_artifact():
    target = target_of("B24", "chained", bugs=["B24"])
    lab = make(target)
    find(lab, "chained", 200)
    failure = failure_of(lab)
    replayed = replay(Artifact(target, failure, ""))
    assert replayed.reproduced and replayed.diverged == 0
    assert replayed.failure.rule == BUGS["B24"].rule and replayed.failure.turns == failure.turns


EARLIER = [("B2", "chained", "guarded-by"), ("B13", "backing", "guarded-by")]


@interpreted
@pytest.mark.parametrize(("name", "protocol", "rule"), EARLIER, ids=[row[0] for row in EARLIER])
def test_a_bug_is_found_by_an_access_before_it_does_harm(name, protocol, rule):
    """Those that the catalogue shows by what comes of them; the protocol without them is silent on its program."""
    lab = make(target_of(name, protocol, bugs=[name]))
    assert find(lab, protocol, 200)[1] == [rule]
    lab = make(target_of(name, protocol))
    assert find(lab, protocol, 8) == (8, [])


@interpreted
def test_a_violation_says_which_guard_was_missing():
    lab = make(target_of("B70", "chained", bugs=["B70"]))
    find(lab, "chained", 1)
    found = failure_of(lab).lines[0]
    assert "backing_object: expected token, chain, found read without" in found


@pytest.mark.slow
@pytest.mark.skipif(jit_off(), reason="the same interpreted is in test_explore_bugs.py")
def test_compiled_a_build_checks_its_accesses():
    """One build for both: B45 changes nothing but madvise, so other programs are as without it."""
    lab = make(target_of("B28", "backing", bugs=["B45"]))
    assert find(lab, "backing", 300) == (300, [])
    lab = make(target_of("B45", "backing", bugs=["B45"]))
    assert find(lab, "backing", 100)[1] == ["guarded-by"]


def words(table):
    """Return the fields of the words of a table's records, for those that have a guard, with it."""
    rules = rules_of(table, table)
    assert len(rules) * WORD_BYTES == STRUCTS[table].stride
    return {
        " ".join(path(table, i * WORD_BYTES)): rule for i, rule in enumerate(rules) if rule != (UNCHECKED, NO_SECOND)
    }


@pytest.mark.parametrize("table", CHECKED)
def test_every_declared_guard_of_a_checked_record_is_known(table):
    assert words(table)


def test_guards_are_those_of_the_declarations():
    token, chain = LOCKS["VmObject", "token"], LOCKS["VmObject", "chain"]
    of_object = words("VmObject")
    assert of_object["backing_object"] == (token, chain) and of_object["size"] == (token, NO_SECOND)
    assert of_object["pages height"] == (token, NO_SECOND) and "vnode" not in of_object  # const
    assert words("VmMapEntry")["ba"] != words("Backing")["object"]  # a head belongs to its map, others are set in stone
    assert words("Backing")["object"][0][0] == FROZEN


def test_what_a_step_was_is_said():
    said = [
        step_of(Target("x", protocol, points=points))
        for protocol, points in (("", "locks"), ("backing", "locks"), ("backing", "accesses"))
    ]
    assert "@shared" in said[0] and "--points accesses" in said[1] and "shared records" in said[2]
