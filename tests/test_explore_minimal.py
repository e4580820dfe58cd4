"""The smallest failure of every bug of the catalogue: it fails by the bug's rule, and is as small as is asked for.

`vmconc bugs --measure --keep tests/data/minimal` finds them anew.
"""

from pathlib import Path

import pytest
from msgspec.structs import replace

from vmconc.explore.bugs import BUGS, CATALOGUE
from vmconc.explore.failure import breaks, read
from vmconc.explore.minimise import run_turns
from vmconc.explore.session import at_rest
from vmconc.explore.target import make
from vmconc.memory.jit import jit_off

FOLDER = Path(__file__).resolve().parent / "data" / "minimal"
SUFFIX = ".failure.json"
CASES = sorted(path.name.removesuffix(SUFFIX) for path in FOLDER.glob(f"*{SUFFIX}"))
CPUS_MOST, PREEMPTIONS_MOST = 3, 4
interpreted = pytest.mark.skipif(not jit_off(), reason="each bug is a build of its own: 45 s to compile")


def again(target, turns):
    """Make these decisions in a target's machine; return the failure, if any, and the decision it went apart at."""
    lab = make(target)
    return run_turns(lab, turns, at_rest(lab, target)), lab.engine.diverged


def test_each_bug_of_the_catalogue_has_one():
    assert sorted(f"{bug.name}-{protocol}" for bug in CATALOGUE for protocol in bug.protocols) == CASES


@interpreted
@pytest.mark.parametrize("case", CASES)
def test_it_is_small_fails_by_the_rule_of_the_bug_and_the_protocol_without_it_is_silent(case):
    """The same program with the same decisions, as far as they can be made without the bug."""
    artifact = read(FOLDER / f"{case}{SUFFIX}")
    target, kept, bug = artifact.target, artifact.failure, BUGS[case.partition("-")[0]]
    assert target.bugs == [bug.name] and target.cpus <= CPUS_MOST and kept.preemptions <= PREEMPTIONS_MOST
    assert len(target.written.operations) <= len(bug.plan().ops)
    failure, diverged = again(target, kept.turns)
    assert diverged == 0 and breaks(failure, bug.rule)
    assert (failure.preemptions, failure.steps, failure.turns) == (kept.preemptions, kept.steps, kept.turns)
    assert again(replace(target, bugs=[]), kept.turns)[0] is None
