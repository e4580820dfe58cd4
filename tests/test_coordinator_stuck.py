"""What is taken for stuck, and what is not, from hand-made shared state and a clock that the test sets."""

import pytest
from conftest import make_segment

from vmconc.coordinator import stuck
from vmconc.coordinator.options import RunOptions
from vmconc.coordinator.stuck import ASLEEP, CONFIRM, CYCLE, Stuck
from vmconc.locks.classes import SHARED, VM_PAGE
from vmconc.locks.cpu import STATE_BLOCKED, STATE_DONE, STATE_RUNNING
from vmconc.memory.segment import HEADER
from vmconc.vm.disk import DiskQueue  # noqa: F401  declares the struct
from vmconc.vm.ops import Op  # noqa: F401  declares the struct
from vmconc.vm.structs import PQ_FREE, PQ_SETS

SHORT, CONFIRMED, LONG = CONFIRM * 0.6, CONFIRM * 1.1, CYCLE * 1.1


class Scene:
    """Three CPUs that run, and a clock."""

    def __init__(self, monkeypatch):
        self.segment = make_segment({"VmPage": 4, "PageQueue": 2 * PQ_SETS, "Op": 1, "DiskQueue": 1}, cpus=3)
        self.now = 100.0
        monkeypatch.setattr(stuck.time, "monotonic", lambda: self.now)
        for index in range(3):
            cpu = self.segment.nth("Cpu", index)
            cpu.op, cpu.state = -1, STATE_RUNNING
        self.stuck = Stuck(self.segment, RunOptions(stall=10.0))

    def page(self, index):
        """Return the channel of a page."""
        return self.segment.nth("VmPage", index).busy.off

    def hold(self, cpu, index):
        """Let a CPU hold a page."""
        record = self.segment.nth("Cpu", cpu)
        record.held_lock[0], record.held_word[0], record.held_count = self.page(index), VM_PAGE * 2 + 1, 1

    def sleep(self, cpu, channel):
        """Let a CPU sleep."""
        record = self.segment.nth("Cpu", cpu)
        record.state, record.channel, record.wait_class, record.wait_mode = STATE_BLOCKED, channel, VM_PAGE, SHARED

    def after(self, seconds):
        """Look after some time."""
        self.now += seconds
        return self.stuck.look()


@pytest.fixture
def scene(monkeypatch):
    return Scene(monkeypatch)


def test_everybody_asleep_is_a_deadlock_once_it_is_confirmed(scene):
    for cpu in range(3):
        scene.sleep(cpu, scene.page(0))
    assert scene.after(0) == "" and scene.after(SHORT) == ""
    assert scene.after(CONFIRMED) == ASLEEP


def test_who_is_done_need_not_sleep_and_who_runs_is_waited_for(scene):
    scene.sleep(0, scene.page(0))
    scene.sleep(1, scene.page(0))
    assert scene.after(0) == scene.after(CONFIRMED) == ""
    scene.segment.nth("Cpu", 2).state = STATE_DONE
    assert scene.after(SHORT) == ASLEEP


def test_all_done_is_no_deadlock(scene):
    for cpu in range(3):
        scene.segment.nth("Cpu", cpu).state = STATE_DONE
    assert scene.after(0) == scene.after(CONFIRMED) == ""


@pytest.mark.parametrize("event", ["woken", "another wait", "answer of the disk"])
def test_what_happens_in_between_begins_the_time_anew(scene, event):
    for cpu in range(3):
        scene.sleep(cpu, scene.page(0))
    scene.after(0)
    cpu = scene.segment.nth("Cpu", 1)
    if event == "woken":
        cpu.channel = 0
    elif event == "another wait":
        cpu.progress += 1
    else:
        scene.segment.nth("DiskQueue", 0).inflight = 1
    assert scene.after(CONFIRMED) == ""
    cpu.channel, scene.segment.nth("DiskQueue", 0).inflight = scene.page(0), 0
    assert scene.after(SHORT) == ""
    assert scene.after(CONFIRMED) == ASLEEP


def test_waiting_for_a_frame_names_the_option(scene):
    scene.sleep(0, HEADER)
    scene.sleep(1, scene.page(0))
    scene.sleep(2, HEADER)
    scene.after(0)
    assert scene.after(CONFIRMED) == "out of memory: all 0 frames are in use, 2 CPUs wait for one; raise --frames"


def test_a_fault_that_needs_two_frames_waits_though_one_is_free(scene):
    for cpu in range(3):
        scene.sleep(cpu, HEADER)
    scene.segment.nth("PageQueue", PQ_FREE * PQ_SETS + 5).count = 1
    scene.segment.machine.frames = 4
    scene.after(0)
    assert scene.after(CONFIRMED) == "out of memory: 1 of 4 frames is free, 3 CPUs wait for more; raise --frames"


def test_a_cycle_is_found_while_others_run_and_use_the_disk(scene):
    for cpu in (0, 1):
        scene.hold(cpu, cpu)
        scene.sleep(cpu, scene.page(1 - cpu))
    runner, disk = scene.segment.nth("Cpu", 2), scene.segment.nth("DiskQueue", 0)
    disk.inflight = 1
    assert scene.after(0) == scene.after(CYCLE / 2) == ""
    runner.progress += 1
    assert scene.after(LONG) == "deadlock: cpu 0 waits for cpu 1 waits for cpu 0"


def test_long_sleepers_who_wait_for_a_runner_are_no_cycle(scene):
    scene.hold(2, 0)
    for cpu in (0, 1):
        scene.sleep(cpu, scene.page(0))
    assert scene.after(0) == scene.after(LONG) == ""


def test_a_cycle_of_which_one_cpu_has_just_come_to_sleep_is_looked_at_again(scene):
    """Locks may change hands while the records are read: only who has slept for long cannot have moved."""
    for cpu in (0, 1):
        scene.hold(cpu, cpu)
    scene.sleep(0, scene.page(1))
    scene.after(0)
    scene.sleep(1, scene.page(0))
    assert scene.after(LONG) == ""
    assert "cpu 0 waits for cpu 1" in scene.after(LONG)


def test_no_progress_is_a_stall(scene):
    assert scene.after(0) == scene.after(9.9) == ""
    assert "no progress for 10 s (--stall)" in scene.after(0.2)
