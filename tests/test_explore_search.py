"""Looking for failures, making them simpler, keeping them, and running them again."""

import json
import subprocess
import sys

import msgspec
import pytest

from vmconc.cli import show_explore
from vmconc.explore import failure as failures
from vmconc.explore.bug_programs import BASE, mapped
from vmconc.explore.bugs import BUGS
from vmconc.explore.machine import plan_laboratory
from vmconc.explore.minimise import run_turns
from vmconc.explore.search import PORTFOLIO, Budget, Tally, choices_of, search
from vmconc.explore.session import Watcher, explore, replay
from vmconc.explore.target import OF_BUG, Target, is_lock_program, make
from vmconc.memory.jit import jit_off
from vmconc.program.builder import PlanBuilder
from vmconc.program.errors import ProgramError
from vmconc.protocols import protocol_names
from vmconc.schedule.records import DEADLOCK, FINISHED

TRANSFER = '''"""Two accounts, each with a mutex; a transfer takes both, each thread in its own order."""
from vmconc.concurrent import Mutex, Words, after, check, mutex_lock, mutex_unlock, shared, thread


@shared
class Bank:
    first: Mutex
    second: Mutex
    money: Words(2)


@thread
def there(cpu, bank):
    mutex_lock(cpu, bank.first)
    mutex_lock(cpu, bank.second)
    bank.money[0] -= 1
    bank.money[1] += 1
    mutex_unlock(cpu, bank.second)
    mutex_unlock(cpu, bank.first)


@thread
def back(cpu, bank):
    mutex_lock(cpu, bank.{one})
    mutex_lock(cpu, bank.{other})
    bank.money[1] -= 1
    bank.money[0] += 1
    mutex_unlock(cpu, bank.{other})
    mutex_unlock(cpu, bank.{one})


@thread
def onlooker(cpu, bank):
    bank.money[0]


@after
def nothing_is_lost(cpu, bank):
    check(cpu, bank.money[0] + bank.money[1] == 0)
'''
FORK = '''"""A fork while a page of a file is being read for the other thread."""
OPTIONS = {}


def program(build, cpus, options):
    parent, file = build.spawn(), build.file("data", 4)
    build.mmap(parent, 0x1000_0000, 4096, 3, 0, file)
    thread = build.vfork(parent)
    build.touch(thread, 0x1000_0000, write=True)
    child = build.fork(parent)
    build.touch(child, 0x1000_0000)
    for lwp in (child, thread, parent):
        build.exit_(lwp)
'''


@pytest.fixture
def deadlock(tmp_path):
    """A lock program that can deadlock."""
    path = tmp_path / "transfer.py"
    path.write_text(TRANSFER.replace("{one}", "second").replace("{other}", "first"))
    return Target(str(path))


@pytest.fixture
def sound(tmp_path):
    """The same with the locks in order."""
    path = tmp_path / "ordered.py"
    path.write_text(TRANSFER.replace("{one}", "first").replace("{other}", "second"))
    return Target(str(path))


def test_a_deadlock_is_found_made_simple_kept_and_found_again(deadlock, tmp_path):
    """Simple: one preemption, between the two acquisitions of one CPU."""
    explored = explore(deadlock, PORTFOLIO, Budget(2000), 3, 20.0, tmp_path / "kept", Watcher())
    assert explored.failure.rule == "deadlock" and explored.failure.preemptions == 1
    assert len(explored.failure.turns) <= len(explored.found.turns)
    assert [line for line in explored.failure.lines if "cpu 0 waits for" in line and "second" in line]
    artifact = failures.read(next((tmp_path / "kept").iterdir()))
    assert artifact.target == deadlock and artifact.failure == explored.failure
    for _ in range(3):
        replayed = replay(artifact)
        assert replayed.reproduced and replayed.same_code and replayed.diverged == 0
        assert replayed.failure.turns == artifact.failure.turns
    assert {row.cpu for row in replayed.rows} == {0, 1}  # it ends there: the onlooker's turn has not come yet


def test_a_sound_program_is_silent(sound, tmp_path):
    count = 300 if jit_off() else 20_000
    explored = explore(sound, PORTFOLIO, Budget(count), 0, 5.0, tmp_path / "kept", Watcher())
    assert explored.failure is None and explored.tally.executions == count
    assert sum(explored.tally.by_strategy.values()) == count
    assert not (tmp_path / "kept").exists()


