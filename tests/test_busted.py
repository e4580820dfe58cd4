"""Protocols that are wrong on purpose: the rule that each breaks is found by its name, and in its twin nothing is."""

import re
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from helpers_agreement import events_of, recorded_laboratory
from helpers_bugs import MIX
from helpers_runs import BASE, PAGE, shared_file

import vmconc
from vmconc.analysis.agreement import BOTH
from vmconc.analysis.check import check
from vmconc.checks.violations import inline_violations
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.explore.bugs import BUGS
from vmconc.memory.jit import jit_off
from vmconc.protocols.busted import BUSTED, unmask
from vmconc.schedule.records import FINISHED

PACKAGE = Path(vmconc.__file__).parent
LIMIT = 60  # executions
ON_PROCESSES = ("busted-lost-wakeup", "busted-two-writers")  # each is a build of its own; stress/validate.py has all
MEET = f'''"""Two spaces read the same pages of a file."""
from vmconc.vm.opcodes import MAP_SHARED, PROT_READ
OPTIONS = {{}}

def program(build, cpus, options):
    file = build.file("data", 300)
    for number in range(cpus):
        lwp = build.spawn()
        build.mmap(lwp, {BASE}, 300 * {PAGE}, PROT_READ, MAP_SHARED, file)
        for page in range(300):
            build.touch(lwp, {BASE} + page * {PAGE})
'''
SHOWS = SimpleNamespace(
    name="", plan=lambda: shared_file(spaces=2, pages=2), cpus=2, points="locks", races=False, io_errors=0
)


def executions(protocol, monkeypatch):
    """Yield of each execution the rules that the CPUs found broken, those found in its events, and the engine."""
    base, bugs = unmask(protocol)
    lab = recorded_laboratory(SHOWS, base, bugs, monkeypatch)
    for number in range(LIMIT):
        lab.engine.strategy, lab.engine.depth = MIX[number % len(MIX)]
        lab.run(1)
        inline = {violation["rule"] for violation in inline_violations(lab.segment)}
        yield inline, {broken.rule for broken in check(events_of(lab, base), "").broken}, lab.engine


@pytest.mark.skipif(not jit_off(), reason="each is a build of its own: 45 s to compile")
@pytest.mark.parametrize("name", BUSTED)
def test_each_is_found_by_the_rule_that_it_breaks_and_its_twin_breaks_none(name, monkeypatch):
    busted = BUSTED[name]
    needed = 0
    for inline, offline, _ in executions(name, monkeypatch):
        needed += 1
        assert inline & BOTH == offline & BOTH
        if busted.rule in offline:
            break
    assert busted.rule in offline and (busted.rule in inline) == (busted.seen_by == "both")
    for inline, offline, engine in islice(executions(busted.base, monkeypatch), needed):
        assert inline == offline == set() and engine.ended == FINISHED


def test_every_variant_in_the_kernels_is_one_of_these_and_the_page_lists_them():
    text = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    assert set(re.findall(r'\bbug\(\w+, "([a-z-]+)"\)', text)) == {busted.bug for busted in BUSTED.values()} - set(BUGS)
    page = (PACKAGE.parent / "docs" / "bugs.md").read_text()
    assert all(f"| `{name}` | {busted.breaks} | `{busted.rule}` |" in page for name, busted in BUSTED.items())


@pytest.mark.slow
@pytest.mark.parallel
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ON_PROCESSES)
def test_it_is_found_on_worker_processes_too(name, tmp_path):
    busted = BUSTED[name]
    command = ["run", str(shown_by(tmp_path)), "--protocol", name, "--mode", "recorded", "--cpus", "2", "--stall", "2"]
    code = guarded(app, [*command, "--io-latency", "200us", "--runs-dir", str(tmp_path)])
    (path,) = tmp_path.glob("*/run.json")
    run = msgspec.json.decode(path.read_bytes())
    assert code and busted.rule in {broken["rule"] for broken in run["checked"]["broken"]}
    assert (busted.rule in {found["rule"] for found in run["violations"]}) == (busted.seen_by == "both")


@pytest.mark.slow
@pytest.mark.parallel
@pytest.mark.parametrize("base", sorted({busted.base for busted in BUSTED.values()}))
def test_the_same_program_breaks_nothing_under_the_protocol_itself(base, tmp_path):
    command = ["run", str(shown_by(tmp_path)), "--protocol", base, "--mode", "recorded", "--cpus", "2"]
    assert guarded(app, [*command, "--io-latency", "200us", "--runs-dir", str(tmp_path)]) == 0


def shown_by(tmp_path):
    """Write the program; return its path."""
    path = tmp_path / "meet.py"
    path.write_text(MEET)
    return path
