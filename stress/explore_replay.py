"""Find each bug of the catalogue and of the lock programs, and replay it many times: all must be exactly the same.

    NUMBA_DISABLE_JIT=1 python stress/explore_replay.py --times 1000
    python stress/explore_replay.py --times 1000 B24 dining account

Exit code 1 if a replay was not in every way what was recorded.
"""

import argparse
import sys
import time
from pathlib import Path

from vmconc.explore.bugs import BUGS, CATALOGUE
from vmconc.explore.search import PORTFOLIO, Budget, search
from vmconc.explore.session import artifact_of, at_rest, replay
from vmconc.explore.target import OF_BUG, Target, make
from vmconc.program.programs import lock_program

LOCKS = Path(lock_program("account")).parent


def targets(names: list[str]) -> list[Target]:
    """Return the programs of these names, or all: the lock programs, and that of each bug with the bug switched on."""
    wanted = names or [*sorted(path.stem for path in LOCKS.glob("*.py")), *(bug.name for bug in CATALOGUE)]
    found = []
    for name in wanted:
        if name in BUGS:
            bug = BUGS[name]
            found += [
                Target(
                    OF_BUG + name, protocol, bug.cpus, bugs=[name], io_errors=bug.io_errors, points=bug.points,
                    races=bug.races,
                )
                for protocol in bug.protocols
            ]
        else:
            found.append(Target(lock_program(name)))
    return found


def main() -> int:
    """Find and replay them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="bugs and lock programs; default: all")
    parser.add_argument("--times", type=int, default=1000, help="replays of each")
    parser.add_argument("--executions", type=int, default=3000, help="at most so many to find it")
    parser.add_argument("--processes", action="store_true", help="replay on processes")
    options = parser.parse_args()
    wrong = replayed = 0
    for target in targets(options.names):
        begun = time.monotonic()
        lab = make(target)
        _, failure = search(lab, PORTFOLIO, Budget(options.executions), 0, at_rest(lab, target))
        if failure is None:
            print(f"{target.name}: nothing found", flush=True)
            continue
        result = replay(artifact_of(target, failure), times=options.times, processes=options.processes)
        repeated, seconds = result.repeated, time.monotonic() - begun
        wrong += repeated.times - repeated.exact
        replayed += repeated.times
        hand_over = f", {result.handed.microseconds:.1f} us a hand-over" if result.handed else ""
        said = f"{repeated.exact:,} of {repeated.times:,}{hand_over}, {seconds:.0f} s {repeated.differs}"
        print(f"{target.name}: {failure.rule}, {failure.steps} steps: {said}", flush=True)
    print(f"{replayed - wrong:,} of {replayed:,} replays were exactly what was recorded")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
