"""Reports name CPUs, locks, modes, sites, operations and cycles, from hand-made shared state."""

import pytest
from conftest import make_segment

from vmconc.checks.held import cpu_state, held_by
from vmconc.checks.places import place
from vmconc.checks.violations import inline_violations
from vmconc.coordinator import deadlock
from vmconc.coordinator.wait_graph import say
from vmconc.locks.classes import CHAIN, EXCLUSIVE, SHARED, VM_MAP, VM_OBJECT
from vmconc.locks.cpu import STATE_BLOCKED, STATE_RUNNING
from vmconc.locks.rounds import Thread  # noqa: F401  declares the struct
from vmconc.locks.rules import LOCK_ORDER, TABLE_FULL, broken
from vmconc.locks.sites import site
from vmconc.memory.segment import HEADER
from vmconc.memory.table import slot_of
from vmconc.vm.opcodes import TOUCH, TOUCH_WRITE
from vmconc.vm.ops import Lwp, Op  # noqa: F401  declares the structs
from vmconc.vm.structs import VmObject  # noqa: F401

LOOKUP = site("test.lookup")
WAITING = site("test.waiting")
NOW = 100_000_000_000


@pytest.fixture
def segment(monkeypatch):
    """A machine of three CPUs with objects, operations and LWPs; CPU 0 has slept for 5 s, CPU 1 for 4, CPU 2 for 3."""
    monkeypatch.setattr(deadlock.time, "monotonic_ns", lambda: NOW)
    made = make_segment({"VmObject": 4, "Op": 4, "Lwp": 3, "RadixNode": 1, "Thread": 3}, cpus=3)
    for index in range(3):
        made.nth("Cpu", index).op = made.nth("Cpu", index).lwp = -1
        made.nth("Lwp", index).cpu = index
    return made


def lock_of(segment, index, name="token"):
    """Return the offset of an object's lock."""
    return getattr(segment.nth("VmObject", index), name).off


def hold(segment, cpu, lock, cls=VM_OBJECT, mode=EXCLUSIVE):
    """Let a CPU hold a lock."""
    record = segment.nth("Cpu", cpu)
    n = record.held_count
    record.held_lock[n], record.held_word[n] = lock, LOOKUP << 8 | cls * 2 + mode
    record.held_count = n + 1
    record.state = STATE_RUNNING


def sleep_on(segment, cpu, channel, cls=VM_OBJECT):
    """Let a CPU wait."""
    record = segment.nth("Cpu", cpu)
    record.state, record.channel, record.reason = STATE_BLOCKED, channel, WAITING
    record.wait_class, record.wait_mode = cls, SHARED
    record.wait_since = NOW - (5 - cpu) * 1_000_000_000


def test_places_are_named_by_table_index_and_field(segment):
    assert place(segment, lock_of(segment, 2)) == "VmObject 2 token"
    assert place(segment, segment.nth("VmObject", 1).off) == "VmObject 1"
    assert place(segment, segment.nth("VmObject", 3).off + 64) != ""
    assert place(segment, 0) == "nothing"
    assert place(segment, HEADER) == "the machine"
    assert place(segment, 8) == "offset 0x8"


def test_a_cycle_is_found_and_written(segment):
    for cpu in range(3):
        hold(segment, cpu, lock_of(segment, cpu, "chain"), CHAIN)
        sleep_on(segment, cpu, lock_of(segment, (cpu + 1) % 3, "chain"), CHAIN)
    described = deadlock.describe(segment)
    assert sorted(described["cycle"]) == [0, 1, 2]
    lines = say(described)
    assert lines[0] == "cycle of 3: cpu 0 waits for cpu 1 waits for cpu 2 waits for cpu 0"
    assert lines[1] == (
        "cpu 0 -- waits 5 s --> VmObject 1 chain (chain shared at test.waiting) "
        "-- held by --> cpu 1 (exclusive, at test.lookup, for 4 s or longer)   in the cycle"
    )
    assert lines[4] == "cpu 0 blocked; holds chain VmObject 0 chain exclusive (test.lookup)"


def test_who_waits_behind_a_cycle_is_told_together_and_who_runs_is_not_said_to_have_held(segment):
    for cpu in (0, 1):
        hold(segment, cpu, lock_of(segment, cpu, "chain"), CHAIN)
    sleep_on(segment, 0, lock_of(segment, 1, "chain"), CHAIN)
    lines = say(deadlock.describe(segment))
    assert lines[0] == "no cycle: nobody who waits is waited for by those whom it waits for"
    assert lines[1].endswith("-- held by --> cpu 1 (exclusive, at test.lookup)")
    sleep_on(segment, 1, lock_of(segment, 0, "chain"), CHAIN)
    sleep_on(segment, 2, lock_of(segment, 0, "chain"), CHAIN)
    described = deadlock.describe(segment)
    assert (sorted(described["cycle"]), described["victims"]) == ([0, 1], [2])
    lines = say(described)
    assert lines[1] == "behind the cycle: cpu 2"
    assert lines[4].startswith("cpu 2 -- waits ") and lines[4].endswith("   behind the cycle")


