"""The mapping: nameless, checked, reachable by others only through /proc."""

import gc
import itertools
import os
import signal
import time
from pathlib import Path

import pytest
from conftest import MODE, make_segment
from helpers_memory import Node  # noqa: F401  declares the struct

from vmconc.memory import segment as module
from vmconc.memory.build import Build
from vmconc.memory.jit import jit_off
from vmconc.memory.segment import HEADER, MAGIC, SegmentError, Sizes, attach, check_slots, create, layout_digest
from vmconc.memory.struct import STRUCTS
from vmconc.memory.table import SLOTS, slot_of

BUILD = Build(MODE)


def proc_path(segment, pid="self") -> Path:
    """Return the path by which another process opens a segment."""
    return Path(f"/proc/{pid}/fd/{segment.fd}")


def test_header_and_places():
    """Tables stand one behind the other, aligned; the pool on a page; everything zero."""
    segment = make_segment({"Node": 5}, frames=4, seed=9)
    machine = segment.machine
    assert machine.off == HEADER and (machine.magic, machine.digest) == (MAGIC, layout_digest(segment.structs()))
    assert (machine.cpus, machine.seed, machine.frames) == (4, 9, 4)
    assert machine.pool % 4096 == 0 and machine.size == machine.pool + 4 * 4096 == os.fstat(segment.fd).st_size
    spans = []
    for name in ("Cpu", "SleepQueue", "Violation", "Node"):
        table = segment.table(name)
        assert table.first % 64 == 0 and table.stride == STRUCTS[name].stride and table.slot == slot_of(name)
        spans.append((table.first, table.first + table.capacity * table.stride))
    spans.sort()
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans)) and spans[-1][1] <= machine.pool
    assert not segment.frames().any() and not segment.view("Node")["number"].any()


def test_it_has_no_name():
    """No end of the run can leave it in /dev/shm: not even SIGKILL."""
    before = set(os.listdir("/dev/shm"))
    segment = make_segment()
    assert set(os.listdir("/dev/shm")) <= before
    assert "deleted" in os.readlink(f"/proc/self/fd/{segment.fd}")


def test_a_killed_process_leaves_nothing():
    """The kernel frees it with the last process."""
    before = set(os.listdir("/dev/shm"))
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            make_segment({"Node": 100}, frames=64)
            os.write(writer, b"x")
            time.sleep(30)
        finally:
            os._exit(1)
    try:
        os.close(writer)
        assert os.read(reader, 1) == b"x"
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reader)
    assert set(os.listdir("/dev/shm")) <= before


def test_another_directory(tmp_path):
    """`--dir`: same thing elsewhere, nameless too."""
    try:
        segment = create(Sizes({"Node": 1}, 1), BUILD, directory=tmp_path)
    except SegmentError as error:
        pytest.skip(str(error))
    segment.nth("Node", 0).number = 3
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("directory", ["/nonexistent/dir", "/proc"])
def test_no_such_directory(directory):
    """The message names the directory and the option."""
    with pytest.raises(SegmentError, match=f"{directory}.*--dir"):
        create(Sizes({"Node": 1}), BUILD, directory=Path(directory))


def test_too_big():
    """The message says how much there is, how much is needed and what to change."""
    with pytest.raises(
        SegmentError, match=r"/dev/shm has \d+ MiB free, \d+ MiB needed; use fewer --frames or another --dir"
    ):
        create(Sizes({"Node": 1}, 1 << 32), BUILD)


def test_index_beyond_the_table():
    """`nth` names the table, the index and the size."""
    segment = make_segment({"Node": 3})
    for index in (3, -1):
        with pytest.raises(IndexError, match=f"Node {index} of 3"):
            segment.nth("Node", index)


def test_two_structs_of_one_table_number_are_refused():
    """Found at once and by name."""
    names = {}
    for i in range(SLOTS + 1):
        other = names.setdefault(slot_of(f"Struct{i}"), f"Struct{i}")
        if other != f"Struct{i}":
            with pytest.raises(SegmentError, match=f"{other} and Struct{i} share table number"):
                check_slots({other: 1, f"Struct{i}": 1})
            return


