"""Whatever is asked wrongly gets one line that names it, exit code 2, and never a Python traceback."""

import json
import os
import subprocess
import sys

import pytest

from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.coordinator.errors import EXIT_INTERRUPTED
from vmconc.explore.bugs import BUGS
from vmconc.explore.target import ACCESSES

WITH_ACCESSES = next(name for name, bug in BUGS.items() if bug.points == ACCESSES)
WITH_ERRORS = next(name for name, bug in BUGS.items() if bug.io_errors)


def given_first(arguments):
    """Return the first option of a command line, with its value if it has one."""
    first = next(place for place, word in enumerate(arguments) if word.startswith("--"))
    return [arguments[first], *(word for word in arguments[first + 1 : first + 2] if not word.startswith("--"))]


BAD = [
    (["run", "zero_fil"], "zero_fill"),
    (["run", "no-such-thing"], "vmconc list"),
    (["run", "/nowhere/trace.txt"], "/nowhere/trace.txt"),
    (["run", "."], "directory"),
    (["run"], "PROGRAM|TRACE"),
    (["run", "zero_fill", "--cpus", "-1"], "--cpus -1"),
    (["run", "mutex_pair", "--rounds", "0"], "--rounds 0"),
    (["explore", "mutex_pair", "--keep", "/dev/null/x"], "--keep /dev/null/x"),
    (["explore", "mutex_pair", "--checkpoint", "."], "--checkpoint . is a directory"),
    (["run", "mutex_pair", "--set", "size=few"], "--set size=few"),
    (["run", "zero_fill", "--cpus", "300"], "--cpus 300"),
    (["run", "zero_fill", "--bug", "B999"], "--bug 'B999' is unknown"),
    (["run", "zero_fill", "--bug", "B3"], "--bug B3 is one of chained"),
    (["run", "mutex_pair", "--bug", "B4"], "--bug B4: mutex_pair is a program about locks"),
    (["run", "zero_fill", "--mode", "recorded", "--ring", "1000"], "--ring 1000 is no power of two"),
    (["run", "zero_fill", "--ring", "1024"], "--ring, --when-full and --no-check-events are for --mode recorded"),
    (["run", "zero_fill", "--when-full", "wait"], "--when-full 'wait'"),
    (["compare", "zero_fill", "--mode", "recorded"], "run each protocol with vmconc run --mode recorded"),
    (["bench", "tracking", "--seconds", "-1"], "--seconds -1"),
    (["run", "zero_fill", "--cpus", "two"], "--cpus 'two'"),
    (["run", "zero_fill", "--cpus=two"], "--cpus 'two'"),
    (["run", "zero_fill", "--mode", "loud"], "--mode 'loud'"),
    (["run", "zero_fill", "--frames", "0"], "--frames 0"),
    (["run", "zero_fill", "--frames", "2000000"], "--frames 2000000"),
    (["run", "zero_fill", "--protocol", "chaind"], "chained"),
    (["run", "zero_fill", "--protocol", "zzz"], "backing"),
    (["run", "zero_fill", "--set", "pages"], "NAME=VALUE"),
    (["run", "zero_fill", "--set", "pagse=3"], "pages"),
    (["run", "zero_fill", "--set", "pages=many"], "many"),
    (["run", "sh-pipeline", "--set", "pages=3"], "trace"),
    (["run", "zero_fill", "--table", "objects"], "NAME=N"),
    (["run", "zero_fill", "--table", "objects=0"], "NAME=N"),
    (["run", "zero_fill", "--time-limit", "-1"], "--time-limit -1"),
    (["run", "zero_fill", "--time-limit", "nan"], "--time-limit nan is out of range"),
    (["run", "zero_fill", "--time-limit", "inf"], "--time-limit inf is out of range"),
    (["run", "zero_fill", "--stall", "nan"], "--stall nan is out of range"),
    (["compare", "zero_fill", "--stall", "inf"], "--stall inf is out of range"),
    (["run", "sh-pipeline", "--rounds", "5"], "--rounds 5 has no effect: it is for lock programs"),
    (["run", "zero_fill", "--rounds", "1000"], "--rounds 1000 has no effect"),
    (["run", "zero_fill", "--time-limit", "soon"], "--time-limit 'soon'"),
    (["run", "zero_fill", "--stall", "0"], "--stall 0"),
    (["run", "zero_fill", "--io-latency", "slow"], "--io-latency 'slow'"),
    (["run", "zero_fill", "--io-bandwidth", "1parsec"], "--io-bandwidth '1parsec'"),
    (["run", "zero_fill", "--io-error-rate", "2"], "--io-error-rate 2"),
    (["run", "zero_fill", "--dir", "/nowhere"], "--dir /nowhere"),
    (["run", "zero_fill", "--nonsense"], "--nonsense"),
    (["compare", "zero_fill", "--rounds", "0"], "--rounds 0"),
    (["compare", "zero_fil"], "zero_fill"),
    (["fault", "--layers", "DXV"], "--layers 'DXV'"),
    (["fault", "--layers", ""], "--layers ''"),
    (["fault", "--layers", "VD"], "V can only be the last"),
    (["fault", "--layers", "DD", "--page", "2"], "--page '2'"),
    (["fault", "--layers", "DD", "--page", "x"], "--page 'x'"),
    (["fault", "--layers", "DD", "--page", "1", "--paged-out"], "--paged-out"),
    (["fault", "--layers", "DV", "--paged-out"], "--paged-out"),
    (["fault", "--protocol", "fifo"], "--protocol 'fifo'"),
    (["list", "planets"], "'planets'"),
    (["bench", "--only", "speed"], "--only 'speed'"),
    (["bench", "--rounds", "0"], "--rounds 0"),
    (["bench", "--pages", "1"], "--pages 1"),
    (["explore", "fork_chian"], "fork_chain"),
    (["explore", "make-build"], "trace"),
    (["explore", "fork_chain", "--protocol", "chaind"], "chained"),
    (["explore", "fork_chain", "--cpus", "0"], "--cpus 0"),
    (["explore", "fork_chain", "--executions", "-1"], "--executions -1"),
    (["explore", "fork_chain", "--for", "soon"], "--for 'soon'"),
    (["explore", "fork_chain", "--minimise", "some"], "--minimise 'some'"),
    (["explore", "fork_chain", "--strategy", "luck"], "--strategy 'luck'"),
    (["explore", "lost_update", "--preemptions", "-2"], "--preemptions -2"),
    (["explore", "lost_update", "--strategy", "dfs", "--jobs", "2"], "--jobs 2: --strategy dfs"),
    (["explore", "fork_chain", "--depth", "0"], "--depth 0"),
    (["explore", "fork_chain", "--points", "words"], "--points 'words'"),
    (["explore", "fork_chain", "--steps", "0"], "--steps 0"),
    (["explore", "fork_chain", "--jobs", "-1"], "--jobs -1"),
    (["explore", "fork_chain", "--set", "pagse=3"], "pages"),
    (["explore", "bluetooth", "--set", "fixed=maybe"], "fixed=maybe"),
    (["explore", "bluetooth", "--set", "colour=3"], "colour"),
    (["explore"], "vmconc bugs"),
    (["explore", "--bug", "B999"], "--bug 'B999'"),
    (["explore", "--bug", "B21", "--protocol", "backing"], "--protocol chained"),
    (["explore", "fork_chain", "--bug", "B21", "--protocol", "backing"], "--bug B21"),
    (["bugs", "B999"], "B999"),
    (["bugs", "--measure", "--seeds", "0"], "--seeds 0"),
    (["bugs", "--measure", "--jobs", "-1"], "--jobs -1"),
    (["bugs", "--measure", "--minimise", "soon"], "--minimise 'soon'"),
    (["replay", "/nowhere/x.json"], "/nowhere/x.json"),
    (["replay", "/etc/passwd"], "/etc/passwd"),
    (["report", "/nowhere"], "/nowhere is no run"),
    (["report", ".", "--by", "colour"], "--by 'colour'"),
    (["report", ".", "--sort", "size"], "--sort 'size'"),
    (["report", ".", "--top", "-1"], "--top -1"),
    (["report", ".", "--class", "vm_mapp"], "--class 'vm_mapp'"),
    (["histogram", "."], ". is no run"),
    (["histogram", ".", "--what", "sleep"], "--what 'sleep'"),
    (["heat", ".", "--bins", "0"], "--bins 0"),
    (["heat", "/nowhere"], "/nowhere is no run"),
    (["timeline", "/nowhere"], "/nowhere is no run"),
    (["timeline", ".", "--width", "-1"], "--width -1"),
    (["timeline", ".", "--from", "5 miles"], "--from '5 miles'"),
    (["layers", ".", "--bins", "0"], "--bins 0"),
    (["layers", "/nowhere"], "/nowhere is no run"),
    (["runn"], "runn"),
]

