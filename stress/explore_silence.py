"""Explore every program of the catalogue of bugs with no bug switched on: whatever is reported is a real one.

    python stress/explore_silence.py --executions 250000 --seed 1

Exit code 1 if anything was found; the failure is kept below failures/ and can be replayed with `vmconc replay`.
"""

import argparse
import sys
import time
from pathlib import Path

from vmconc.explore.bugs import CATALOGUE
from vmconc.explore.search import PORTFOLIO, Budget
from vmconc.explore.session import Watcher, explore
from vmconc.explore.target import LOCKS, OF_BUG, POINTS, Target
from vmconc.protocols import protocol_names

SIMPLIFY = 10.0  # seconds


def targets(points: str, races: bool) -> list[Target]:
    """Return each program under each protocol, once."""
    found = {}
    for bug in CATALOGUE:
        for protocol in protocol_names():
            key = (bug.program.__name__, protocol, bug.io_errors)
            name, errors = OF_BUG + bug.name, bug.io_errors
            target = Target(name, protocol, bug.cpus, io_errors=errors, points=points, races=races)
            found.setdefault(key, target)
    return list(found.values())


def main() -> int:
    """Explore them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--executions", type=int, default=250_000, help="executions of each program and protocol")
    parser.add_argument("--seed", type=int, default=0, help="seed of the strategies")
    parser.add_argument("--points", choices=POINTS, default=LOCKS, help="what is a step, as for vmconc explore")
    parser.add_argument("--races", action="store_true", help="look for data races, with --points accesses")
    options = parser.parse_args()
    if options.races and options.points == LOCKS:
        parser.error("--races needs --points accesses")
    total, failed, begun = 0, 0, time.monotonic()
    for target in targets(options.points, options.races):
        budget = Budget(options.executions)
        explored = explore(target, PORTFOLIO, budget, options.seed, SIMPLIFY, Path("failures"), Watcher())
        total += explored.tally.executions
        failed += explored.failure is not None
        said = f"{explored.failure.rule}: {explored.artifact}" if explored.failure else "nothing"
        print(f"{target.name}: {explored.tally.executions:,} executions, {said}", flush=True)
    print(f"{total:,} executions in {time.monotonic() - begun:.0f} s, {failed} failures")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
