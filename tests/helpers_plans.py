"""Random plans with every operation: those of `test_program_agreement_of_models`, and wiring, hints, msync too."""

from random import Random

from test_program_agreement_of_models import PAGES, RW, change, step

from vmconc.program import PlanBuilder
from vmconc.program.errors import PlanError
from vmconc.vm import opcodes as op

FILES = (60, 64)  # pages: no mapping reaches beyond


class Builder(PlanBuilder):
    """A builder whose mremap only moves and shrinks: growth of a written private file mapping is not emulated."""

    def mremap(self, lwp: int, va: int, length: int, new_va: int, new_length: int) -> None:
        """Move or shrink."""
        super().mremap(lwp, va, length, new_va, min(length, new_length))


def every_operation(seed: int, steps: int = 0):
    """Return a plan of random operations.  Touches that find nothing are forgiven; predicted ones are not."""
    random = Random(seed)
    build = Builder("random", seed)
    for pages in FILES:
        build.file(f"file{pages}", pages)
    build.mmap(build.spawn(), 0, PAGES // 2 * 4096, RW, 0)
    kinds = ["touch"] * random.choice([8, 16]) + ["wire"] * random.randrange(3) + ["advise"] * random.randrange(2)
    for kind in ("change", "fork", "thread", "exit", "vfork", "exec", "spawn"):
        kinds += [kind] * random.randrange(4 if kind in ("change", "fork", "thread", "exit") else 2)
    for _ in range(steps or random.choice([30, 80, 160])):
        try:
            one(build, random, random.choice(build.live() or [0]), kinds)
        except PlanError:
            continue
    plan = build.finish()
    plan.ops["flags"][plan.ops["kind"] == op.TOUCH] |= op.TOUCH_KERNEL
    return plan


def one(build: PlanBuilder, random: Random, lwp: int, kinds: list[str]) -> None:
    """Issue one random operation."""
    kind = random.choice(kinds)
    va, length = random.randrange(PAGES) * 4096, random.randrange(1, 5) * 4096
    if kind == "wire":
        (build.mlock if random.random() < 0.7 else build.munlock)(lwp, va, length)
    elif kind == "advise" and random.random() < 0.5:
        build.msync(lwp, va, length)
    elif kind == "advise":
        build.madvise(lwp, va, length, random.choice([op.ADVICE_DONTNEED, op.ADVICE_FREE, op.ADVICE_WILLNEED]))
    elif kind == "change":
        change(build, random, lwp, va, length, True)
    else:
        step(build, random, lwp, True, [kind])


def predicted_but_unmapped(plan, ops) -> list[int]:
    """List the touches of which it was predicted what they read, and that found no page."""
    touches = (plan.ops["kind"] == op.TOUCH) & (plan.ops["check"] != 0) & (ops["outcome"] == op.OUTCOME_UNMAPPED)
    return touches.nonzero()[0].tolist()
