"""Data races: found by what orders accesses, whichever came first, and only where nothing orders them."""

import pytest

from vmconc.checks.violations import inline_violations
from vmconc.explore.failure import failure_of
from vmconc.explore.lockprogram import load_file, lock_laboratory
from vmconc.memory.jit import jit_off
from vmconc.schedule.records import FINISHED, VIOLATED
from vmconc.schedule.strategies import STAY, UNIFORM

MANY = 20 if jit_off() else 3000
PROGRAM = """from vmconc.concurrent import *

@shared
class Box:
    mutex: Mutex
    lock: Rwlock
    spin: Spinlock
    items: Semaphore
    filled: Condition
    word: int
    seen: int
    log: Words(2)
    flag: int
    safe: int = atomic()

@kernel
def do(cpu, box):
    {cases}

@thread
def main(cpu, box):
    box.word = 1
    start(cpu, 1)
    start(cpu, 2)
    join(cpu, 1)
    if cpu.first_op == 0:
        join(cpu, 2)
    box.word += 1

@thread(started=False)
def one(cpu, box):
    do(cpu, box)

@thread(started=False)
def other(cpu, box):
    do(cpu, box)

@after
def end(cpu, box):
    check(cpu, box.word > 0)
"""
PLAIN = "box.word += 1"


def between(take, give, body=PLAIN):
    """Return statements between two lock operations."""
    return f"{take}\n{body}\n{give}"


SIGNAL = between(
    "mutex_lock(cpu, box.mutex)", "condition_signal(cpu, box.filled)\nmutex_unlock(cpu, box.mutex)", "box.flag = 1"
)
AWAIT = between(
    "mutex_lock(cpu, box.mutex)",
    "mutex_unlock(cpu, box.mutex)",
    "while box.flag == 0:\n    condition_wait(cpu, box.filled, box.mutex)",
)
LOOK = "while {} == 0:\n    wait_a_turn(cpu)\nbox.word = 3"
CASES = {
    "nothing": "pass",
    "plain": PLAIN,
    "plain store": "box.word = 5",
    "mutex": between("mutex_lock(cpu, box.mutex)", "mutex_unlock(cpu, box.mutex)"),
    "tried": "if mutex_try(cpu, box.mutex):\n    box.word += 1\n    mutex_unlock(cpu, box.mutex)",
    "spinlock": between("spin_acquire(cpu, box.spin)", "spin_release(cpu, box.spin)"),
    "writer": between("write_lock(cpu, box.lock)", "write_unlock(cpu, box.lock)"),
    "reader": between("read_lock(cpu, box.lock)", "read_unlock(cpu, box.lock)", "box.word"),
    "writing reader": between("read_lock(cpu, box.lock)", "read_unlock(cpu, box.lock)"),
    "up": "box.word = 2\nsemaphore_up(cpu, box.items)",
    "down": "semaphore_down(cpu, box.items)\nbox.word = 3",
    "down too late": "box.word = 3\nsemaphore_down(cpu, box.items)",
    "hand over": f"box.word = 2\n{SIGNAL}",
    "await": f"{AWAIT}\nbox.word = 3",
    "raise": "box.word = 2\nbox.flag = 1",
    "look": LOOK.format("box.flag"),
    "atomic raise": 'box.word = 2\natomic_store(box, "flag", 1)',
    "atomic look": LOOK.format('atomic_add(box, "flag", 0)'),
    "safe raise": "box.word = 2\nbox.safe = 1",
    "safe look": LOOK.format("box.safe"),
    "glance": "box.flag",
    "count": 'atomic_add(box, "seen", 1)',
    "log 0": "box.log[0] = 1",
    "log 1": "box.log[1] = 1",
    "read log": "box.log[1]",
}
RIGHT = [
    ("mutex", "mutex"), ("mutex", "tried"), ("spinlock", "spinlock"), ("writer", "writer"), ("reader", "writer"),
    ("reader", "reader"), ("up", "down"), ("hand over", "await"), ("atomic raise", "atomic look"),
    ("safe raise", "safe look"), ("log 0", "log 1"), ("count", "count"), ("plain", "nothing"),
]  # fmt: skip
WRONG = [
    ("plain", "plain", "word"), ("mutex", "plain", "word"), ("mutex", "spinlock", "word"),
    ("writing reader", "writing reader", "word"), ("writing reader", "reader", "word"), ("up", "down too late", "word"),
    ("raise", "look", "flag"), ("atomic raise", "glance", "flag"), ("log 1", "read log", "log[1]"),
]  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Return the file of a program whose threads do what they are told: one to compile for all tests."""
    cases = []
    for number, text in enumerate(CASES.values()):
        cases += [f"if cpu.first_op == {number}:", *("    " + line for line in text.split("\n"))]
    path = tmp_path_factory.mktemp("races") / "raced.py"
    path.write_text(PROGRAM.format(cases="\n    ".join(cases)))
    return path


def explored(path, one, other, strategy=UNIFORM, count=MANY, careless=0, races=True):
    """Return the engine after so many executions; `careless`: main does not wait for the other."""
    lab = lock_laboratory(load_file(path), races=races)
    for index, told in enumerate((careless, list(CASES).index(one), list(CASES).index(other))):
        lab.segment.nth("Cpu", index).first_op = told
    lab.segment.memory.notes.take_copy()
    lab.engine.strategy = strategy
    lab.run(count)
    return lab


@pytest.mark.parametrize(("one", "other"), RIGHT)
def test_nothing_is_said_of_what_is_ordered(path, one, other):
    lab = explored(path, one, other)
    assert inline_violations(lab.segment) == []
    assert lab.engine.ended == FINISHED and lab.engine.executions == MANY


@pytest.mark.parametrize("strategy", [UNIFORM, STAY])
@pytest.mark.parametrize(("one", "other", "word"), WRONG)
def test_a_race_is_found_in_the_first_execution(path, one, other, word, strategy):
    """Even without preemption: what comes of it does not matter, nor who comes first."""
    lab = explored(path, one, other, strategy, 1)
    [found] = inline_violations(lab.segment)
    assert (lab.engine.ended, found["rule"], found["subject"]) == (VIOLATED, "data-race", word)
    assert {access["cpu"] for access in found["accesses"]} == {1, 2}


def test_a_missing_join_is_a_race(path):
    lab = explored(path, "nothing", "plain", careless=1)
    [found] = inline_violations(lab.segment)
    assert (found["rule"], {access["cpu"] for access in found["accesses"]}) == ("data-race", {0, 2})


def test_both_accesses_are_told(path):
    """Who, how, where, and what was held, in the order in which they came."""
    lab = explored(path, "mutex", "plain store", STAY, 1)
    lines = [line.strip() for line in path.read_text().split("\n")]
    first = lines.index(PLAIN, lines.index("mutex_lock(cpu, box.mutex)")) + 1
    second = lines.index("box.word = 5") + 1
    one, other = inline_violations(lab.segment)[0]["accesses"]
    assert (one["cpu"], one["kind"], one["line"]) == (1, "read", f"raced.py:{first}")
    assert [lock["instance"].split(" ")[-1] for lock in one["held"]] == ["mutex"]
    assert (other["cpu"], other["kind"], other["line"], other["held"]) == (2, "written", f"raced.py:{second}", [])
    assert f"written by cpu 2 in raced.py:{second}, holding nothing" in failure_of(lab).lines[0]


def test_nothing_is_looked_for_unless_asked(path):
    lab = explored(path, "plain", "plain", races=False)
    assert lab.engine.ended == FINISHED and lab.engine.executions == MANY
