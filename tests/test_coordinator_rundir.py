"""Run directories are never shared, never half written, and say whether their owner lives."""

import json
import os

import pytest

from vmconc.analysis.unended import BEGUN, CLOCKS
from vmconc.coordinator.errors import UsageError
from vmconc.coordinator.rundir import RunDirectory, is_live


def test_two_sessions_of_one_second_get_two_directories(tmp_path):
    made = [RunDirectory(tmp_path / "runs", "hot_page-backing") for _ in range(3)]
    assert len({directory.path for directory in made}) == 3
    for directory in made:
        directory.close()


def test_a_directory_is_live_until_it_is_closed(tmp_path):
    directory = RunDirectory(tmp_path, "x")
    directory.announce(7, "backing", "counted")
    live = json.loads((directory.path / "live.json").read_text())
    assert live["path"] == f"/proc/{os.getpid()}/fd/7" and live["protocol"] == "backing"
    assert is_live(directory.path)
    directory.close()
    assert not is_live(directory.path)
    assert list(directory.path.iterdir()) == []


def test_the_lock_goes_with_its_owner(tmp_path):
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, str(RunDirectory(tmp_path, "x").path).encode())
        os._exit(9)
    path = tmp_path / os.read(reader, 4096).decode()
    os.waitpid(pid, 0)
    assert not is_live(path)


def test_results_appear_whole_and_leave_no_draft(tmp_path):
    directory = RunDirectory(tmp_path, "x")
    directory.write_json("run.json", b"{}")
    directory.write_json("run.json", b'{"a": 1}')
    assert json.loads((directory.path / "run.json").read_text()) == {"a": 1}
    directory.close()
    assert [path.name for path in directory.path.iterdir()] == ["run.json"]


def test_a_directory_that_is_not_kept_is_gone(tmp_path):
    directory = RunDirectory(tmp_path, "x")
    directory.write_json("run.json", b"{}")
    directory.close(keep=False)
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_nothing_can_be_made_is_the_users_fault(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="--runs-dir"):
        RunDirectory(tmp_path / "file", "x")


def test_what_was_for_readers_of_a_killed_run_goes_once_there_is_more(tmp_path):
    for name, left in (("run.json", {"run.json"}), ("log.txt", {"log.txt", BEGUN, CLOCKS})):
        directory = RunDirectory(tmp_path, "x")
        for each in (name, BEGUN, CLOCKS):
            directory.write_json(each, b"{}")
        directory.close()
        assert {path.name for path in directory.path.iterdir()} == left
