"""The process engine runs plans to their end: counts, outcomes, page-ins, errors, results on disk."""

import json
import time

import pytest
from helpers_runs import run, shared_file, zero_fill

from vmconc.analysis.diff import sides
from vmconc.coordinator.compare import compare
from vmconc.coordinator.errors import EmulatorError, UsageError
from vmconc.coordinator.options import RunOptions
from vmconc.protocols import protocol_names

pytestmark = pytest.mark.parallel


@pytest.mark.parametrize("protocol", protocol_names())
@pytest.mark.parametrize("cpus", [1, 2, 3])
def test_every_touch_of_fresh_memory_is_one_zero_fill(protocol, cpus, tmp_path):
    result = run(zero_fill(pages=64, lwps=2), tmp_path, protocol, cpus=cpus)
    assert result.ending.reason == "done" and result.exit_code == 0, result.violations
    assert result.faults == result.outcomes["zero-fill"] == 128
    assert result.events["faults"] == 128
    assert result.locks["vm_map"].shared >= 128
    assert result.cpu_seconds > 0 and result.faults_per_cpu_second > 0
    assert sum(cpu.faults for cpu in result.per_cpu) == 128 and len(result.per_cpu) == cpus


@pytest.mark.slow  # two builds that no other fast test needs
@pytest.mark.parametrize("protocol", protocol_names())
def test_mode_off_counts_faults_and_no_locks(protocol, tmp_path):
    result = run(zero_fill(), tmp_path, protocol, mode="off")
    assert result.faults == 128
    assert all(locks.shared + locks.exclusive == 0 for locks in result.locks.values())


def test_run_json_holds_the_result(tmp_path):
    result = run(zero_fill(), tmp_path, seed=5)
    (directory,) = (tmp_path / "runs").iterdir()
    saved = json.loads((directory / "run.json").read_text())
    assert saved["faults"] == result.faults and saved["seed"] == 5
    assert saved["run_dir"] == str(directory)
    assert {"machine", "versions", "options", "order", "retries", "max_depth"} <= set(saved)
    assert sorted(path.name for path in directory.iterdir()) == ["log.txt", "run.json"]
    assert "ended: done" in (directory / "log.txt").read_text()


def test_a_run_that_is_not_kept_leaves_nothing(tmp_path):
    run(zero_fill(), tmp_path, keep=False)
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize("protocol", protocol_names())
def test_a_page_is_read_once_and_shared(protocol, tmp_path):
    result = run(shared_file(spaces=2, pages=8), tmp_path, protocol)
    assert result.exit_code == 0, result.violations
    assert result.pageins == 8
    held = {"chained": (8, 0), "backing": (0, 8)}[protocol]
    assert (result.pageins_map_released, result.pageins_map_held) == held


def test_latency_is_added(tmp_path):
    begun = time.monotonic()
    result = run(shared_file(spaces=1, pages=4), tmp_path, cpus=1, io_latency=50_000_000)
    assert result.exit_code == 0
    assert result.wall_seconds >= 0.2
    assert time.monotonic() - begun < 30


def test_io_errors_end_in_unmapped_pages_not_in_a_hang(tmp_path):
    result = run(shared_file(spaces=1, pages=4), tmp_path, cpus=1, io_error_rate=1.0)
    assert result.ending.reason in ("done", "violation")
    assert result.events["io_errors"] >= 4
    assert result.outcomes["file"] == 0


def test_an_unknown_table_is_the_users_fault(tmp_path):
    with pytest.raises(UsageError, match="--table planets"):
        run(zero_fill(), tmp_path, tables={"planets": 4})


def test_too_large_a_pool_names_the_option(tmp_path, monkeypatch):
    import vmconc.memory.segment as segment

    class Full:
        f_bavail, f_frsize = 1, 4096

    monkeypatch.setattr(segment.os, "statvfs", lambda path: Full)
    with pytest.raises(EmulatorError, match="--frames"):
        run(zero_fill(), tmp_path)


def test_a_full_table_ends_the_run_and_names_the_option(tmp_path):
    result = run(zero_fill(pages=64), tmp_path, tables={"pv_entries": 32})
    assert result.exit_code == 4
    assert "PvEntry" in result.ending.message and "--table pv_entries" in result.ending.message


@pytest.mark.skipif(len(protocol_names()) < 2, reason="needs both protocols")
def test_compare_pairs_rounds_of_the_same_operations(tmp_path):
    done = []
    options = RunOptions(cpus=2, frames=4096, runs=tmp_path / "runs")
    result = compare(zero_fill(), options, 3, False, done.append)
    assert done == [1, 2, 3]
    assert set(result.protocols) == {"chained", "backing"} and result.exit_code == 0
    assert all(found.faults == 3 * 128 for found in result.protocols.values())
    assert result.protocols["backing"].locks["chain"].shared == 0
    assert len(result.ratio.rounds) == 3 and result.ratio.low <= result.ratio.median <= result.ratio.high
    kept = next((tmp_path / "runs").iterdir())
    assert json.loads((kept / "run.json").read_text())["rounds"] == 3
    before, after = sides([kept], [])
    assert [run.run["protocol"] for run in before + after] == ["chained"] * 3 + ["backing"] * 3
    assert [run.figures["fault.count"] for run in before + after] == [128] * 6