def test_those_who_wait_for_the_same_are_on_one_line_and_what_nobody_holds_is_up_to_nobody_known(segment):
    hold(segment, 2, lock_of(segment, 1, "chain"), CHAIN)
    for cpu in (0, 1):
        sleep_on(segment, cpu, lock_of(segment, 1, "chain"), CHAIN)
    lines = say(deadlock.describe(segment))
    assert lines[1].startswith("cpu 0, cpu 1 -- wait 5 s --> VmObject 1 chain") and len(lines) == 2 + 3
    segment.nth("Cpu", 2).held_count = 0
    assert say(deadlock.describe(segment))[1].endswith("-- up to --> nobody known")


def test_nothing_is_said_of_waits_when_nobody_waits(segment):
    hold(segment, 0, lock_of(segment, 1))
    assert [line.split(";")[0] for line in say(deadlock.describe(segment))] == [
        "cpu 0 running", "cpu 1 idle", "cpu 2 idle",
    ]  # fmt: skip


def test_waiting_for_an_lwp_is_waiting_for_its_cpu(segment):
    sleep_on(segment, 0, segment.nth("Lwp", 2).off)
    edges = deadlock.describe(segment)["wait_for"]
    assert [(edge["from"], edge["to"]) for edge in edges] == [(0, 2)]


def test_who_joins_a_thread_waits_for_its_cpu_and_may_be_in_a_cycle(segment):
    hold(segment, 0, lock_of(segment, 1, "chain"), CHAIN)
    sleep_on(segment, 0, segment.nth("Thread", 2).off)
    sleep_on(segment, 2, lock_of(segment, 1, "chain"), CHAIN)
    described = deadlock.describe(segment)
    assert sorted(described["cycle"]) == [0, 2]
    assert say(described)[1].endswith("-- up to --> cpu 2   in the cycle")


def test_a_sleeping_cpu_has_given_its_tokens_up(segment):
    """CPU 0 waits for a token that is on the stack of CPU 1, which sleeps, and of CPU 2, which runs and so has it."""
    hold(segment, 0, lock_of(segment, 1))
    for cpu in (1, 2):
        hold(segment, cpu, lock_of(segment, 0))
    sleep_on(segment, 0, lock_of(segment, 0))
    sleep_on(segment, 1, lock_of(segment, 1))
    described = deadlock.describe(segment)
    assert [(edge["from"], edge["to"]) for edge in described["wait_for"]] == [(0, 2)] and described["cycle"] == []


def test_holders_in_shared_mode_are_all_named(segment):
    for cpu in (0, 2):
        hold(segment, cpu, lock_of(segment, 1), mode=SHARED)
    assert held_by(segment, lock_of(segment, 1)) == [0, 2]


def test_a_violation_names_everything(segment):
    op = segment.nth("Op", 1)
    op.kind, op.va, op.flags, op.lwp, op.stamp = TOUCH, 0x7000, TOUCH_WRITE, 2, 42
    hold(segment, 1, lock_of(segment, 3), VM_MAP, SHARED)
    cpu = segment.nth("Cpu", 1)
    cpu.op, cpu.lwp = 1, 2
    segment.machine.seed = 99
    broken(cpu, LOCK_ORDER, lock_of(segment, 0), 5, 6)
    (found,) = inline_violations(segment)
    assert (found["rule"], found["cpu"], found["lwp"], found["seed"]) == ("lock-order", 1, 2, 99)
    assert found["operation"] == {"index": 41, "kind": "write", "va": "0x7000", "lwp": 2}
    assert found["subject"] == "VmObject 0 token"
    assert (found["expected"], found["found"]) == (5, 6)
    assert found["held"] == [
        {"class": "vm_map", "instance": "VmObject 3 token", "mode": "shared", "site": "test.lookup"}
    ]
    for word in ("lock-order", "cpu 1", "lwp 2", "write 0x7000", "seed 99", "\n"):
        assert (word in found["text"]) == (word != "\n")


def test_a_full_table_is_named_with_the_option_that_raises_it(segment):
    broken(segment.nth("Cpu", 0), TABLE_FULL, slot_of("VmObject"), 4, 4)
    (found,) = inline_violations(segment)
    assert found["subject"] == "table VmObject of 4 records is full, raise --table objects"


def test_more_violations_than_are_kept_do_no_harm(segment):
    for _ in range(100):
        broken(segment.nth("Cpu", 0), LOCK_ORDER, 0, 0, 0)
    assert len(inline_violations(segment)) == 64
    assert segment.machine.violations == 100


def test_an_idle_cpu_is_described(segment):
    state = cpu_state(segment, 0)
    assert state["operation"]["index"] == -1 and state["held"] == [] and state["waits_for"] is None
