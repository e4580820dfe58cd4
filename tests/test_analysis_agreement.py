"""What the CPUs find themselves and what is found in their events alone is the same, of broken protocols too."""

from pathlib import Path

import pytest
from helpers_agreement import events_of, recorded_laboratory
from helpers_bugs import MIX
from helpers_runs import options

from vmconc.analysis.agreement import BOTH, ONLY_CPUS, ONLY_EVENTS, names
from vmconc.analysis.check import OWN_RULES, check
from vmconc.analysis.events import load
from vmconc.analysis.order_rule import ORDER_CYCLE
from vmconc.checks.violations import inline_violations
from vmconc.coordinator.single import run_once
from vmconc.explore.bugs import BUGS, CATALOGUE
from vmconc.locks.rules import RULES
from vmconc.memory.jit import jit_off
from vmconc.program.programs import load_program
from vmconc.schedule.records import FINISHED
from vmconc.schedule.steps import STEP_FREE

pytestmark = pytest.mark.timeout(300)
FREED = ("B69",)  # it releases the token of a freed record, whose class fits into no event uncompiled
CASES = [(bug, protocol) for bug in CATALOGUE for protocol in bug.protocols if bug.name not in FREED]
NAMES = [f"{bug.name}-{protocol}" for bug, protocol in CASES]
EXECUTIONS = 12
COUNTED = ("lock-order", "lock-recursion", "held-at-return", "io-map-held")  # both find them equally often


def found_by_both(lab, protocol, number):
    """Run an execution; return the rules of BOTH that its CPUs found, those found in its events, and all of these."""
    lab.engine.strategy, lab.engine.depth = MIX[number % len(MIX)]
    lab.run(1)
    inline = {violation["rule"] for violation in inline_violations(lab.segment)}
    offline = {broken.rule for broken in check(events_of(lab, protocol), "").broken}
    return inline & BOTH, offline & BOTH, offline


@pytest.mark.skipif(not jit_off(), reason="each bug is a build of its own: 45 s to compile")
@pytest.mark.parametrize(("bug", "protocol"), CASES, ids=NAMES)
def test_both_validators_find_the_same_rules_broken_and_without_the_bug_none(bug, protocol, monkeypatch):
    lab = recorded_laboratory(bug, protocol, (bug.name,), monkeypatch)
    found = [found_by_both(lab, protocol, number) for number in range(EXECUTIONS)]
    assert [inline for inline, _, _ in found] == [offline for _, offline, _ in found]
    if bug.rule in BOTH:
        assert any(bug.rule in inline for inline, _, _ in found)
    correct = recorded_laboratory(bug, protocol, (), monkeypatch)
    for number in range(EXECUTIONS):
        assert found_by_both(correct, protocol, number) == (set(), set(), set())
        assert correct.engine.ended == FINISHED


def test_every_rule_says_who_checks_it():
    cpus, events = {name for name, _ in RULES.values()}, {*OWN_RULES, ORDER_CYCLE}
    assert names(ONLY_CPUS) <= cpus and names(ONLY_EVENTS) == events
    assert cpus - names(ONLY_CPUS) == BOTH and not BOTH & events


@pytest.mark.slow
@pytest.mark.parallel
@pytest.mark.parametrize("name", ["B3", "B4", "B22"])
def test_both_validators_find_the_same_on_worker_processes(name, tmp_path):
    bug = BUGS[name]
    wanted = options(tmp_path, mode="recorded", bugs=(name,), time_limit=5.0, stall=2.0)
    result = run_once(bug.plan(), bug.protocols[0], wanted)
    inline = [found["rule"] for found in result.violations]
    offline = {found.rule: found.count for found in result.checked.broken}
    assert bug.rule in inline and set(inline) & BOTH == set(offline) & BOTH
    assert {rule: inline.count(rule) for rule in COUNTED} == {rule: offline.get(rule, 0) for rule in COUNTED}
    assert Path(result.run_dir, "run.json").exists() and result.exit_code


@pytest.mark.slow
@pytest.mark.parallel
@pytest.mark.parametrize("protocol", ["chained", "backing"])
def test_records_that_are_freed_and_allocated_again_break_no_rule(protocol, tmp_path):
    """Spaces and objects come and go, so the same bytes are a parent's lock first, and a child's later."""
    result = run_once(load_program("fork_chain", 2, {}), protocol, options(tmp_path, mode="recorded"))
    freed = (load(Path(result.run_dir)).action == STEP_FREE).sum()
    assert result.exit_code == 0 and result.checked.broken == [] and freed > 100
