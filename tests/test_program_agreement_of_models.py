"""In every order that the waits permit, an independent model reads what was predicted."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive import execute, linearise

from vmconc.program import builder as builder_module
from vmconc.program.builder import PlanBuilder
from vmconc.program.errors import PlanError
from vmconc.program.plan import Plan
from vmconc.vm import opcodes as op

PAGES = 6  # of the address space in play
RW = op.PROT_READ | op.PROT_WRITE


def random_plan(random: Random, steps: int, rare: bool) -> Plan:
    """Issue random operations; those that no program could issue are left out."""
    build = PlanBuilder("random")
    for pages in (3, PAGES):
        build.file(f"file{pages}", pages)
    first = build.spawn()
    build.mmap(first, 0, PAGES // 2 * 4096, RW, 0)
    kinds = ["touch"] * 12
    for kind in ("change", "fork", "thread", "exit", "vfork", "exec", "spawn"):
        most = 3 if kind in ("change", "fork", "thread", "exit") else 1
        kinds += [kind] * random.randrange(most + 1)
    for _ in range(steps):
        try:
            step(build, random, random.choice(build.live() or [0]), rare, kinds)
        except PlanError:
            continue
    return build.finish()


def step(build: PlanBuilder, random: Random, lwp: int, rare: bool, kinds: list[str]) -> None:
    """Issue one random operation."""
    kind = random.choice(kinds)
    va, length = random.randrange(PAGES) * 4096, random.randrange(1, 5) * 4096
    if kind == "touch":
        build.touch(lwp, va, write=random.random() < 0.6)
    elif kind == "change":
        change(build, random, lwp, va, length, rare)
    elif kind == "fork":
        build.fork(lwp)
    elif kind == "thread":
        build.vfork(lwp)
    elif kind == "vfork":
        build.vfork(lwp, suspend=True)
    elif kind == "exit":
        build.exit_(lwp)
    elif kind == "exec":
        build.exec_(lwp)
        build.mmap(lwp, 0, PAGES * 4096, RW, 0, random.choice([-1, 0, 1]))
    else:
        child = build.spawn()
        build.mmap(child, va, length, RW, op.MAP_SHARED, 0)


def change(build: PlanBuilder, random: Random, lwp: int, va: int, length: int, rare: bool) -> None:
    """Change the address space."""
    kind = random.randrange(8 if rare else 4)
    if kind == 0:
        build.munmap(lwp, va, length)
    elif kind == 1:
        build.mprotect(lwp, va, length, random.choice([RW, RW, op.PROT_READ]))
    elif kind < 4:
        flags = random.choice([0, op.MAP_SHARED, op.MAP_STACK])
        file = -1 if flags == op.MAP_STACK else random.choice([-1, 0, 1])
        build.mmap(lwp, va, length, RW, flags, file, random.randrange(3) * 4096)
    elif kind == 4:
        build.mremap(lwp, va, length, random.randrange(PAGES) * 4096, random.randrange(1, 5) * 4096)
    elif kind < 7:
        build.minherit(lwp, va, length, random.choice([op.INHERIT_SHARE, op.INHERIT_COPY, op.INHERIT_NONE]))
    else:
        build.brk(lwp, va, random.choice([length, -min(va, length)]))


def hold_against(plan: Plan, seen: dict[int, tuple[int, int] | None]) -> int:
    """Compare predictions with what was read; return how many there were."""
    predictions = 0
    for i, values in seen.items():
        check, own, parent = (int(plan.ops[name][i]) for name in ("check", "expect_own", "expect_parent"))
        predictions += check.bit_count()
        assert not check or values is not None, f"operation {i} was predicted to find a page"
        if check & op.CHECK_OWN:
            assert values[0] == own, f"own word of operation {i}"
        if check & op.CHECK_PARENT:
            assert values[1] == parent, f"parent's word of operation {i}"
    return predictions


@pytest.mark.parametrize("rare", [False, True], ids=["usual", "rare"])
@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_predictions_hold_in_every_permitted_order(rare, seed):
    random = Random(seed)
    words = builder_module.WORDS
    builder_module.WORDS = random.choice([3, 4, 512])  # few words: LWPs inherit those of exited ones
    try:
        plan = random_plan(random, random.choice([20, 60, 120]), rare)
    finally:
        builder_module.WORDS = words
    orders = [list(range(len(plan.ops))), *(linearise(plan, random) for _ in range(6))]
    compared = [hold_against(plan, execute(plan, order)) for order in orders]
    assert compared == [sum(check.bit_count() for check in plan.ops["check"].tolist())] * len(orders)
