"""The compact file gives back exactly what was saved, or says what is wrong."""

from pathlib import Path

import numpy as np
import pytest

from vmconc.traces import TraceError, builtin, compact, open_trace
from vmconc.vm import opcodes as op

DATA = Path(__file__).parent / "data"


def test_a_built_in_trace_is_its_original():
    ours, original = open_trace("sh-pipeline"), open_trace(DATA / "sh-pipeline.perf.txt.gz")
    assert np.array_equal(ours.ops, original.ops) and np.array_equal(ours.waits, original.waits)
    assert (ours.lwps, ours.files, ours.name) == (original.lwps, original.files, original.name)


def test_all_five_are_there_and_tear_everything_down():
    assert builtin.names() == ["make-build", "python-numpy", "sh-pipeline", "sort-threads", "xz-threads"]
    for name in builtin.names():
        plan = open_trace(name)
        exits = plan.ops["lwp"][plan.ops["kind"] == op.EXIT]
        assert sorted(exits.tolist()) == list(range(len(plan.lwps)))


def test_empty_tables_survive(tmp_path):
    plan = open_trace("sh-pipeline")
    plan.waits = plan.waits[:0]
    compact.save(plan, tmp_path / "x")
    assert len(compact.load(tmp_path / "x").waits) == 0


@pytest.mark.parametrize("position", [0, 8, 20, 60, 5000])
def test_a_flipped_byte_is_noticed(tmp_path, position):
    data = bytearray(builtin.path("sh-pipeline").read_bytes())
    data[position] ^= 1
    (tmp_path / "bad.vmtrace").write_bytes(data)
    with pytest.raises(TraceError, match=r"bad.vmtrace"):
        open_trace(tmp_path / "bad.vmtrace")


@pytest.mark.parametrize("size", [8, 30, 100, 10_000])
def test_a_truncated_file_is_noticed(tmp_path, size):
    (tmp_path / "bad.vmtrace").write_bytes(builtin.path("sh-pipeline").read_bytes()[:size])
    with pytest.raises(TraceError, match=r"cut off|truncated"):
        open_trace(tmp_path / "bad.vmtrace")


def test_another_version_is_named(tmp_path):
    data = bytearray(builtin.path("sh-pipeline").read_bytes())
    data[8] = 9
    (tmp_path / "new.vmtrace").write_bytes(data)
    with pytest.raises(TraceError, match="format version 9, this vmconc reads 1"):
        open_trace(tmp_path / "new.vmtrace")
