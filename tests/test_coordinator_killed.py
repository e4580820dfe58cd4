"""A coordinator that is killed while it records: what is read of the run, and that nothing of it lives on."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from conftest import SHM, make_segment
from helpers_runs import alive, await_gone, start_command

from vmconc.analysis.check import check_run
from vmconc.analysis.events import EVENT, load
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.coordinator.recorder import both_clocks, recorder_of
from vmconc.coordinator.rundir import RunDirectory, is_live
from vmconc.memory.build import Build
from vmconc.memory.ring import EVENT_BYTES, record_event
from vmconc.memory.rings import lay_out_rings, ring_tables
from vmconc.memory.segment import Segment
from vmconc.program.programs import lock_program

RING = 1 << 16  # events: more than are written until a run here is killed, so all of them are still there to compare
KNOWN = {"program": "counting", "threads": 2, "mode": "recorded", "run_dir": "", "options": {}}


def await_events(folder, events, going, seconds=120):
    """Wait until there are files of two CPUs with so many events each; `going` tells whether these can still come."""
    deadline = time.monotonic() + seconds
    while not all((size_of(folder / "events" / f"cpu{cpu}")) >= events * EVENT_BYTES for cpu in (0, 1)):
        assert going() and time.monotonic() < deadline, "the events did not come"
        time.sleep(0.002)


def size_of(file):
    return file.stat().st_size if file.exists() else 0


def is_prefix(segment, events, cpu):
    """Tell whether the events that were read of a CPU are the first of those it wrote, as its ring still has them."""
    ring = segment.nth("Ring", cpu)
    written = ring.written // EVENT_BYTES
    own = events.raw[events.first[cpu] : events.first[cpu + 1]]
    first = max(0, written - ring.size // EVENT_BYTES)  # that is not written over
    places = np.arange(first, len(own)) % (ring.size // EVENT_BYTES)
    there = np.frombuffer(segment.map, EVENT, ring.size // EVENT_BYTES, ring.first)[places]
    return first < len(own) <= written and bool((there == own[first:]).all())


def record_until_killed(segment, runs):
    """Be a coordinator that records two CPUs, which count, and is never told to end."""
    directory = RunDirectory(runs, "counting")
    with recorder_of(segment, directory, "recorded", both_clocks(), lambda: KNOWN):
        for number in range(RING):
            for cpu in (0, 1):
                record_event(segment.nth("Cpu", cpu), 4096, number, 1)
        while True:
            signal.pause()


def test_what_a_killed_recorder_wrote_is_the_beginning_of_what_each_cpu_did(tmp_path):
    segment = make_segment(ring_tables(2, RING), cpus=2)
    lay_out_rings(segment, RING, False)
    pid = os.fork()
    if pid == 0:
        record_until_killed(segment, tmp_path)
    try:
        while not (runs := [path.parent for path in tmp_path.glob("*/events")]):
            assert alive(pid)
        await_events(runs[0], 50, lambda: alive(pid))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    events = load(runs[0])
    assert all(is_prefix(segment, events, cpu) for cpu in (0, 1))
    begun, late = events.run["recording"]["nanoseconds"]
    assert events.cpus == 2 and late > begun and events.unended and not is_live(runs[0])
    times = events.nanoseconds(events.raw["time"])
    assert times.min() >= 0 and times.max() < (time.monotonic_ns() - begun) * 1.01


@pytest.fixture
def killed(tmp_path):
    """Kill a run of a program about locks while its threads lock; return its directory and the mapping that was its."""
    before = set(SHM.iterdir())
    process = start_command(
        tmp_path, "run", lock_program("dining"), "--mode", "recorded", "--rounds", "100000000", "--set", "fixed=1",
        "--ring", str(RING),
    )  # fmt: skip
    children = []
    try:
        while not (live := list(tmp_path.glob("runs/*/live.json"))):
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        await_events(live[0].parent, 1000, lambda: process.poll() is None)
        found = json.loads(live[0].read_text())
        fd = os.open(found["path"], os.O_RDWR)  # not by `attach`: the tests' own structs change this process's digest
        segment = Segment(fd, os.fstat(fd).st_size, Build(found["mode"], found["protocol"]))
        children = [child.pid for child in psutil.Process(process.pid).children()]
        assert len(children) >= 2
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert await_gone(children), "a worker outlived its coordinator"
    assert {path for path in set(SHM.iterdir()) - before if "vmconc" in path.name or "sem." in path.name} == set()
    return live[0].parent, segment


@pytest.mark.parallel
def test_a_run_whose_coordinator_was_killed_is_read_and_checked(killed, capsys):
    path, segment = killed
    events = load(Path(path))
    assert all(is_prefix(segment, events, cpu) for cpu in range(events.cpus))
    checked = check_run(path)
    assert checked.rules and not checked.broken
    assert any("lost-wakeup" in line for line in checked.not_checked) and "lost-wakeup" not in checked.rules
    for command in ("check", "report", "timeline", "html", "blame", "order", "heat"):
        assert guarded(app, [command, str(path)]) == 0
        assert capsys.readouterr().err.count("this run did not end") == 1
