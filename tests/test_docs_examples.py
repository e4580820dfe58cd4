"""Every example of the documentation runs; every link leads somewhere; the site builds."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers_machine import Machine

from vmconc.program.programs import load_program

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
EXAMPLE = re.compile(r"<!-- example: ([\w.]+) -->\n```\w+\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)?(#[^)]+)?\)")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def example(page: str, name: str) -> str:
    """Return one example of a page."""
    found = dict(EXAMPLE.findall((DOCS / page).read_text()))
    return found[name]


def interpreted(folder: Path, *command: str) -> subprocess.CompletedProcess:
    """Run a command in a folder with the JIT off; the package is the folder's own if it has one."""
    package = folder if (folder / "vmconc").is_dir() else ROOT
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(package)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=110)


def test_the_program_runs_and_every_page_is_copied_once(tmp_path):
    file = tmp_path / "two_writers.py"
    file.write_text(example("howto/worker.md", "two_writers.py"))
    plan = load_program(str(file), 2, {"pages": "16"})
    machine = Machine(plan, "backing", cpus=2).run()
    assert machine.check() == []
    assert machine.event("copy") >= 16


def test_the_check_finds_what_it_is_for(tmp_path, monkeypatch):
    from vmconc.checks.layers import Layers
    from vmconc.checks.quiescent_report import RULES, Report
    from vmconc.checks.quiescent_state import State

    file = tmp_path / "two_writers.py"
    file.write_text(example("howto/worker.md", "two_writers.py"))
    segment = Machine(load_program(str(file), 1, {"pages": "1"}), "backing").segment
    monkeypatch.setitem(RULES, "page-color", "a page's color follows from its number")
    names: dict = {}
    exec(example("howto/check.md", "quiescent_colors.py"), names)

    def found() -> list:
        state, report = State(segment, "backing"), Report()
        names["check_colors"](state, Layers(state), report)
        return report.all()

    assert found() == []
    segment.nth("VmPage", 3).color += 1
    assert [violation["rule"] for violation in found()] == ["page-color"]


@pytest.fixture(scope="module")
def eager(tmp_path_factory):
    """Return a folder with a copy of the package to which the protocol of the page has been added."""
    folder = tmp_path_factory.mktemp("checkout")
    for part in ("vmconc", "workers"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "try_protocol.py").write_text(example("howto/protocol.md", "try_protocol.py"))
    done = subprocess.run(
        ["sh", "-ec", example("howto/protocol.md", "make_eager.sh")], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder


SMALL = ("pages=8", "children=3", "between=2", "rounds=1")


def test_the_protocol_is_found_runs_and_is_checked(eager):
    listed = interpreted(eager, sys.executable, "-m", "vmconc", "list", "protocols")
    assert "eager" in listed.stdout, listed.stderr
    done = interpreted(eager, sys.executable, "try_protocol.py", "eager", "cow_fan", *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "under eager: nothing wrong" in done.stdout


def test_the_protocol_is_another_one(eager):
    question = (
        "from vmconc.explore.microscope import examine\n"
        "for name in ('backing', 'eager'): print(examine('DD', 1, True, False, False, False, name)[name]['counts'])"
    )
    done = interpreted(eager, sys.executable, "-c", question)
    backing, ours = map(eval, done.stdout.splitlines())
    assert (backing["attempts"], ours["attempts"]) == (2, 1)


@pytest.mark.parametrize("protocol", ["backing", "chained"])
def test_the_script_runs_the_protocols_that_there_are(tmp_path, protocol):
    (tmp_path / "try_protocol.py").write_text(example("howto/protocol.md", "try_protocol.py"))
    done = interpreted(tmp_path, sys.executable, "try_protocol.py", protocol, "cow_fan", *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_trace_is_converted(tmp_path):
    from vmconc.traces import builtin, open_trace

    (tmp_path / "convert.py").write_text(example("howto/traces.md", "convert.py"))
    source = str(builtin.path("sh-pipeline"))
    done = interpreted(tmp_path, sys.executable, "convert.py", source, "copy.vmtrace")
    assert done.returncode == 0, done.stderr
    assert len(open_trace(tmp_path / "copy.vmtrace").ops) == len(open_trace(source).ops)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_example_is_tested_and_every_link_leads_somewhere(page):
    text = page.read_text()
    known = {"two_writers.py", "quiescent_colors.py", "make_eager.sh", "try_protocol.py", "convert.py"}
    assert {name for name, _ in EXAMPLE.findall(text)} <= known
    for target, anchor in LINK.findall(re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)):
        if "://" in target:
            continue
        there = (page.parent / target).resolve() if target else page
        assert there.is_file(), f"{page.name}: {target}"
        if anchor:
            headings = {slug(line) for line in there.read_text().splitlines() if line.startswith("#")}
            assert anchor[1:] in headings, f"{page.name}: {target}{anchor}"


def slug(heading: str) -> str:
    """Return the anchor of a heading."""
    return re.sub(r"[^\w]+", "-", heading.lstrip("# ").lower()).strip("-")


def test_every_option_that_is_named_exists():
    """Options of commands that are not ours are known here."""
    foreign = {"--strict", "--show-mmap-events", "--show-task-events", "--check"}
    files = [*(ROOT / "vmconc" / "cli").glob("*.py"), ROOT / "vmconc" / "pytest_plugin.py"]
    source = "".join(path.read_text() for path in files)
    for page in PAGES:
        for option in set(OPTION.findall(page.read_text())) - foreign:
            assert re.search(rf'"(--[a-z-]+/)?{option}[/"]', source), f"{page.name}: {option}"


def test_every_file_that_is_named_exists():
    places = (ROOT, ROOT / "vmconc", ROOT / "vmconc/protocols/chained", ROOT / "vmconc/protocols/backing")
    layers = ("memory", "schedule", "locks", "vm", "checks", "program", "coordinator")
    places += tuple(ROOT / "vmconc" / layer for layer in layers)
    ours = {"two_writers.py", "quiescent_colors.py", "try_protocol.py", "convert.py", "NAME.py", "generate.py"}
    for page in PAGES:
        for name in re.findall(r"`([\w/]+\.py)\b", page.read_text()):
            if Path(name).name not in ours:
                assert any((place / name).is_file() for place in places), f"{page.name}: {name}"


def test_the_site_builds_strictly_and_needs_no_network(tmp_path):
    pytest.importorskip("mkdocs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-f", str(DOCS / "site" / "mkdocs.yml")]
    done = subprocess.run([*command, "-d", str(tmp_path)], capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for page in tmp_path.rglob("*.html"):
        loaded = re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=\"(https?:[^\"]*)", page.read_text())
        assert not loaded, f"{page.name} loads {loaded}"
