"""Every bug of the catalogue is found by the rule that it names, and the protocols without it are silent."""

import re
from pathlib import Path

import pytest
from helpers_bugs import bug_laboratory, find

from vmconc.checks.quiescent_report import RULES as QUIESCENT
from vmconc.explore.bugs import BUGS, CATALOGUE
from vmconc.locks.rules import RULES
from vmconc.memory.jit import jit_off
from vmconc.schedule.records import ENDINGS, FINISHED
from vmconc.schedule.strategies import STAY

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 1200
CASES = [(bug, protocol) for bug in CATALOGUE for protocol in bug.protocols]
NAMES = [f"{bug.name}-{protocol}" for bug, protocol in CASES]
interpreted = pytest.mark.skipif(not jit_off(), reason="each bug is a build of its own: 45 s to compile")


@interpreted
@pytest.mark.parametrize(("bug", "protocol"), CASES, ids=NAMES)
def test_a_bug_is_found_and_the_protocol_without_it_is_silent(bug, protocol):
    number, rules = find(bug_laboratory(bug, protocol, (bug.name,)), protocol, LIMIT)
    assert bug.rule in rules
    correct = bug_laboratory(bug, protocol)
    assert find(correct, protocol, number) == (number, [])
    assert correct.engine.ended == FINISHED


def test_a_bug_is_found_compiled_and_replayed():
    """One for all: B24, whose rule is broken in some interleavings only."""
    bug = BUGS["B24"]
    lab = bug_laboratory(bug, "chained", ("B24",))
    number, rules = find(lab, "chained", LIMIT)
    assert rules == [bug.rule] and number > 1
    turns = lab.turns()
    lab.prescribe(turns)
    lab.engine.strategy = STAY
    lab.run(1)
    assert lab.engine.diverged == 0 and lab.turns() == turns
    assert find(lab, "chained", 1) == (1, rules)


@pytest.mark.parametrize("bug", CATALOGUE, ids=[bug.name for bug in CATALOGUE])
def test_a_bug_is_described(bug):
    """By a rule that exists, in sentences; and the kernels have its variant."""
    rules = {name for name, _ in RULES.values()} | set(QUIESCENT) | set(ENDINGS.values())
    assert bug.rule in rules
    assert bug.interleaving.endswith(".") and bug.title and bug.origin
    kernels = [path for folder in ("locks", "vm", "protocols") for path in (ROOT / "vmconc" / folder).rglob("*.py")]
    assert any(f', "{bug.name}")' in path.read_text() for path in kernels)


def test_every_variant_in_the_kernels_is_in_the_catalogue():
    files = (ROOT / "vmconc").rglob("*.py")
    switched = {name for path in files for name in re.findall(r'\bbug\(\w+, "(B\d+)"\)', path.read_text())}
    assert switched == set(BUGS)


def test_the_page_of_bugs_lists_the_catalogue():
    rows = (ROOT / "docs" / "bugs.md").read_text().splitlines()
    for bug in CATALOGUE:
        for protocol in bug.protocols:
            assert any(row.startswith(f"| {bug.name} | {bug.title} | {protocol} | `{bug.rule}` |") for row in rows)
