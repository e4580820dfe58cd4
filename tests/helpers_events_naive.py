"""Sums of waits and holds by plain loops, one event after the other: what reports are held against."""

import random
from collections import defaultdict

from helpers_events import BUSY, CLASS, COUNT, MAP, MAP_2, OBJECT, S, X, begins, ends, gave, story, took, waited, waits

from vmconc.analysis.grouping import OUTSIDE
from vmconc.locks.classes import CLASS_NAMES
from vmconc.schedule.steps import (
    STEP_ACQUIRE,
    STEP_BEGIN,
    STEP_END,
    STEP_LOSE,
    STEP_READ,
    STEP_READ_DONE,
    STEP_RELEASE,
    STEP_REOWN,
    STEP_SLEEP,
    STEP_TRIED,
    STEP_WAIT,
    STEP_WAITED,
    STEP_WAKE,
)
from vmconc.vm.opcodes import FORK, MMAP, TOUCH

NAMES = {TOUCH: "fault", FORK: "fork", MMAP: "mmap"}
SUMS = ("acquired", "shared", "exclusive", "contended", "wait_ns", "holds", "hold_ns", "bounces")


def storm(seed, cpus=3, rounds=60):
    """Return events of CPUs that do something by chance, for an LWP each time."""
    chance, steps = random.Random(seed), []
    for _ in range(rounds):
        cpu, kind, lwp = chance.randrange(cpus), chance.choice((*NAMES, 0)), chance.randrange(4)
        steps += [begins(cpu, kind, lwp)] if kind else []
        for _ in range(chance.randrange(4)):
            steps += [chance.randrange(1, 3000), *chance.choice((locked, paged_in, waited_in_vain))(chance, cpu)]
        steps += [ends(cpu, kind)] if kind else []
    return story(*steps, cpus=cpus)


def locked(chance, cpu):
    """Return an acquisition, perhaps after a wait, perhaps with a second one inside, and the release."""
    lock, mode, site = chance.choice((MAP, MAP_2, OBJECT, BUSY, COUNT)), chance.choice((S, X)), chance.randrange(1, 6)
    wait = [waits(cpu, CLASS[lock], mode), chance.randrange(1, 500), waited(cpu, CLASS[lock])]
    taken = [chance.choice((took(cpu, lock, mode, site), (cpu, STEP_TRIED, lock, mode, site)))]
    inner = [took(cpu, lock, mode, 9), chance.randrange(1, 90), gave(cpu, lock, mode)]
    return [*chance.choice((wait, [])), *taken, chance.randrange(1, 400), *chance.choice((inner, [])), gave(cpu, lock)]


def paged_in(chance, cpu):
    """Return a page-in across which a token is given up, and in which there is a wait."""
    given_up, again = (cpu, STEP_LOSE, OBJECT, X), (cpu, STEP_REOWN, OBJECT, X)
    read, done = (cpu, STEP_READ, BUSY, X), (cpu, STEP_READ_DONE, BUSY, X)
    return [took(cpu, OBJECT, X, 7), 5, given_up, read, *locked(chance, cpu), again, done, 11, gave(cpu, OBJECT)]


def waited_in_vain(chance, cpu):
    """Return a wait that acquires nothing, in which the CPU slept on the lock or did not."""
    cls, slept = CLASS[BUSY], [(cpu, STEP_SLEEP, BUSY, X, 3), (cpu, STEP_WAKE)]
    return [waits(cpu, cls), *chance.choice((slept, [])), chance.randrange(1, 200), waited(cpu, cls)]


def naive(events):
    """Return, for each grouping, {name: sums}."""
    found = {by: defaultdict(lambda: dict.fromkeys(SUMS, 0)) for by in GROUPS}
    bounces = naive_bounces(events)
    for cpu in range(len(events.first) - 1):
        one_cpu(events, cpu, found, bounces)
    return found


GROUPS = ("class", "instance", "site", "cpu", "lwp", "phase")


def add(found, where, **amounts):
    for by, name in zip(GROUPS, where, strict=True):
        for column, amount in amounts.items():
            found[by][name][column] += amount


def one_cpu(events, cpu, found, bounces):
    """Follow one CPU."""
    kind, lwp, paging, since, slept, held, acquired_at = 0, 0, False, None, None, defaultdict(list), {}
    places = range(events.first[cpu], events.first[cpu + 1])
    for place in places:
        time, lock = int(events.raw["time"][place]), int(events.raw["lock"][place])
        action, cls, mode, site = (int(each[place]) for each in (events.action, events.cls, events.mode, events.site))
        name = NAMES.get(kind, OUTSIDE)
        phase = f"{name}, page-in" if paging else f"{name}, rest" if kind == TOUCH else name
        doing = (f"cpu {cpu}", f"lwp {lwp}" if kind else OUTSIDE, phase)
        if action == STEP_BEGIN:
            kind, lwp = cls, site
        elif action == STEP_END:
            kind = 0
        elif action in (STEP_READ, STEP_READ_DONE):
            paging = action == STEP_READ
        elif action == STEP_WAIT:
            since, slept = (time, doing), None
        elif action == STEP_SLEEP:
            slept = lock, site
        elif action == STEP_WAITED:
            what = slept or (0, 0)
            after = place + 1
            if after in places and events.action[after] in (STEP_ACQUIRE, STEP_TRIED) and events.cls[after] == cls:
                what = int(events.raw["lock"][after]), int(events.site[after])
            add(found, (*named(cls, *what), *since[1]), contended=1, wait_ns=time - since[0])
        elif action in (STEP_ACQUIRE, STEP_TRIED):
            acquired_at[lock] = site
            held[lock].append((time, (*named(cls, lock, site), *doing)))
            add(found, held[lock][-1][1], acquired=1, shared=1 - mode, exclusive=mode, bounces=bounces[place])
        elif action == STEP_REOWN:
            held[lock].append((time, (*named(cls, lock, acquired_at[lock]), *doing)))
        elif action in (STEP_RELEASE, STEP_LOSE):
            begun, where = held[lock].pop()
            add(found, where, holds=1, hold_ns=time - begun)


def named(cls, lock, site):
    """Return what class, instance and site are called where there are no tables and no names."""
    instance = f"offset {lock:#x}" if lock else f"{CLASS_NAMES[cls]}, which is not known"
    return CLASS_NAMES[cls], instance, f"site {site}" if site else "not known"


def naive_bounces(events):
    """Return, for each event, 1 if it gains a lock of which the gain before was another CPU's."""
    last, found = {}, [0] * len(events.raw)
    gains = [place for place in range(len(events.raw)) if events.gain[place] > 0]
    for place in sorted(gains, key=lambda place: events.raw["number"][place]):
        lock, cpu = int(events.raw["lock"][place]), int(events.cpu[place])
        found[place] = int(last.get(lock, cpu) != cpu)
        last[lock] = cpu
    return found
