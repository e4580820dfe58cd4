"""Looking for a bug of the catalogue: executions one at a time, the strategies in turn."""

from vmconc.checks.quiescent import check_quiescent
from vmconc.checks.violations import inline_violations
from vmconc.explore.machine import plan_laboratory
from vmconc.explore.target import ACCESSES
from vmconc.schedule.records import ENDINGS, FINISHED, VIOLATED
from vmconc.schedule.strategies import PCT, POS, UNIFORM

MIX = ((UNIFORM, 0), (PCT, 2), (POS, 0), (PCT, 3))  # strategy and, for PCT, the depth of the bugs looked for


def bug_laboratory(bug, protocol, bugs=(), random=1):
    """Return an engine for the bug's program, under a build with these bugs."""
    lab = plan_laboratory(bug.plan(), protocol, bug.cpus, bugs, accesses=bug.points == ACCESSES, races=bug.races)
    lab.engine.io_errors, lab.engine.random = bug.io_errors, random
    return lab


def reported(lab, protocol):
    """Return the rules that the last execution broke; a deadlock or livelock counts as one."""
    if lab.engine.ended == VIOLATED:
        return [violation["rule"] for violation in inline_violations(lab.segment)]
    if lab.engine.ended != FINISHED:
        return [ENDINGS[lab.engine.ended]]
    return [violation["rule"] for violation in check_quiescent(lab.segment, protocol)]


def find(lab, protocol, limit):
    """Run executions, the strategies in turn, until one breaks a rule: (how many were run, the rules)."""
    for number in range(limit):
        lab.engine.strategy, lab.engine.depth = MIX[number % len(MIX)]
        lab.run(1)
        rules = reported(lab, protocol)
        if rules:
            return number + 1, rules
    return limit, []
