"""Data races of the machine's records: what orders two accesses, what need not be ordered, and who is silent."""

import pytest
from helpers_bugs import find

from vmconc.checks.violations import inline_violations
from vmconc.explore.failure import failure_of
from vmconc.explore.target import OF_BUG, Target, make
from vmconc.locks.classes import EXCLUSIVE, PAGE_SPIN, VM_OBJECT
from vmconc.locks.exhaust import give_record, take_record
from vmconc.locks.sites import site
from vmconc.locks.spin import spin_lock, spin_unlock
from vmconc.locks.token import give_up_tokens, reown_tokens, token_get, token_release
from vmconc.memory.atomics import atomic_or
from vmconc.memory.jit import jit_off
from vmconc.memory.refs import at
from vmconc.memory.table import record, table
from vmconc.schedule.engine import pass_point
from vmconc.schedule.records import FINISHED
from vmconc.schedule.strategies import UNIFORM

pytestmark = pytest.mark.skipif(not jit_off(), reason="a build of its own: 40 s to compile")
SITE = site("test.race")
MANY = 60
NUMBER = 7  # of a page that is free and of an object that was never made: no guard of theirs holds


def page(cpu):
    """Return the page that they access."""
    return record(cpu, "VmPage", NUMBER)


def write_index(cpu):
    page(cpu).pindex = 1


def write_valid(cpu):
    page(cpu).valid = 1


def peek_valid(cpu):
    assert page(cpu).valid >= 0


def set_flags(cpu):
    atomic_or(page(cpu), "flags", 1)


def hand_over(cpu):
    write_index(cpu)
    set_flags(cpu)


def take_over(cpu):
    if atomic_or(page(cpu), "flags", 0) != 0:
        write_index(cpu)


def look_and_take(cpu):
    """The look is a plain one, which orders nothing."""
    if page(cpu).flags != 0:
        write_index(cpu)


def write_spinning(cpu):
    spin_lock(cpu, page(cpu).spin, PAGE_SPIN, SITE)
    write_index(cpu)
    spin_unlock(cpu, page(cpu).spin, PAGE_SPIN)


def write_owning(cpu):
    """Twice, and between the token is given up, as in a sleep."""
    token = record(cpu, "VmObject", NUMBER).token
    token_get(cpu, token, EXCLUSIVE, SITE)
    write_index(cpu)
    give_up_tokens(cpu, cpu.token_count)
    pass_point(cpu, 0)
    reown_tokens(cpu)
    write_index(cpu)
    token_release(cpu, token)


def use_records(cpu):
    """More often than there are records, so that they are used again."""
    for _ in range(3):
        used = at(cpu, "PvEntry", take_record(cpu, table(cpu, "PvEntry")))
        used.va = 1
        give_record(cpu, table(cpu, "PvEntry"), used.off)
        pass_point(cpu, 0)


RIGHT = [
    (write_spinning, write_spinning), (write_owning, write_owning), (use_records, use_records), (set_flags, set_flags),
    (write_valid, peek_valid), (hand_over, take_over), (write_valid, write_index),
]  # fmt: skip
WRONG = [
    (write_index, write_index), (write_spinning, write_index), (write_owning, write_spinning),
    (write_valid, write_valid), (hand_over, look_and_take),
]  # fmt: skip


def explored(one, other):
    """Return a machine on which two CPUs have done this, in some orders, up to the first that breaks a rule."""
    lab = make(Target(OF_BUG + "B28", "backing", 2, points="accesses", races=True))
    for index, body in enumerate((one, other)):
        lab.bind(index, body)
    records = lab.segment.table("PvEntry")
    records.capacity, records.batch, records.spare = 2, 1, 0
    lab.segment.nth("VmObject", NUMBER).token.cls = VM_OBJECT
    lab.segment.memory.notes.take_copy()
    lab.engine.strategy = UNIFORM
    while lab.engine.ended == FINISHED and lab.engine.executions < MANY:
        lab.run(MANY - lab.engine.executions)
    return lab


@pytest.mark.parametrize(("one", "other"), RIGHT, ids=lambda body: body.__name__)
def test_nothing_is_said_of_what_is_ordered_or_need_not_be(one, other):
    lab = explored(one, other)
    assert inline_violations(lab.segment) == []
    assert lab.engine.ended == FINISHED and lab.engine.executions == MANY


@pytest.mark.parametrize(("one", "other"), WRONG, ids=lambda body: body.__name__)
def test_a_race_is_found(one, other):
    [found] = inline_violations(explored(one, other).segment)
    assert (found["rule"], {access["cpu"] for access in found["accesses"]}) == ("data-race", {0, 1})


def test_both_accesses_are_told():
    """Which record and field, who, how, where, and what was held."""
    lab = explored(write_spinning, write_index)
    [said] = failure_of(lab).lines
    assert f"VmPage {NUMBER} pindex is written by cpu" in said and said.count("test_explore_machine_races.py:") == 2
    assert f"VmPage {NUMBER} spin exclusive (test.race)" in said and "holding nothing" in said


PROGRAMS = {
    "shared_text": {"spaces": "3", "pages": "2", "rounds": "2"},
    "hot_page": {"pages": "2", "touches": "6", "writes": "50", "refault": "3"},
    "cow_fan": {"children": "2", "pages": "4", "between": "2", "rounds": "1"},
}


@pytest.mark.parametrize("protocol", ["backing", "chained"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_protocols_are_silent(program, protocol):
    lab = make(Target(program, protocol, 3, options=PROGRAMS[program], points="accesses", races=True))
    assert find(lab, protocol, 3) == (3, []) and not lab.engine.crowded
