"""Lock programs: a file with shared words, threads and a check is explored."""

from pathlib import Path

import pytest

from vmconc.checks.violations import inline_violations
from vmconc.explore.failure import explain
from vmconc.explore.lockprogram import load_file, lock_laboratory
from vmconc.memory.jit import jit_off
from vmconc.program.errors import ProgramError
from vmconc.schedule.records import DEADLOCK, FINISHED, VIOLATED
from vmconc.schedule.strategies import PCT, POS, UNIFORM

MANY = 60 if jit_off() else 2000
HEAD = "from vmconc.concurrent import *\n"
ACCOUNT = """
@shared
class Account:
    mutex: Mutex
    lock: Rwlock
    balance: int = 100
    log: Words(4)

@thread(2)
def deposit(cpu, account):
    {body}

@after
def nothing_is_lost(cpu, account):
    check(cpu, account.balance == 120)
"""
BODIES = {
    "bare": "account.balance += 10",
    "atomic": 'atomic_add(account, "balance", 10)',
    "mutex": "mutex_lock(cpu, account.mutex)\n    account.balance += 10\n    mutex_unlock(cpu, account.mutex)",
    "rwlock": "write_lock(cpu, account.lock)\n    account.balance += 10\n    write_unlock(cpu, account.lock)",
    "readers": "read_lock(cpu, account.lock)\n    account.balance += 10\n    read_unlock(cpu, account.lock)",
    "array": "account.log[0] += 10\n    account.balance = 100 + account.log[0]",
}


def program(tmp_path, name, text):
    """Write a program's file and return its engine."""
    path = tmp_path / f"{name}.py"
    path.write_text(HEAD + text)
    return lock_laboratory(load_file(path))


@pytest.mark.parametrize("strategy", [UNIFORM, PCT, POS])
@pytest.mark.parametrize("body", BODIES)
def test_a_program_fails_if_and_only_if_it_is_wrong(tmp_path, body, strategy):
    lab = program(tmp_path, f"account_{body}_{strategy}", ACCOUNT.format(body=BODIES[body]))
    lab.engine.strategy = strategy
    lab.run(MANY)
    if body in ("atomic", "mutex", "rwlock"):
        assert lab.engine.ended == FINISHED and lab.engine.executions == MANY
        return
    assert lab.engine.ended == VIOLATED
    assert [found["rule"] for found in inline_violations(lab.segment)] == ["check"]
    assert lab.argument.balance == 110


GUARDED = """
@shared
class Account:
    lock: Rwlock
    mutex: Mutex
    balance: int = guarded_by("lock", 100)
    log: Words(2) = guarded_by("mutex")

@thread
def reader(cpu, account):
    read_lock(cpu, account.lock)
    seen = account.balance
    {inside}
    read_unlock(cpu, account.lock)
    {outside}

@thread
def writer(cpu, account):
    write_lock(cpu, account.lock)
    account.balance += 10
    write_unlock(cpu, account.lock)
    mutex_lock(cpu, account.mutex)
    account.log[1] = 1
    mutex_unlock(cpu, account.mutex)

@after
def done(cpu, account):
    check(cpu, account.balance == 110)
"""


@pytest.mark.parametrize(
    ("inside", "outside", "word"),
    [
        ("pass", "pass", ""),
        ("pass", "seen = account.balance", "balance"),
        ("account.balance = seen", "pass", "balance"),
        ("seen = account.log[1]", "pass", "log"),
        ('atomic_add(account, "balance", 0)', "pass", "balance"),
    ],
)
def test_an_access_without_its_guard_is_reported(tmp_path, inside, outside, word):
    """A share allows to read and not to write; after the end nobody needs a lock."""
    lab = program(tmp_path, "guarded", GUARDED.format(inside=inside, outside=outside))
    lab.run(50)
    found = inline_violations(lab.segment)
    assert [violation["rule"] for violation in found] == (["guarded-by"] if word else [])
    assert lab.engine.ended == (VIOLATED if word else FINISHED)
    assert all(violation["cpu"] == 0 and word in violation["subject"] for violation in found)


def test_a_guard_that_is_no_lock_is_refused(tmp_path):
    with pytest.raises(ProgramError, match="'nobody', which is no lock"):
        program(tmp_path, "unguarded", "@shared\nclass A:\n    x: int = guarded_by('nobody')\n")


def test_the_example_of_the_documentation_fails_as_it_says(tmp_path):
    page = (Path(__file__).parent.parent / "docs" / "howto" / "explore.md").read_text()
    lab = program(tmp_path, "documented", page.split("```python\n")[1].split("```")[0])
    lab.run(MANY)
    assert lab.engine.ended == VIOLATED and lab.argument.balance == 110


THREADS = """
@shared
class Relay:
    turn: int

@thread
def main(cpu, relay):
    for index in range(1, 1 + STARTED):
        start(cpu, index)
        join(cpu, index)
    check(cpu, relay.turn == STARTED)

@thread(3, started=False)
def pass_on(cpu, relay):
    check(cpu, relay.turn == cpu.index - 1)
    relay.turn = cpu.index
"""


@pytest.mark.parametrize("started", [0, 1, 3])
def test_a_thread_runs_after_its_start_and_before_its_join(tmp_path, started):
    """One that nobody starts is not waited for at the end."""
    path = tmp_path / "relay.py"
    path.write_text(HEAD + 'STARTED = option("started", 3)\n' + THREADS)
    lab = lock_laboratory(load_file(path, {"started": started}))
    assert lab.run(MANY) == MANY and lab.engine.ended == FINISHED
    assert lab.engine.longest == 4 * started + 1 and lab.argument.turn == started


def test_who_joins_what_nobody_starts_is_in_a_deadlock(tmp_path):
    lab = program(tmp_path, "waits", THREADS.replace("        start(cpu, index)\n", "").replace("STARTED", "1"))
    assert lab.run(1) == 1 and lab.engine.ended == DEADLOCK
    assert "waits for cpu 1" in explain(lab)[1]


def test_an_option_that_the_program_does_not_have_is_refused(tmp_path):
    path = tmp_path / "relay.py"
    path.write_text(HEAD + 'STARTED = option("started", 3)\n' + THREADS)
    with pytest.raises(ProgramError, match="no option runners"):
        load_file(path, {"runners": 3})


@pytest.mark.parametrize("text", ["x = 1\n", "1 / 0\n", "@shared\nclass Lonely:\n    x: int\n"])
def test_a_file_that_is_no_program_is_refused(tmp_path, text):
    with pytest.raises(ProgramError, match=r"\.py"):
        program(tmp_path, "refused", text)


LATER = """from vmconc.concurrent import Semaphore, check, semaphore_down, semaphore_up, shared, start, thread

@shared
class Bench:
    semaphore: Semaphore
    begun: int = 0

@thread
def main(cpu, bench):
    semaphore_up(cpu, bench.semaphore)
    bench.begun = 1
    {start}

@thread(started=False)
def other(cpu, bench):
    semaphore_down(cpu, bench.semaphore)
    check(cpu, bench.begun == 1)
"""


@pytest.mark.parametrize("start", ["start(cpu, 1)", "bench.begun = 2"])
def test_a_thread_whose_first_step_has_to_wait_begins_when_it_is_started_and_not_before(tmp_path, start):
    path = tmp_path / f"later_{len(start)}.py"
    path.write_text(LATER.format(start=start))
    lab = lock_laboratory(load_file(path))
    assert lab.run(MANY) == MANY and lab.engine.ended == FINISHED
