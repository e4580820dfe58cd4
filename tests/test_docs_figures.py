"""Every query of the page about figures gives what the reports print; the queries are read from the page."""

import re
from pathlib import Path

import pytest
from helpers_events import (
    BUSY,
    CHAIN_LOCK,
    MAP,
    OBJECT,
    SPIN,
    S,
    X,
    begins,
    ends,
    gave,
    story,
    took,
    waited,
    waits,
    write_run,
)
from helpers_events_naive import storm
from helpers_runs import options, shared_file

from vmconc.analysis.blame_told import blamed
from vmconc.analysis.check import check
from vmconc.analysis.events import load
from vmconc.analysis.figures import figures
from vmconc.analysis.findings import Findings
from vmconc.analysis.heat import heat
from vmconc.analysis.histogram import histograms
from vmconc.analysis.order_told import ordered
from vmconc.analysis.report import report
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.coordinator.single import run_once
from vmconc.export.tables import ask
from vmconc.locks.classes import CLASS_NAMES, VM_MAP, VM_OBJECT, VM_PAGE
from vmconc.memory.jit import jit_off
from vmconc.schedule.steps import STEP_READ, STEP_READ_DONE, STEP_SLEEP
from vmconc.vm.opcodes import FORK, TOUCH

PAGE = Path(__file__).resolve().parent.parent / "docs" / "howto" / "figures.md"
REAL = (pytest.mark.slow, pytest.mark.skipif(jit_off(), reason="worker processes need the JIT"))
QUERIES = dict(re.findall(r"<!-- query: ([\w -]+) -->\n```sql\n(.*?)```", PAGE.read_text(), re.DOTALL))
READ = ((0, STEP_READ), 900, (0, STEP_READ_DONE))
CONTENDED = (  # readers, writers and a page-in under a lock; 6,000 ticks in all, so that a bin has 100
    begins(0, TOUCH, 3), 99, took(0, MAP, S, 1), took(1, MAP, S, 2), begins(2, FORK, 4), waits(2, VM_MAP), 501,
    took(0, CHAIN_LOCK, X, 3), took(0, OBJECT, X, 4), *READ, waits(1, VM_OBJECT, S), 300, gave(0, OBJECT),
    waited(1, VM_OBJECT), took(1, OBJECT, S, 5), took(1, SPIN, X, 6), gave(1, SPIN), gave(0, MAP, S), 700,
    gave(1, OBJECT, S), gave(1, MAP, S), 20, waited(2, VM_MAP), took(2, MAP, X, 7), took(2, BUSY, S, 8),
    waits(0, VM_PAGE), 60, gave(2, BUSY, S), waited(0, VM_PAGE), took(0, BUSY, X, 9), gave(0, BUSY),
    gave(0, CHAIN_LOCK), gave(2, MAP), ends(2, FORK),
)  # fmt: skip


def contended():
    """Return the story above, made as long as its bins want it."""
    length = sum(step if isinstance(step, int) else 1 for step in CONTENDED)
    return story(*CONTENDED, 6000 - length, ends(0, TOUCH), cpus=3)


def with_names(events):
    """Return events whose sites have names: what has none is null in tables."""
    events.run["recording"]["sites"] = {str(site): f"site {site}" for site in range(1, 10)}
    return events


RUNS = {"contended": contended, **{f"storm {seed}": lambda seed=seed: storm(seed) for seed in range(3)}}


@pytest.fixture(params=[*RUNS, pytest.param("recorded", marks=REAL)])
def events(request, tmp_path):
    """Return a story, or what a machine really recorded."""
    if request.param in RUNS:
        return with_names(RUNS[request.param]())
    result = run_once(shared_file(spaces=2, pages=8), "backing", options(tmp_path, mode="recorded"))
    return load(Path(result.run_dir))


def answer(events, name):
    return ask(events, QUERIES[name], lambda text: None).fetchall()


def listed(rows):
    """Return rows as a name and the numbers behind it."""
    return [(name, list(numbers)) for name, *numbers in rows]


def nearly(rows):
    """Return the same to compare with: numbers need to be equal nearly."""
    return [(name, pytest.approx(list(numbers), rel=1e-9, nan_ok=True)) for name, *numbers in rows]


def rows(events, by="class"):
    """Return the rows of a report by name, sorted."""
    return sorted(report(Findings(events, ""), by, "wait", 0, []).rows, key=lambda row: row.name)


def test_waits_and_holds_are_what_the_page_says(events):
    waited = [(row.name, row.contended, row.wait_ns) for row in rows(events) if row.contended]
    held = [(row.name, row.holds, row.hold_ns) for row in rows(events) if row.holds]
    assert held and listed(answer(events, "waits")) == nearly(waited)
    assert listed(answer(events, "holds")) == nearly(held)


def test_the_columns_of_report(events):
    found = [row for row in rows(events) if row.acquired]
    assert listed(answer(events, "report acquired")) == nearly([(row.name, row.shared, row.exclusive) for row in found])
    bounced = [(row.name, row.bounces, row.bounces_percent) for row in found]
    assert bounced and listed(answer(events, "report bounced")) == nearly(bounced)
    held = [(r.name, r.holds, r.hold_ns / 1e6, *us(r, "hold")) for r in found if r.holds]
    assert listed(answer(events, "report held")) == nearly(held)
    waiting = [row for row in report(Findings(events, ""), "class", "wait", 0, []).rows if row.contended]
    expected = [
        (r.name, r.contended, r.contended_percent, r.wait_ns / 1e6, *us(r, "wait"), r.wait_percent,
         r.cumulative_percent) for r in waiting
    ]  # fmt: skip
    assert listed(answer(events, "report waited")) == nearly(expected)