def test_a_data_race_is_found_kept_and_found_again_where_it_is_looked_for(sound, tmp_path):
    """The onlooker reads without a lock: nothing comes of it."""
    target = msgspec.structs.replace(sound, races=True)
    explored = explore(target, PORTFOLIO, Budget(2000), 0, 5.0, tmp_path / "kept", Watcher())
    assert explored.failure.rule == "data-race" and "money[0]" in explored.failure.lines[0]
    artifact = failures.read(next((tmp_path / "kept").iterdir()))
    assert artifact.target.races and replay(artifact).reproduced


def test_a_replay_against_changed_code_says_that_it_does_not_fail_and_where_it_went_apart(deadlock, sound):
    """It deadlocks after these decisions; in the mended program CPU 0 has to wait for the first mutex at the second."""
    turns = [1, 0]
    failure = run_turns(make(deadlock), turns, None)
    assert failure.rule == "deadlock" and failure.turns[:2] == turns
    replayed = replay(failures.Artifact(sound, failure, "other code"))
    assert not replayed.reproduced and not replayed.same_code and replayed.failure is None
    assert replayed.diverged == 2


def test_the_same_seed_finds_the_same_failure(deadlock):
    found = []
    for seed in (1, 1, 2):
        _, failure = search(make(deadlock), choices_of("uniform", 2), Budget(2000), seed)
        found.append((failure.execution, failure.turns))
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("protocol", ["chained", "backing"])
def test_a_fork_during_a_page_in_is_right_in_every_order_tried(tmp_path, protocol):
    """The state at rest is checked as well."""
    path = tmp_path / "fork_page_in.py"
    path.write_text(FORK)
    assert not is_lock_program(str(path))
    budget = Budget(256 if jit_off() else 20_000)
    explored = explore(Target(str(path), protocol, 2), PORTFOLIO, budget, 0, 5.0, tmp_path / "kept", Watcher())
    assert explored.failure is None and explored.tally.executions == budget.executions
    assert 1 < explored.tally.at_rest < budget.executions


def test_what_is_wrong_at_rest_is_a_failure(deadlock):
    """What a check of the state at rest says is what the failure says."""
    lab = make(deadlock)
    complaint = {"rule": "count", "text": "count: one too many"}
    assert run_turns(lab, [], lambda: [complaint]).lines == ["count: one too many"]


def test_a_file_that_is_no_failure_is_refused(tmp_path, deadlock):
    path = tmp_path / "x.json"
    for text in ("{}", "no JSON"):
        path.write_text(text)
        with pytest.raises(ProgramError, match=r"x\.json is no failure"):
            failures.read(path)
    later = failures.Artifact(deadlock, failures.Failure("check", [], [], 0, 0), "", format=99)
    path.write_bytes(msgspec.json.encode(later))
    with pytest.raises(ProgramError, match="format 99"):
        failures.read(path)


