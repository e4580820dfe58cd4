"""Made-up files hold what the oracle expects; real files are read, never written; the disk is slow when told."""

import os
import struct

import numpy as np
import pytest

from vmconc.coordinator.disk import IO_ERROR, READ, WRITE, Disk, DiskOptions, Storage
from vmconc.coordinator.files import PAGE_SIZE, open_files, touched_pages
from vmconc.program.builder import PlanBuilder
from vmconc.program.plan import file_word
from vmconc.vm.opcodes import MAP_SHARED, PROT_READ, PROT_WRITE

BASE = 0x4000_0000


def plan_with_file(pages=10, touched=(0, 3, 4, 12), path=""):
    """A program that maps a file from its page 2 on and touches some pages."""
    build = PlanBuilder("files")
    lwp = build.spawn()
    file = build.file("data", pages, path)
    build.mmap(lwp, BASE, 16 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 2 * PAGE_SIZE)
    for page in touched:
        build.touch(lwp, BASE + page * PAGE_SIZE)
    return build


def read_word(fd, page, word):
    return struct.unpack("<q", os.pread(fd, 8, page * PAGE_SIZE + word * 8))[0]


def test_touched_pages_of_a_made_up_file_hold_its_words(tmp_path):
    plan = plan_with_file().finish()
    files = open_files(plan, tmp_path)
    try:
        assert touched_pages(plan) == {0: {2, 5, 6, 14}}
        for page in (2, 5, 6):
            assert [read_word(files.fds[0], page, w) for w in (0, 1, 511)] == [
                file_word(0, page, w) for w in (0, 1, 511)
            ]
        assert read_word(files.fds[0], 3, 0) == 0  # nobody touches it: a hole
        assert os.fstat(files.fds[0]).st_size == 10 * PAGE_SIZE
        assert list(tmp_path.iterdir()) == []  # nameless: nothing to clean up
    finally:
        files.close()


def test_a_moved_mapping_reaches_the_same_pages():
    build = plan_with_file(touched=())
    build.mremap(0, BASE + 4 * PAGE_SIZE, 4 * PAGE_SIZE, 2 * BASE, 4 * PAGE_SIZE)
    build.touch(0, 2 * BASE + PAGE_SIZE)
    assert touched_pages(build.finish()) == {0: {7}}


def test_a_real_file_is_used_and_never_written(tmp_path):
    real = tmp_path / "real"
    real.write_bytes(b"x" * PAGE_SIZE * 2)
    plan = plan_with_file(pages=2, touched=(), path=str(real)).finish()
    files = open_files(plan, tmp_path)
    storage = Storage(files, tmp_path)
    frame = memoryview(bytearray(PAGE_SIZE))
    storage.read(0, 1, frame)
    assert bytes(frame) == b"x" * PAGE_SIZE
    storage.write(0, 1, memoryview(bytearray(b"y" * PAGE_SIZE)))
    storage.read(0, 1, frame)
    assert bytes(frame) == b"y" * PAGE_SIZE
    assert real.read_bytes() == b"x" * PAGE_SIZE * 2
    files.close()


def test_what_lies_past_the_end_of_a_file_is_zero(tmp_path):
    real = tmp_path / "short"
    real.write_bytes(b"x" * (PAGE_SIZE + 100))
    files = open_files(plan_with_file(touched=(), path=str(real)).finish(), tmp_path)
    frame = memoryview(bytearray(b"z" * PAGE_SIZE))
    Storage(files, tmp_path).read(0, 1, frame)
    assert bytes(frame) == b"x" * 100 + bytes(PAGE_SIZE - 100)
    Storage(files, tmp_path).read(0, 7, frame)
    assert bytes(frame) == bytes(PAGE_SIZE)
    files.close()


class FakeRequest:
    """An IoRequest."""

    def __init__(self, kind=READ, file=0, page=2, frame=0):
        self.kind, self.file, self.page, self.frame = kind, file, page, frame


class FakeSegment:
    """A mapping with one frame."""

    def __init__(self, request):
        self.map, self.request = bytearray(PAGE_SIZE), request

    def ref(self, name, offset):
        return self.request


@pytest.fixture
def disk(tmp_path):
    """Return a maker of disks over one made-up file."""
    files = open_files(plan_with_file().finish(), tmp_path)
    yield lambda request=None, **options: Disk(
        FakeSegment(request or FakeRequest()), Storage(files, tmp_path), DiskOptions(**options)
    )
    files.close()


def test_a_page_is_read_straight_into_its_frame(disk):
    reader = disk()
    assert reader.transfer(64) == 0
    assert np.frombuffer(reader.segment.map, "<i8")[5] == file_word(0, 2, 5)


def test_latency_delays_each_and_lets_several_be_in_flight(disk):
    slow = disk(latency=1000)
    for now, request in ((0, 8), (10, 16), (20, 24)):
        slow.accept(request, now)
    assert slow.patience(500) == 500
    assert slow.next_due(999) == 0
    assert [slow.next_due(1015) for _ in range(3)] == [8, 16, 0]
    assert slow.next_due(1020) == 24


def test_bandwidth_serves_one_after_the_other(disk):
    slow = disk(bandwidth=PAGE_SIZE / 1e-6)  # a microsecond a page
    for request in (8, 16, 24):
        slow.accept(request, 0)
    assert [due for due, _, _ in sorted(slow.due)] == [1000, 2000, 3000]


def test_every_transfer_fails_at_error_rate_one_and_leaves_the_frame_alone(disk):
    bad = disk(error_rate=1.0)
    assert bad.transfer(64) == IO_ERROR
    assert bytes(bad.segment.map) == bytes(PAGE_SIZE)


def test_errors_are_the_same_for_the_same_seed(disk):
    outcomes = [[disk(error_rate=0.5, seed=7).transfer(64) for _ in range(1)] for _ in range(3)]
    assert outcomes[0] == outcomes[1] == outcomes[2]
    one = disk(error_rate=0.5, seed=7)
    seen = {one.transfer(64) for _ in range(64)}
    assert seen == {0, IO_ERROR}


def test_a_bad_file_number_is_an_error_not_a_crash(disk):
    broken = disk(FakeRequest(page=-5))
    assert broken.transfer(64) == IO_ERROR


def test_written_pages_come_back(disk):
    writer = disk(FakeRequest(WRITE))
    writer.segment.map[:8] = b"12345678"
    assert writer.transfer(64) == 0
    writer.segment.request = FakeRequest(READ)
    writer.segment.map[:8] = bytes(8)
    assert writer.transfer(64) == 0
    assert bytes(writer.segment.map[:8]) == b"12345678"
