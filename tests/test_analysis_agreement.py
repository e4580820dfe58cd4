"""What the CPUs find themselves and what is found in their events alone is the same, of broken protocols too."""

from pathlib import Path

import pytest
from helpers_runs import options

from vmconc.analysis.check import check_run
from vmconc.coordinator.single import run_once
from vmconc.explore.bugs import BUGS

pytestmark = [pytest.mark.parallel, pytest.mark.slow, pytest.mark.timeout(300)]
BOTH = ("lock-order", "lock-recursion", "held-at-return", "io-map-held")  # rules that both check in the same way


@pytest.mark.parametrize("name", ["B3", "B22"])
def test_both_validators_find_the_same_number_of_broken_rules(name, tmp_path):
    bug = BUGS[name]
    wanted = options(tmp_path, mode="recorded", bugs=(name,), time_limit=5.0, stall=2.0)
    result = run_once(bug.plan(), bug.protocols[0], wanted)
    inline = [found["rule"] for found in result.violations]
    offline = {found.rule: found.count for found in check_run(Path(result.run_dir)).broken}
    assert bug.rule in inline
    assert {rule: inline.count(rule) for rule in BOTH} == {rule: offline.get(rule, 0) for rule in BOTH}