def command(tmp_path, *arguments, stdin=""):
    """Run `vmconc` in a directory of its own."""
    return subprocess.run(
        [sys.executable, "-m", "vmconc", *arguments],
        cwd=tmp_path, input=stdin, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


def test_the_commands_find_show_and_debug(deadlock, tmp_path):
    """The debugger stands on the CPU that is about to fall asleep for ever."""
    done = command(tmp_path, "explore", deadlock.program, "--executions", "2000", "--json")
    assert done.returncode == 1, done.stderr
    explored = json.loads(done.stdout)["explored"][0]
    assert explored["failure"]["rule"] == "deadlock"
    shown = command(tmp_path, "replay", explored["artifact"])
    assert shown.returncode == 1 and "cpu 0" in shown.stdout and "it fails again" in shown.stdout
    debugged = command(tmp_path, "replay", explored["artifact"], "--pdb", stdin="w\np cpu.index\nc\n")
    assert debugged.returncode == 1, debugged.stderr
    assert "before step" in debugged.stdout and "transfer.py" in debugged.stdout
    assert "it fails again" in debugged.stdout
    left = command(tmp_path, "replay", explored["artifact"], "--pdb", stdin="q\n")
    assert left.returncode == 1 and left.stderr == ""
    refused = command(tmp_path, "replay", explored["artifact"], "--all")
    assert refused.returncode == 2 and "--all has no effect" in refused.stderr


def test_a_known_bug_is_shown_by_its_own_program(tmp_path):
    """Switched on by name; the replay switches it on again."""
    listed = json.loads(command(tmp_path, "bugs", "b24", "--json").stdout)["bugs"][0]
    assert listed["name"] == "B24" and listed["protocols"] == ["chained"]
    done = command(tmp_path, "explore", "--bug", "b24", "--executions", "2000", "--json")
    assert done.returncode == 1, done.stderr
    explored = json.loads(done.stdout)["explored"][0]
    assert explored["target"]["bugs"] == ["B24"] and explored["failure"]["rule"] == listed["rule"]
    told = explored["explained"]
    assert told["swap"]["found"] and len(told["swap"]["named"]) == 2
    assert told["state"] and {word["name"].split(" ")[0] for word in told["state"]} == {"VmObject"}
    shown = command(tmp_path, "replay", explored["artifact"])
    assert shown.returncode == 1 and "it fails again" in shown.stdout


def test_a_sound_program_exits_with_zero(sound, tmp_path):
    done = command(tmp_path, "explore", sound.program, "--executions", "300", "--strategy", "pct", "--depth", "3")
    assert done.returncode == 0, done.stderr
    assert "nothing found in 300 executions (pct 3 300)" in done.stdout


@pytest.mark.parametrize("protocol", protocol_names())
@pytest.mark.parametrize(("frames", "ending"), [(1, DEADLOCK), (2, FINISHED)])
def test_a_fault_that_needs_two_frames_sleeps_until_they_are_free(protocol, frames, ending):
    """A private write to a file's page: it does not take the only frame again and again, for the page it gives back."""
    lab = plan_laboratory(BUGS["B5"].plan(), protocol, 1, frames=frames)
    lab.engine.limit = 2_000
    lab.run(1)
    assert lab.engine.ended == ending


@pytest.mark.parametrize("protocol", protocol_names())
@pytest.mark.parametrize(("frames", "ending"), [(2, DEADLOCK), (3, FINISHED)])
def test_two_such_faults_do_share_frames_if_there_are_enough(protocol, frames, ending):
    build = PlanBuilder("two private writes of one page of a file")
    first = mapped(build, 1, file=True)
    build.fork(first)
    other = build.fork(first)
    for lwp in (first, other):
        build.touch(lwp, BASE, write=True)
    lab = plan_laboratory(build.finish(), protocol, 2, frames=frames)
    lab.engine.limit = 2_000
    for _ in range(50):
        lab.run(1)
        assert lab.engine.ended == ending


@pytest.mark.skipif(not jit_off(), reason="a build of its own: 35 s to compile")
def test_the_only_state_at_rest_is_checked(tmp_path):
    """B44 is seen at rest only, and all executions of its program end in one state: the first of them, too."""
    target = Target(OF_BUG + "B44", "backing", 2, bugs=["B44"])
    explored = explore(target, choices_of("stay", 2), Budget(3), 0, 0.0, tmp_path, Watcher())
    assert explored.failure and explored.failure.rule == "page-queue" and explored.tally.executions == 1


def test_without_a_terminal_a_line_says_now_and_then_how_far_it_is(deadlock, monkeypatch, capsys):
    with show_explore.Progress(True) as progress:
        progress.compiling(deadlock)
        progress.searched(Tally(executions=10, seconds=2.0))
        assert capsys.readouterr().err == "transfer: compiling, if this is the first time\n"
        monkeypatch.setattr(show_explore, "SAID", 0.0)
        progress.searched(Tally(executions=2000, seconds=2.0))
        assert capsys.readouterr().err == "2,000 executions, 1,000 a second, nothing found\n"
    with show_explore.Progress(False) as silent:
        silent.compiling(deadlock)
    assert capsys.readouterr().err == ""


def test_a_program_too_large_for_the_machine_is_no_deadlock(tmp_path):
    with pytest.raises(ProgramError, match="fork_chain-chained needs more than the 64 frames"):
        explore(Target("fork_chain", "chained", 2), PORTFOLIO, Budget(3), 0, 0.0, tmp_path, Watcher())