MACHINE = "it is for programs of the machine, mutex_pair is a lock program; leave it out"
OWN = "name a PROGRAM or leave it out"
IDLE = [
    (["mutex_pair", "--protocol", "chained"], MACHINE),
    (["mutex_pair", "--protocol", "both"], MACHINE),
    (["mutex_pair", "--cpus", "2"], MACHINE),
    (["mutex_pair", "--points", "accesses"], MACHINE),
    (["mutex_pair", "--io-error-rate", "0.5"], MACHINE),
    (["mutex_pair", "--bug", "B21"], MACHINE),
    (["mutex_pair", "--as-committed"], MACHINE),
    (["zero_fill", "--races"], "add --points accesses"),
    (["mutex_pair", "--depth", "2"], "choose that or leave it out"),
    (["mutex_pair", "--depth", "3", "--strategy", "pos"], "it is for --strategy pct"),
    (["mutex_pair", "--preemptions", "1", "--strategy", "dpor"], "it is for --strategy dfs"),
    (["mutex_pair", "--seed", "1", "--strategy", "dfs"], "nothing is random"),
    (["zero_fill", "--io-error-rate", "0.5", "--strategy", "stay"], "no I/O fails"),
    (["--cpus", "3", "--bug", "B21"], OWN),
    (["--set", "pages=3", "--bug", "B21"], OWN),
    (["--points", "locks", "--bug", WITH_ACCESSES], OWN),
    (["--io-error-rate", "0.0", "--bug", WITH_ERRORS], OWN),
]  # the first option is the one that can have no effect
BAD += [
    (["explore", *arguments], f"{' '.join(given_first(arguments))} has no effect: ") for arguments, _ in IDLE
]
USEFUL = [
    ["mutex_pair", "--strategy", "pct", "--depth", "2", "--seed", "1"],
    ["mutex_pair", "--strategy", "dfs", "--preemptions", "1", "--races"],
    ["zero_fill", "--set", "pages=1", "--cpus", "2", "--protocol", "backing", "--points", "locks", "--seed", "1"],
]


