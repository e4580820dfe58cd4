"""Tests that are explored, run by a pytest of their own."""

import subprocess
import sys

FILE = '''"""Deposits, with and without a mutex."""
from vmconc.concurrent import Mutex, check, explore, mutex_lock, mutex_unlock, shared, thread


@shared
class Account:
    mutex: Mutex
    safe: int
    bare: int


@thread(2)
def deposit(cpu, account):
    account.bare += 1
    mutex_lock(cpu, account.mutex)
    account.safe += 1
    mutex_unlock(cpu, account.mutex)


@explore(executions=300)
def test_nothing_is_lost_under_the_mutex(cpu, account):
    check(cpu, account.safe == 2)


@explore(executions=300, strategy="uniform", seed=5)
def test_nothing_is_lost_without(cpu, account):
    check(cpu, account.bare == 2)


@explore(executions=300, races=True)
def test_nothing_races(cpu, account):
    pass


@explore(executions=300, strategy="uniform")
def test_nothing_is_lost_with_the_seed_of_the_session(cpu, account):
    check(cpu, account.bare == 2)
'''


def pytest_in(tmp_path, *arguments):
    """Run the file's tests."""
    (tmp_path / "test_deposits.py").write_text(FILE)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "vmconc.pytest_plugin", "-p", "no:cacheprovider", "-q", *arguments],
        cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


def test_an_explored_test_fails_with_its_steps_and_a_line_that_replays_it(tmp_path):
    done = pytest_in(tmp_path, "--vmconc-seed", "7")
    assert done.returncode == 1 and "3 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    for said in ("data-race", "read bare = 0", "seed 5", "seed 7"):
        assert said in done.stdout
    artifact = sorted((tmp_path / "failures").iterdir())[0]
    assert f"vmconc replay failures/{artifact.name}" in done.stdout
    replayed = subprocess.run(
        [sys.executable, "-m", "vmconc", "replay", str(artifact)],
        cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert replayed.returncode == 1 and "it fails again" in replayed.stdout, replayed.stdout + replayed.stderr


def test_a_seed_that_is_none_is_refused(tmp_path):
    done = pytest_in(tmp_path, "--vmconc-seed", "luck")
    assert done.returncode == 4 and "--vmconc-seed 'luck' is neither a number nor 'random'" in done.stderr
