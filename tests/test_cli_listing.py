"""`list` and `doctor` answer for people and as JSON."""

import json

import pytest

from vmconc.cli.failures import guarded
from vmconc.cli.main import app


def ask(capsys, *arguments):
    """Return the JSON answer of a command."""
    code = guarded(app, [*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("protocols", "backing"),
        ("programs", "zero_fill"),
        ("traces", "make-build"),
        ("rules", "lock-order"),
        ("locks", "vm_map"),
    ],
)
def test_every_kind_is_listed_with_a_line_each(kind, name, capsys):
    code, found = ask(capsys, "list", kind)
    assert code == 0 and list(found) == [kind]
    entry = next(entry for entry in found[kind] if entry["name"] == name)
    assert entry["doc"]


def test_programs_tell_their_options(capsys):
    _, found = ask(capsys, "list", "programs")
    options = next(entry["options"] for entry in found["programs"] if entry["name"] == "zero_fill")
    assert {"name", "default", "doc"} <= set(options[0])


def test_everything_is_listed_for_people(capsys):
    assert guarded(app, ["list"]) == 0
    out = capsys.readouterr().out
    for word in ("protocols", "chained", "hot_page", "make-build", "lock-order", "vm_object"):
        assert word in out


def test_doctor_checks_what_a_run_needs(capsys):
    code, found = ask(capsys, "doctor")
    checks = {check["name"].strip(): check for check in found["checks"]}
    assert {"python", "compiler", "nameless files", "shared memory", "futex", "cores"} <= set(checks)
    needed = [check for check in found["checks"] if check["needed"]]
    assert code == (0 if all(check["ok"] for check in needed) else 4)


def test_doctor_finds_a_directory_that_cannot_be_used(capsys):
    code, found = ask(capsys, "doctor", "--dir", "/proc")
    assert code == 4
    assert not next(check for check in found["checks"] if check["name"] == "nameless files")["ok"]


def test_the_list_of_commands_says_which_read_timed_runs_too():
    lines = {each.name: each.short_help for each in app.registered_commands}
    assert [name for name, line in lines.items() if "recorded or timed run" in line] == ["report", "histogram", "html"]