def test_attach_from_another_process():
    """Through /proc/PID/fd/N, at another address; both see each other's stores."""
    segment = make_segment({"Node": 2})
    segment.nth("Node", 1).number = 41
    parent, (reader, writer) = os.getpid(), os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            other = attach(proc_path(segment, parent), BUILD)
            ok = other.memory.base != segment.memory.base and other.nth("Node", 1).number == 41
            other.nth("Node", 1).number += 1
            os.write(writer, b"1" if ok else b"0")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reader, 1) == b"1" and segment.nth("Node", 1).number == 42
    os.close(reader)
    os.close(writer)


def test_attach_in_the_same_process_is_another_mapping_of_the_same_file():
    """Offsets mean the same in both."""
    segment = make_segment({"Node": 1})
    other = attach(proc_path(segment), BUILD)
    other.nth("Node", 0).number = 7
    assert segment.nth("Node", 0).number == 7 and other.memory.base != segment.memory.base


@pytest.mark.parametrize("field", ["magic", "digest"])
def test_attach_refuses_another_layout(field):
    """Never read one layout as another."""
    segment = make_segment()
    setattr(segment.machine, field, getattr(segment.machine, field) ^ 1)
    with pytest.raises(SegmentError, match="no segment of this version"):
        attach(proc_path(segment), BUILD)


def test_a_process_that_knows_more_structs_can_attach(monkeypatch):
    """Only the declarations of what the mapping holds must be the same: one of them changed is another layout."""
    segment = make_segment({"Node": 1})
    node = STRUCTS["Node"]
    other = type(node)("Other", node.doc, node.fields, node.stride)
    monkeypatch.setitem(STRUCTS, "Other", other)
    assert attach(proc_path(segment), BUILD).structs() == segment.structs()
    fewer = dict(list(node.fields.items())[:-1])
    monkeypatch.setitem(STRUCTS, "Node", type(node)("Node", node.doc, fewer, node.stride))
    with pytest.raises(SegmentError, match="no segment of this version"):
        attach(proc_path(segment), BUILD)


def test_attach_refuses_what_is_not_there(tmp_path):
    """A path that does not open."""
    with pytest.raises(SegmentError, match="cannot open"):
        attach(tmp_path / "nothing", BUILD)


@pytest.mark.parametrize("size", [0, 100, 4096, 1 << 16])
def test_attach_refuses_a_file_that_is_none_of_ours(tmp_path, size):
    """Empty, shorter than the header, exactly up to it, full of zeros: always the same error."""
    path = tmp_path / "file"
    path.write_bytes(bytes(size))
    with pytest.raises(SegmentError, match=str(path)):
        attach(path, BUILD)


def test_attach_refuses_a_truncated_segment(tmp_path):
    """The header says more than the file has."""
    segment = make_segment({"Node": 1}, frames=1)
    path = tmp_path / "cut"
    path.write_bytes(bytes(segment.map[: segment.machine.pool]))
    with pytest.raises(SegmentError):
        attach(path, BUILD)


@pytest.mark.skipif(not jit_off(), reason="only with the JIT off")
@pytest.mark.parametrize("mode", ["off", "counted"])
def test_jit_off_runs_only_controlled(mode):
    """Python bodies are atomic only while one CPU runs at a time."""
    with pytest.raises(SegmentError, match="needs the JIT; with NUMBA_DISABLE_JIT=1 only 'controlled' runs"):
        create(Sizes({"Node": 1}), Build(mode))


def test_a_dropped_segment_gives_its_memory_back():
    """A coordinator that makes many (explore, tests) must not run out of files or of /dev/shm."""

    def open_files() -> int:
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    make_segment()
    before = open_files()
    for _ in range(20):
        make_segment()
    assert open_files() <= before + 2


def test_a_failed_create_leaves_no_file_open(monkeypatch):
    """The error path closes what it opened."""
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(SegmentError):
        create(Sizes({"Node": 1}, 1 << 32), BUILD)

    def refuse(*_args):
        raise OSError("no")

    monkeypatch.setattr(module.mmap, "mmap", refuse)
    with pytest.raises(SegmentError):
        create(Sizes({"Node": 1}), BUILD)
    assert len(os.listdir("/proc/self/fd")) == before
