"""A failure replayed on processes, and many times: exactly what was recorded, or it is said which step differs."""

import os
import signal

import msgspec
import psutil
import pytest

from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.coordinator.errors import EmulatorError, StallError
from vmconc.explore import failure as failures
from vmconc.explore.minimise import run_turns
from vmconc.explore.search import PORTFOLIO, Budget, search
from vmconc.explore.session import artifact_of, at_rest, replay
from vmconc.explore.target import OF_BUG, Target, make
from vmconc.explore.workers import Workers
from vmconc.memory.jit import jit_off
from vmconc.program.programs import lock_program

TIMES = 10 if jit_off() else 300
PATIENCE = 0.5  # seconds
TARGETS = {
    "account": Target(lock_program("account")),
    "dining": Target(lock_program("dining")),
    "B24": Target(f"{OF_BUG}B24", "chained", 2, bugs=["B24"]),
}
ENDLESS = """
from vmconc.concurrent import shared, thread

@shared
class Word:
    value: int

@thread
def write(cpu, word):
    word.value = 1

@thread
def loop(cpu, word):
    read = word.value
    while read != 0:
        read = read & 1
"""


@pytest.fixture(autouse=True)
def nobody_is_left():
    """No child process outlives a test."""
    before = {child.pid for child in psutil.Process().children()}
    yield
    assert {child.pid for child in psutil.Process().children()} <= before


@pytest.fixture(scope="module")
def found():
    """Return what a search finds in each of the programs, once."""
    kept = {}

    def artifact(name):
        if name not in kept:
            target = TARGETS[name]
            lab = make(target)
            _, failure = search(lab, PORTFOLIO, Budget(3000), 0, at_rest(lab, target))
            kept[name] = artifact_of(target, failure)
        return kept[name]

    return artifact


@pytest.mark.parametrize(("name", "rule"), [("account", "check"), ("dining", "deadlock"), ("B24", "chain-referenced")])
def test_processes_do_what_stacks_do(found, name, rule):
    """The same decisions, steps, rule, list of steps and memory at the end, again and again in the same processes."""
    artifact = found(name)
    here, there = replay(artifact), replay(artifact, times=TIMES, processes=True)
    assert here.reproduced and here.repeated.exact == 1 and here.handed is None
    assert there.repeated.exact == there.repeated.times == TIMES and there.repeated.alike
    assert there.failure == here.failure and there.failure.rule == rule and there.rows == here.rows
    assert there.failure.turns == artifact.failure.turns and there.failure.steps == artifact.failure.steps
    assert there.handed.processes == make(artifact.target).engine.fibers + 1 and len(there.handed.cores) == 1
    assert there.handed.turns > TIMES * artifact.failure.preemptions and there.handed.microseconds > 0


def test_the_cpus_are_processes(found):
    """While an execution stands still at its end each CPU is a process that has run."""
    artifact = found("dining")
    lab = make(artifact.target, watched=True)
    lab.run(1)
    with Workers(lab) as workers:
        assert run_turns(lab, artifact.failure.turns, None) == run_turns(lab, artifact.failure.turns, None)
        assert {process.pid for process in workers.processes} == {c.pid for c in psutil.Process().children()}
        assert len({process.pid for process in workers.processes}) == lab.engine.fibers + 1
        turns = lab.engine.handed
    assert turns > 0 and lab.engine.processes == 0
    run_turns(lab, artifact.failure.turns, None)
    assert lab.engine.handed == turns


def test_a_step_that_differs_is_named(found):
    """What was recorded of other code: the first step that is not the same is said in the words of both."""
    artifact = found("account")
    other = list(artifact.spoken)
    other[3:5] = ["cpu 1: read something else", "cpu 0: read balance = 7"]
    replayed = replay(msgspec.structs.replace(artifact, spoken=other, digest="other"), times=3)
    assert replayed.repeated.exact == 0 and replayed.repeated.alike and replayed.reproduced
    assert replayed.repeated.differs == (
        f"replay 1: step 4 was recorded as 'cpu 1: read something else' and is now {artifact.spoken[3]!r}"
    )


def test_replays_that_differ_from_one_another_are_seen(found, monkeypatch):
    """One of five goes by other decisions."""
    artifact, number = found("account"), []

    def wrong(lab, turns, check):
        number.append(0)
        return run_turns(lab, [] if len(number) == 4 else turns, check)

    monkeypatch.setattr("vmconc.explore.session.run_turns", wrong)
    replayed = replay(artifact, times=5)
    assert replayed.repeated.exact == 4 and not replayed.repeated.alike
    assert replayed.repeated.differs.startswith("replay 4: step ")


def test_a_dead_process_ends_the_replay(found):
    artifact = found("account")
    lab = make(artifact.target, watched=True)
    failure = run_turns(lab, artifact.failure.turns, None)
    gone = r"the process of cpu 1 ended after step \d+ \(signal 9\)"
    with pytest.raises(EmulatorError, match=gone), Workers(lab) as workers:
        assert run_turns(lab, artifact.failure.turns, None) == failure
        os.kill(workers.processes[1].pid, signal.SIGKILL)
        lab.run(1)
    assert run_turns(lab, artifact.failure.turns, None) == failure


def test_a_process_that_does_not_answer_ends_the_replay(tmp_path):
    """It reads 1, and looks at what it has read for ever."""
    path = tmp_path / "endless.py"
    path.write_text(ENDLESS)
    lab = make(Target(str(path)))
    assert run_turns(lab, [1, 1], None) is None
    with pytest.raises(StallError, match=r"cpu 1 has not come to its next step"), Workers(lab, PATIENCE) as workers:
        assert run_turns(lab, [1, 1], None) is None
        run_turns(lab, [0, 0], None)
    assert all(process.exitcode is not None for process in workers.processes)


def test_the_command(found, tmp_path, capsys):
    path = tmp_path / "found.json"
    failures.write(path, found("account"))
    assert guarded(app, ["replay", str(path), "--processes", "--times", "3"]) == 1
    said = capsys.readouterr().out
    assert "3 of 3 replays on processes were exactly what was recorded" in said
    assert "us each with the steps between" in said
    for wrong in (["--times", "0"], ["--pdb", "--processes"], ["--pdb", "--times", "2"]):
        assert guarded(app, ["replay", str(path), *wrong]) == 2
        error = capsys.readouterr().err
        assert len(error.splitlines()) == 1 and wrong[0] in error
