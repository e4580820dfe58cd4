"""Random programs under every protocol until the time is up: any violation, hang or wrong read ends the campaign."""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from random import Random

from vmconc.coordinator.options import RunOptions
from vmconc.coordinator.session import Session
from vmconc.memory.build import Build
from vmconc.program.builder import PlanBuilder
from vmconc.program.errors import PlanError
from vmconc.program.plan import Plan
from vmconc.protocols import protocol_names
from vmconc.vm import opcodes as op

PAGE = 4096
PAGES = 48  # of the address space in play
READ_WRITE = op.PROT_READ | op.PROT_WRITE
KINDS = ("touch",) * 60 + ("mmap",) * 3 + ("munmap", "mprotect", "mremap", "madvise", "msync", "mlock", "munlock") + (
    "fork", "fork", "thread", "exit", "exit", "vfork", "exec", "minherit",
)  # fmt: skip


def random_range(random: Random) -> tuple[int, int]:
    """Return a random range of the address space in play: start and length in bytes."""
    first = random.randrange(PAGES)
    return first * PAGE, random.randrange(1, PAGES - first + 1) * PAGE


def random_mapping(build: PlanBuilder, random: Random, lwp: int) -> None:
    """Map anonymous memory or a file, private or shared."""
    va, length = random_range(random)
    flags = random.choice([0, 0, 0, op.MAP_SHARED])
    file = random.choice([-1, -1, 0, 1])
    pages = build.files[file].pages if file >= 0 else PAGES
    first = random.randrange(pages)
    length = min(length, (pages - first) * PAGE)
    build.mmap(lwp, va, length, READ_WRITE, flags, file, first * PAGE if file >= 0 else 0)


def step(build: PlanBuilder, random: Random) -> None:
    """Issue one random operation of a random LWP."""
    lwp = random.choice(build.live())
    kind = random.choice(KINDS)
    va, length = random_range(random)
    if kind == "touch":  # as the kernel's: a page that is not mapped is no violation
        build.touch(lwp, random.randrange(PAGES) * PAGE, write=random.random() < 0.6, kernel=True)
    elif kind == "mmap":
        random_mapping(build, random, lwp)
    elif kind == "mprotect":
        build.mprotect(lwp, va, length, random.choice([READ_WRITE, op.PROT_READ]))
    elif kind == "mremap":
        build.mremap(lwp, va, length, random.randrange(PAGES) * PAGE, length)
    elif kind == "madvise":
        build.madvise(lwp, va, length, random.choice([op.ADVICE_DONTNEED, op.ADVICE_FREE]))
    elif kind == "minherit":
        build.minherit(lwp, va, length, random.choice([op.INHERIT_COPY, op.INHERIT_SHARE, op.INHERIT_NONE]))
    elif kind in ("munmap", "msync", "mlock", "munlock"):
        getattr(build, kind)(lwp, va, length)
    elif kind == "thread":
        build.vfork(lwp)
    elif kind == "vfork":
        build.vfork(lwp, suspend=True)
    elif kind == "exit" and len(build.live()) > 1:
        build.exit_(lwp)
    elif kind == "exec":
        build.exec_(lwp)
        random_mapping(build, random, lwp)
    elif kind == "fork" and len(build.live()) < 40:
        build.fork(lwp)


def random_plan(seed: int, steps: int) -> Plan:
    """Make a random program; what no program could do is left out."""
    random = Random(seed)
    build = PlanBuilder(f"storm-{seed}", seed)
    for pages in (PAGES, 8):
        build.file(f"file{pages}", pages)
    for _ in range(2):
        first = build.spawn()
        build.mmap(first, 0, PAGES * PAGE, READ_WRITE, 0)
    for _ in range(steps):
        try:
            step(build, random)
        except PlanError:
            continue
    for lwp in reversed(build.live()):  # a suspended parent is older than the child it waits for
        build.exit_(lwp)
    return build.finish()


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="of the first program (default 0)")
    parser.add_argument("--steps", type=int, default=4000, help="operations of a program (default 4000)")
    parser.add_argument("--cpus", type=int, default=4, help="emulated CPUs (default 4)")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"), help="where the log goes (default runs)")
    return parser.parse_args()


def main() -> int:
    """Run the campaign; return the exit code."""
    given = arguments()
    options = RunOptions(cpus=given.cpus, frames=8192, runs=given.runs_dir, keep=False)
    protocols = protocol_names()
    end, runs, faults = time.monotonic() + given.seconds, 0, 0
    with Session([Build("counted", name) for name in protocols], options, "storm") as session:
        while time.monotonic() < end:
            seed = given.seed + runs
            plan = random_plan(seed, given.steps)
            latency, errors = Random(seed).choice([(0, 0.0), (300_000, 0.0), (0, 0.05)])
            for protocol in protocols:
                chosen = replace(options, seed=seed, io_latency=latency, io_error_rate=errors)
                result = session.run(plan, protocol, chosen)
                faults += result.faults
                if result.exit_code != 0:
                    print(f"seed {seed} under {protocol}: exit {result.exit_code}, {result.ending}")
                    for violation in result.violations[:5]:
                        print(f"  {violation['text']}")
                    return 1
            runs += 1
            print(f"\r{runs} programs, {faults:,} faults, nothing found", end="", flush=True)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
