"""Programs about locks on worker processes: rounds, threads that others start, failures, deadlocks."""

import json

import pytest

from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.coordinator.errors import EXIT_STUCK, EXIT_VIOLATION
from vmconc.coordinator.options import RunOptions
from vmconc.explore.lockrun import run_locks
from vmconc.program.errors import ProgramError

RACE = '''"""The first thread starts the second one or not; both take the mutex and count themselves."""
from vmconc.concurrent import Mutex, after, check, join, kernel, mutex_lock, mutex_unlock, option, shared, start, thread

STARTED, KEPT, ALONE = option("started", 1), option("kept", 0), option("alone", 0)


@shared
class Place:
    mutex: Mutex
    visits: int = 5


@thread
def first(cpu, place):
    if STARTED:
        start(cpu, 1)
    visit(cpu, place)
    if STARTED:
        join(cpu, 1)
        check(cpu, place.visits == (6 if ALONE else 7))


@thread(started=False)
def second(cpu, place):
    visit(cpu, place)


@kernel
def visit(cpu, place):
    mutex_lock(cpu, place.mutex)
    place.visits += 1
    if not KEPT:
        mutex_unlock(cpu, place.mutex)


@after
def all_have_been_there(cpu, place):
    check(cpu, place.visits == 6 + STARTED)
'''
pytestmark = pytest.mark.parallel


def run(tmp_path, rounds=50, **given):
    """Run the program with these options."""
    path = tmp_path / "race.py"
    path.write_text(RACE)
    return run_locks(str(path), given, rounds, RunOptions(runs=tmp_path / "runs", stall=30.0))


@pytest.mark.parametrize("started", [0, 1])
def test_every_round_begins_with_the_first_values(tmp_path, started):
    result = run(tmp_path, started=started)
    assert result.exit_code == 0 and result.violations == []
    assert (result.rounds, result.threads) == (50, 2)
    assert result.locks["mutex"].exclusive == 50 * (1 + started)


def test_a_check_that_fails_ends_the_run_in_its_round(tmp_path):
    result = run(tmp_path, alone=1)
    assert result.exit_code == EXIT_VIOLATION and result.rounds == 0
    assert result.violations[0].startswith("check: ")


def test_a_lock_that_is_never_released_is_a_deadlock(tmp_path):
    result = run(tmp_path, kept=1)
    assert result.exit_code == EXIT_STUCK and "deadlock" in result.ending.message
    assert any("-- waits " in line and "mutex" in line for line in result.ending.report)


def test_the_command_runs_a_lock_program_by_name(tmp_path, capsys):
    command = ["run", "readers_writers", "--rounds", "20", "--runs-dir", str(tmp_path), "--json"]
    assert guarded(app, command) == 0
    result = json.loads(capsys.readouterr().out)
    rwlock = result["locks"]["rwlock"]
    assert result["rounds"] == 20 and rwlock["shared"] + rwlock["exclusive"] == 20 * 3 * 20
    assert json.loads((next(tmp_path.iterdir()) / "run.json").read_text()) == result


def test_a_file_without_threads_is_refused(tmp_path):
    path = tmp_path / "nothing.py"
    path.write_text("import vmconc.concurrent\n")
    with pytest.raises(ProgramError, match="has no @shared class or no @thread"):
        run_locks(str(path), {}, 1, RunOptions(runs=tmp_path))
