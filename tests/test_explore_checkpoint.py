"""A search that was interrupted goes on as if it had not been; one that is another search is refused."""

import os
import signal
import time
import zlib

import msgspec
import numpy as np
import psutil
import pytest
from helpers_runs import start_command
from numpy.lib.recfunctions import repack_fields
from test_explore_search import FORK

from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.cli.show_explore import Progress
from vmconc.coordinator.errors import EXIT_INTERRUPTED
from vmconc.explore.checkpoint import ADDRESSES, Checkpoint, Keeper, Search, read
from vmconc.explore.search import Budget, choices_of
from vmconc.explore.session import Watcher, explore
from vmconc.explore.target import Target
from vmconc.memory.jit import jit_off
from vmconc.memory.segment import dtype_of
from vmconc.program.errors import ProgramError
from vmconc.program.programs import lock_program

SOUND, FAILING = Target(lock_program("mutex_pair")), Target(lock_program("dining"))
PORTFOLIO = choices_of("portfolio", 2)
interpreted = pytest.mark.skipif(not jit_off(), reason="a build of its own: a minute to compile")


def searched(target, executions, seed=0, choices=PORTFOLIO, jobs=1, watcher=None, **files):
    """Explore without making anything simpler."""
    keep = files["checkpoint"].parent / "kept"
    return explore(target, choices, Budget(executions), seed, 0.0, keep, watcher or Watcher(), jobs, **files)


def known(path):
    """Return what a checkpoint says, but for how long it took and for what only means something in one process."""
    parts = []
    for part in read(path).parts:
        part.position.tally.seconds = 0.0
        records = {name: zlib.decompress(data) for name, data in part.records.items()}
        fibers = np.frombuffer(records["Fiber"], dtype_of("Fiber"))
        fields = [name for name in fibers.dtype.names if name not in ADDRESSES]
        parts.append((part.position, {**records, "Fiber": repack_fields(fibers[fields]).tobytes()}))
    return parts


@pytest.fixture
def fork(tmp_path):
    """A program of the machine with several states at rest."""
    path = tmp_path / "fork_page_in.py"
    path.write_text(FORK)
    return Target(str(path), "backing", 2)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_hundred_and_two_hundred_more_are_three_hundred(tmp_path, jobs):
    """Counts, the random stream and all that the strategies have learned."""
    once, twice = tmp_path / "once", tmp_path / "twice"
    searched(SOUND, 300, jobs=jobs, checkpoint=once)
    part = searched(SOUND, 100, jobs=jobs, checkpoint=twice)
    assert part.tally.executions == 100 and known(twice) != known(once)
    whole = searched(SOUND, 200, jobs=jobs, checkpoint=twice, resume=twice)
    assert whole.tally.executions == 300 == sum(whole.tally.by_strategy.values())
    assert len(known(once)) == jobs and known(twice) == known(once)


@interpreted
def test_the_states_seen_are_still_seen(tmp_path, fork):
    """In the second half only states are new that the whole search finds new there."""
    once, twice = tmp_path / "once", tmp_path / "twice"
    straight = searched(fork, 45, checkpoint=once)
    searched(fork, 20, checkpoint=twice)
    whole = searched(fork, 25, checkpoint=twice, resume=twice)
    assert whole.tally.new_at == straight.tally.new_at and whole.tally.at_rest == straight.tally.at_rest > 1
    assert known(twice) == known(once)


def test_a_failure_is_found_at_the_same_execution(tmp_path):
    once, twice = tmp_path / "once", tmp_path / "twice"
    pct = choices_of("pct", 2)
    straight = searched(FAILING, 300, 3, pct, checkpoint=once)
    assert straight.failure.execution > 40
    assert searched(FAILING, 40, 3, pct, checkpoint=twice).failure is None
    resumed = searched(FAILING, 300, 3, pct, checkpoint=twice, resume=twice)
    assert resumed.failure == straight.failure
    assert known(twice) == known(once)