def us(row, what):
    return [getattr(row, f"{what}_{name}_ns") / 1e3 for name in ("avg", "p50", "p99", "max")]


def test_reports_by_lwp_and_phase(events):
    by_lwp, by_phase = (
        [(row.name, row.contended, row.wait_ns) for row in rows(events, by) if row.contended] for by in ("lwp", "phase")
    )
    found = answer(events, "report lwp")
    named = sorted(("outside of operations" if lwp is None else f"lwp {lwp}", *rest) for lwp, *rest in found)
    assert listed(named) == nearly(by_lwp)
    said = []
    for operation, paging_in, *rest in answer(events, "report phase"):
        name = f"{operation}, page-in" if paging_in else f"{operation}, rest" if operation == "fault" else operation
        said.append((name, *rest))
    assert listed(sorted(said)) == nearly(by_phase)


def test_the_head_of_a_report(events):
    run = report(Findings(events, ""), "class", "wait", 0, []).summary
    expected = (run.seconds, run.acquired, run.contended, run.wait_percent, run.events, run.unfinished_waits)
    expected += run.unfinished_holds, run.unfinished_operations, run.unfinished_page_ins
    assert answer(events, "report head")[0] == pytest.approx(expected)
    lasted = (run.faults.count, run.faults.total_ns, run.faults.p50_ns, run.faults.p99_ns, run.faults.max_ns)
    assert answer(events, "report faults")[0] == pytest.approx(lasted) and run.faults.count


def test_histogram(events):
    found = sorted(histograms(events, "", "wait", False, []).histograms, key=lambda one: one.cls)
    full = [(one.cls, each) for one in found for each in one.bins if each.count]
    expected = [((cls, each.from_ns), each.count, each.total_ns) for cls, each in full]
    told = [((cls, edge), count, ns) for cls, edge, count, ns in answer(events, "histogram")]
    assert listed(told) == nearly(expected)


def test_heat():
    events = with_names(contended())
    found = sorted(heat(events, "", 60).rows, key=lambda one: one.name)
    expected = [((row.name, place), share) for row in found for place, share in enumerate(row.percents) if share]
    assert len(expected) > 20
    assert listed([((cls, place), share) for cls, place, share in answer(events, "heat")]) == nearly(expected)


def test_blame():
    events = with_names(contended())
    told = blamed(events, "", "site", []).rows
    nobody = "nobody: wake-up"
    found = [((waiter, holder or nobody), ns, count) for waiter, holder, ns, count in answer(events, "blame")]
    expected = sorted(((row.waiter, row.holder), row.nanoseconds, row.waits) for row in told)
    assert listed(sorted(found)) == nearly(expected)
    assert len(told) >= 6 and {row.holder for row in told} > {nobody}


def test_order():
    events = with_names(contended())
    told = ordered(events, "").edges
    expected = {f"{edge.held} {edge.held_mode} -> {edge.wanted} {edge.mode}": edge.count for edge in told}
    assert dict(answer(events, "order")) == expected and len(expected) >= 5


def test_held_across_io(events):
    known = figures(Findings(events, ""))
    expected = [
        ((cls, mode), known[f"{cls}.{mode}.io.count"], known[f"{cls}.{mode}.io.total"])
        for cls in sorted(CLASS_NAMES.values()) for mode in ("exclusive", "shared") if known[f"{cls}.{mode}.io.count"]
    ]  # fmt: skip
    told = [((cls, mode), count, ns) for cls, mode, count, ns in answer(events, "diff io")]
    assert listed(told) == nearly(expected)


def test_the_run_with_all_in_it_has_waits_bins_and_io_to_compare():
    events = with_names(contended())
    assert all(answer(events, name) for name in ("waits", "report waited", "report lwp", "histogram", "diff io"))


BROKEN = {
    "not-held": (took(0, MAP), gave(0, MAP), gave(0, MAP), gave(1, OBJECT)),
    "lock-order": (took(0, SPIN), took(0, MAP), took(0, BUSY), gave(0, SPIN), took(1, MAP), took(1, BUSY)),
    "token-over-sleep": (
        (0, STEP_SLEEP, BUSY), took(0, OBJECT), (0, STEP_SLEEP, BUSY), (0, STEP_SLEEP, BUSY), gave(0, OBJECT),
        (0, STEP_SLEEP, BUSY), took(1, MAP), (1, STEP_SLEEP, BUSY),
    ),
    "two-writers": (took(0, MAP), took(1, MAP), gave(1, MAP), took(1, MAP), gave(0, MAP), gave(1, MAP), took(1, BUSY)),
    "io-map-released": (*READ, took(0, MAP, S), *READ, (0, STEP_READ), gave(0, MAP, S), (0, STEP_READ_DONE)),
}  # fmt: skip


@pytest.mark.parametrize("rule", BROKEN)
@pytest.mark.parametrize("made", ["contended", "storm 1", "broken"])
def test_counts_of_check(rule, made):
    events = with_names(story(*BROKEN[rule]) if made == "broken" else RUNS[made]())
    told = {broken.rule: broken.count for broken in check(events, "").broken}
    assert answer(events, f"check {rule}") == [(told.get(rule, 0),)]
    assert made != "broken" or told[rule]


def test_every_query_of_the_page_is_compared_here():
    text = Path(__file__).read_text()
    assert len(QUERIES) == PAGE.read_text().count("```sql") and len(QUERIES) > 15
    for name in QUERIES:
        rule = name.removeprefix("check ")
        assert f'answer(events, "{name}")' in text or rule in BROKEN


def test_the_command_runs_them(tmp_path, capsys):
    run = write_run(tmp_path / "run", with_names(contended()))
    for query in QUERIES.values():
        assert guarded(app, ["sql", str(run), query]) == 0, capsys.readouterr().err
