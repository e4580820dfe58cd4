"""Small lock programs without plan: straight lines of lock operations and accesses, for searches through all orders.

With the JIT off only: what a thread reads is written down outside of the program, so that it is part of the result.
"""

import random

from helpers_schedule import TURNS

from vmconc.explore import lockprogram
from vmconc.explore.laboratory import engine_tables
from vmconc.schedule.records import CUT, ENDINGS, FINISHED

HEAD = """
from vmconc.concurrent import *

SEEN = {}

def see(cpu, value):
    SEEN.setdefault(cpu.index, []).append(int(value))

@shared
class Shared:
    a: Mutex
    b: Mutex
    items: Semaphore
    signal: Condition
    lock: Rwlock
    spin: Spinlock
    x: int
    y: int
    flag: int
"""
KINDS = (
    ("access",), ("access", "mutex", "nested"), ("access", "mutex", "try"), ("access", "up", "down", "up"),
    ("access", "read", "write"), ("access", "spin"), ("access", "wait", "signal", "loose"), ("access", "turn", "set"),
    ("access", "mutex", "try", "up", "down", "read", "write"),
)  # fmt: skip


def access(chance):
    """Return an access to a word, as text."""
    word, value = chance.choice("xxy"), chance.randrange(1, 9)
    return chance.choice([
        f"see(cpu, s.{word})", f"s.{word} = {value}", f"s.{word} += {value}",
        f'see(cpu, atomic_add(s, "{word}", {value}))', f'see(cpu, atomic_cas(s, "{word}", 0, {value}))',
    ])  # fmt: skip


def block(chance, kind):
    """Return the lines of a lock operation with what is done under the lock, or of an access."""
    one, other = chance.sample("ab", 2)
    inside = [access(chance) for _ in range(chance.randrange(2))]
    lock, unlock = (f"mutex_{name}(cpu, s.{one})" for name in ("lock", "unlock"))
    return {
        "access": [access(chance)],
        "mutex": [lock, *inside, unlock],
        "nested": [lock, f"mutex_lock(cpu, s.{other})", *inside, f"mutex_unlock(cpu, s.{other})", unlock],
        "try": [f"if mutex_try(cpu, s.{one}):", f"    {access(chance)}", f"    {unlock}", "else:", "    see(cpu, -1)"],
        "up": ["semaphore_up(cpu, s.items)"],
        "down": ["semaphore_down(cpu, s.items)"],
        "read": ["read_lock(cpu, s.lock)", *inside, "read_unlock(cpu, s.lock)"],
        "write": ["write_lock(cpu, s.lock)", *inside, "write_unlock(cpu, s.lock)"],
        "spin": ["spin_acquire(cpu, s.spin)", *inside, "spin_release(cpu, s.spin)"],
        "wait": [lock, "while s.flag == 0:", f"    condition_wait(cpu, s.signal, s.{one})", unlock],
        "signal": [lock, "s.flag = 1", "condition_signal(cpu, s.signal)", unlock],
        "loose": ["s.flag = 1", "condition_signal(cpu, s.signal)"],
        "turn": ["while s.flag == 0:", "    wait_a_turn(cpu)"],
        "set": ["s.flag = 1"],
    }[kind]


def program(seed):
    """Return the text of a program of two or three threads; in one of three the first starts and joins the others."""
    chance = random.Random(seed)
    kinds, threads, starts = KINDS[seed % len(KINDS)], chance.choice([2, 2, 3]), chance.random() < 0.3
    most = 4 if threads == 2 else 3
    bodies = []
    for _ in range(threads):
        blocks = [block(chance, chance.choice(kinds)) for _ in range(chance.randrange(1, most))]
        bodies.append([line for lines in blocks for line in lines])
    if starts:
        begun = [f"start(cpu, {i})" for i in range(1, threads)]
        place = chance.randrange(threads)
        joined = [f"join(cpu, {i})" for i in range(1, threads) if chance.random() < 0.7]
        bodies[0] = [*begun[:place], *bodies[0], *begun[place:], *joined, "see(cpu, s.x)"]
    text = HEAD
    for i, body in enumerate(bodies):
        later = "(started=False)" if starts and i else ""
        text += f"\n@thread{later}\ndef thread_{i}(cpu, s):\n" + "".join(f"    {line}\n" for line in body)
    return text


def results(path, strategy, most):
    """Run all executions: what they can come to, and whether that was all; after the first failure nothing more.

    A result is what the words hold at the end and what each thread has read; of a failure how the execution ended.
    """
    module = lockprogram.load_file(path)
    lab = lockprogram.lock_laboratory(module)
    lab.engine.strategy, lab.engine.bound, lab.engine.limit = strategy, -1, 400
    found, left = set(), most
    while left > 0 and not lab.engine.exhausted:
        module.SEEN.clear()
        left -= lab.run(1)
        words = lab.argument
        if lab.engine.ended == FINISHED:
            read = tuple((cpu, *module.SEEN[cpu]) for cpu in sorted(module.SEEN))
            found.add((words.x, words.y, words.flag, words.items.value, read))
        elif lab.engine.ended != CUT:
            return {ENDINGS[lab.engine.ended]}, True
    return found, bool(lab.engine.exhausted)


def small_tables(monkeypatch):
    """Have machines with little room for decisions: with the JIT off all of it is brought back each time."""
    monkeypatch.setattr(lockprogram, "engine_tables", lambda cpus, **more: engine_tables(cpus, TURNS))
