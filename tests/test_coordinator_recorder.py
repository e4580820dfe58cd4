"""What the recorder does when the file it writes to is full, or anything else goes wrong."""

import pytest
from conftest import make_segment

from vmconc.coordinator.recorder import Recorder, both_clocks
from vmconc.memory.ring import COUNTERS, EVENT_BYTES, record_event
from vmconc.memory.rings import lay_out_rings, ring_tables

EVENTS = 8


class Full:
    """A file that takes some bytes and then no more."""

    name = "cpu0"

    def __init__(self, room):
        self.room, self.taken = room, 0

    def write(self, data):
        if self.taken == self.room:
            raise OSError(28, "No space left on device")
        taken = min(len(data), self.room - self.taken)
        self.taken += taken
        return taken

    def close(self):
        pass


@pytest.fixture
def segment():
    made = make_segment(ring_tables(3, EVENTS), cpus=3)
    lay_out_rings(made, EVENTS, False)
    return made


def test_an_event_that_was_cut_by_a_full_disk_is_not_written(segment, tmp_path):
    with Recorder(segment, tmp_path, both_clocks()) as recorder:
        recorder.files[0].close()
        recorder.files[0] = Full(EVENT_BYTES + EVENT_BYTES // 2)
        for number in range(3):
            record_event(segment.nth("Cpu", 0), 4096, number, 1)
        recording = recorder.close()
    assert recording.events[0] == 3 and recording.unwritten[0] == 2 and "No space left" in recording.error


def test_what_does_not_fit_into_the_ring_is_counted_and_what_fits_is_in_the_file(segment, tmp_path):
    with Recorder(segment, tmp_path, both_clocks()) as recorder:
        recorder.closing.set()
        recorder.thread.join()
        for number in range(EVENTS + 3):
            record_event(segment.nth("Cpu", 1), 4096, number, 1)
        recording = recorder.close()
    assert (recording.events[1], recording.dropped[1]) == (EVENTS, 3)
    assert (tmp_path / "events" / "cpu1").stat().st_size == EVENTS * EVENT_BYTES
    assert len(recording.tables) > 3 and recording.tables["Counter"].capacity == COUNTERS
