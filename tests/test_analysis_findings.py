"""What several reports ask of a run is worked out once, and is the same as if each had worked it out itself."""

import numpy as np
import pytest
from test_page import contended

from vmconc.analysis import findings, usage
from vmconc.analysis.blame import blame
from vmconc.analysis.figures import figures
from vmconc.analysis.findings import Findings
from vmconc.analysis.order_told import ordered
from vmconc.analysis.report import report
from vmconc.page.change.charted import charted
from vmconc.page.run import run_page

ONCE = [(usage, "holds"), (usage, "waits"), (findings, "bounced"), (findings, "who_holds")]


@pytest.fixture
def counts(monkeypatch):
    """Return how often each costly step is taken; elsewhere than here none of them may be."""
    from vmconc.analysis import blame

    found = {}

    def counting(name, original):
        def step(*arguments):
            found[name] = found.get(name, 0) + 1
            return original(*arguments)

        return step

    for module, name in [*ONCE, (blame, "who_holds"), (blame, "waits")]:
        monkeypatch.setattr(module, name, counting(name, getattr(module, name)))
    return found


def test_a_page_works_out_once_what_its_sections_share(counts):
    run_page(contended(), "", lambda name: None)
    assert counts == {name: 1 for _, name in ONCE}


def test_a_report_with_conditions_and_a_comparison_with_charts_do_so_too(counts):
    run = Findings(contended(), "")
    figures(run)
    report(run, "site", "wait", 20, [])
    charted(run, ordered(run.events, ""))
    assert counts == {name: 1 for _, name in ONCE}


def test_blame_is_that_of_the_events():
    events = contended()
    run = Findings(events, "")
    for found, chain in ((run.blame, False), (run.blame_along_chain, True)):
        alone = blame(events, chain)
        for column in ("wait", "ticks", "kind", "cpu", "site"):
            assert np.array_equal(getattr(found, column), getattr(alone, column))
    assert run.blame.ticks.sum() > 0