@pytest.mark.parametrize(("arguments", "why"), IDLE, ids=lambda value: " ".join(value))
def test_an_option_without_effect_is_named_with_reason_and_fix(arguments, why, capsys):
    assert guarded(app, ["explore", *arguments]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("arguments", USEFUL, ids=" ".join)
def test_an_option_with_effect_is_taken_in_silence(arguments, tmp_path, capsys):
    assert guarded(app, ["explore", *arguments, "--executions", "1", "--keep", str(tmp_path)]) == 0
    assert "no effect" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"), BAD, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, named, capsys):
    assert guarded(app, arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("vmconc: ") and err.count("\n") == 1
    assert named in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "named"), BAD, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_bad_input_with_json_is_one_object_and_exit_code_2(arguments, named, capsys):
    assert guarded(app, [*arguments, "--json"]) == 2
    out, err = capsys.readouterr()
    assert err == ""
    answer = json.loads(out)
    assert answer["exit_code"] == 2 and "\n" not in answer["error"]


def test_a_malformed_trace_names_file_and_line(tmp_path, capsys):
    bad = tmp_path / "bad.txt"
    bad.write_text("this is no perf script\n")
    assert guarded(app, ["run", str(bad)]) == 2
    assert str(bad) in capsys.readouterr().err


def test_a_program_that_raises_names_file_and_line(tmp_path, capsys):
    bad = tmp_path / "bad.py"
    bad.write_text('"""Bad."""\n\n\ndef program(build, cpus, options):\n    raise ValueError("no")\n')
    assert guarded(app, ["run", str(bad)]) == 2
    assert f"{bad}:5" in capsys.readouterr().err


def test_a_bug_of_ours_is_one_line_that_says_where_the_traceback_is(monkeypatch, capsys):
    import vmconc.coordinator.catalogue as catalogue

    monkeypatch.setitem(catalogue.CATALOGUE, "rules", lambda: 1 // 0)
    assert guarded(app, ["list", "rules"]) == 4
    line = capsys.readouterr().err
    assert line.count("\n") == 1 and "ZeroDivisionError" in line
    saved = line.split()[-1]
    with open(saved) as file:
        assert "Traceback" in file.read()
    os.unlink(saved)


def test_no_command_shows_help(capsys):
    assert guarded(app, []) == 2
    out, _ = capsys.readouterr()
    assert "compare" in out and "doctor" in out


HELPED = (
    "run", "compare", "fault", "list", "bench", "doctor", "report", "histogram", "heat", "order", "blame", "timeline",
    "layers",
)  # fmt: skip


@pytest.mark.parametrize("command", HELPED)
def test_every_command_has_help_with_its_options(command, capsys):
    assert guarded(app, [command, "--help"]) == 0
    out, _ = capsys.readouterr()
    assert "--json" in out and "Usage: vmconc" in out


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['vmconc', '--help']\n"
        "from vmconc.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as left:\n    assert not left.code\n"
        "heavy = {'numba', 'numpy', 'llvmlite', 'rich', 'psutil', 'msgspec'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert "compare" in done.stdout


def test_version(capsys):
    import vmconc

    assert guarded(app, ["--version"]) == 0
    assert capsys.readouterr().out == f"vmconc {vmconc.__version__}\n"


@pytest.mark.parametrize("arguments", [["list"], ["list", "rules", "--json"], ["--help"], ["bugs"]])
def test_a_reader_that_has_left_ends_it_quietly_and_not_as_clean(arguments):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "vmconc", *arguments], stdout=write, stderr=subprocess.PIPE, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("json_too", [(), ("--json",)])
def test_who_stops_a_command_is_told(json_too, monkeypatch, capsys):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("vmconc.analysis.check.check_run", interrupted)
    assert guarded(app, ["check", ".", *json_too]) == EXIT_INTERRUPTED
    told = capsys.readouterr()
    assert json.loads(told.out)["error"] == "interrupted" if json_too else told.err == "vmconc: interrupted\n"