class Interrupting(Watcher):
    """Presses Ctrl-C when some executions are done."""

    def searched(self, tally):
        if tally.executions > 30:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_keeps_the_checkpoint(tmp_path):
    once, twice = tmp_path / "once", tmp_path / "twice"
    part = searched(SOUND, 0, watcher=Interrupting(), checkpoint=twice)
    done = part.tally.executions
    assert part.interrupted and 30 < done < 300
    assert not searched(SOUND, 300 - done, checkpoint=twice, resume=twice).interrupted
    searched(SOUND, 300, checkpoint=once)
    assert known(twice) == known(once)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["once", "twice"]


def test_the_command_says_what_was_done_when_it_is_interrupted(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Progress, "searched", Interrupting.searched)
    path = tmp_path / "far"
    assert guarded(app, ["explore", "mutex_pair", "--for", "100s", "--checkpoint", str(path)]) == EXIT_INTERRUPTED
    said = capsys.readouterr()
    assert "interrupted, nothing found in" in said.out and f"--resume {path}" in said.out
    assert said.err == "mutex_pair: compiling, if this is the first time\n"
    assert read(path).parts[0].position.tally.executions > 30


def test_ctrl_c_ends_all_processes_and_keeps_the_part_of_each(tmp_path):
    path = tmp_path / "far"
    arguments = ("explore", "mutex_pair", "--for", "100s", "--jobs", "2", "--checkpoint", str(path))
    parent = start_command(tmp_path, *arguments)
    children, deadline = [], time.monotonic() + 60
    while len(children) < 2 and time.monotonic() < deadline:
        children = psutil.Process(parent.pid).children()
        time.sleep(0.02)
    parent.send_signal(signal.SIGINT)
    said, _ = parent.communicate(timeout=60)
    assert parent.returncode == EXIT_INTERRUPTED and "interrupted, nothing found" in said
    assert len(children) == 2 and psutil.wait_procs(children, timeout=20)[1] == []
    assert [bool(part.records) for part in read(path).parts] == [True, True]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"target": FAILING}, "program .*mutex_pair.py', not .*dining.py'"),
        ({"seed": 1}, "--seed 0"),
        ({"jobs": 2}, "--jobs 1"),
        ({"choices": choices_of("pos", 2)}, "another --strategy, --depth or --preemptions"),
    ],
)
def test_another_search_is_refused(tmp_path, changed, message):
    path = tmp_path / "far"
    searched(SOUND, 10, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(ProgramError, match=message):
        searched(**{"target": SOUND, "executions": 10, "checkpoint": path, "resume": path, **changed})
    assert path.read_bytes() == before


@interpreted
def test_other_code_is_refused(tmp_path, fork):
    """A program whose file has changed since; it still does the same."""
    path = tmp_path / "far"
    searched(fork, 10, checkpoint=path)
    with open(fork.program, "a") as file:
        file.write("# a remark\n")
    with pytest.raises(ProgramError, match="other code"):
        searched(fork, 10, checkpoint=path, resume=path)


def test_what_is_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / "far"
    for content, message in ((b"{}", "far is no checkpoint"), (None, "No such file")):
        path.write_bytes(content) if content is not None else path.unlink()
        with pytest.raises(ProgramError, match=message):
            read(path)
    searched(SOUND, 10, checkpoint=path)
    later = msgspec.structs.replace(msgspec.msgpack.decode(path.read_bytes(), type=Checkpoint), format=99)
    path.write_bytes(msgspec.msgpack.encode(later))
    with pytest.raises(ProgramError, match="format 99"):
        read(path)


def test_two_searches_do_not_write_one_file(tmp_path):
    path = tmp_path / "far"
    search = Search(SOUND, PORTFOLIO, 0, 1)
    with Keeper(search, path), pytest.raises(ProgramError, match="written by another"), Keeper(search, path):
        pass
    with Keeper(search, path):
        assert [file.name for file in tmp_path.iterdir()] == [".far.lock"]
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_is_of_one_search(capsys, tmp_path):
    path = tmp_path / "far"
    assert guarded(app, ["explore", "fork_chain", "--checkpoint", str(path)]) == 2
    assert "choose a --protocol" in capsys.readouterr().err
