"""Tables of a run: CSV, Parquet, and what `vmconc sql` answers; and what `export` and `sql` refuse."""

import csv
import json
import sys

import pyarrow.parquet
import pytest
from helpers_exported import MAP, NAMES, TOKEN, write_story

from vmconc.analysis.events import load
from vmconc.analysis.spans import waits
from vmconc.cli.export import FORMATS
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.export import formats


@pytest.fixture
def run(tmp_path):
    return write_story(tmp_path / "run")


def ask(capsys, *arguments):
    """Return the exit code of a command, its output and its complaint."""
    code = guarded(app, [str(argument) for argument in arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def rows(capsys, run, query):
    """Return what a query gives."""
    code, out, _ = ask(capsys, "sql", run, query, "--json")
    answer = json.loads(out)
    assert code == 0, answer
    return answer["rows"]


def test_csv_has_a_row_for_each_event_in_the_order_of_the_events(run, tmp_path, capsys):
    code, out, _ = ask(capsys, "export", "csv", run, "--output", tmp_path / "x.csv")
    assert code == 0 and "14 rows of events" in out
    with (tmp_path / "x.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [float(row["at_ns"]) for row in found] == [0, 10, 20, 120, 170, 200, 50, 70, 180, 190, 200, 210, 220, 240]
    assert [row["cpu"] for row in found] == ["0"] * 6 + ["1"] * 8
    assert found[1] == {
        "cpu": "0", "event": "1", "at_ns": "10.0", "action": "acquire", "class": "vm_map", "mode": "shared",
        "lock": str(MAP), "lock_name": NAMES[MAP], "number": "1", "site": "lookup.shared", "operation": "", "lwp": "",
    }  # fmt: skip
    assert (found[0]["action"], found[0]["operation"], found[0]["class"]) == ("begin", "fault", "")
    assert found[0]["lwp"] == "5"
    assert (found[8]["action"], found[8]["class"], found[8]["mode"]) == ("waited", "vm_object", "")


def test_parquet_is_read_by_arrow_with_its_types(run, tmp_path, capsys):
    assert ask(capsys, "export", "parquet", run, "-o", tmp_path / "x.parquet", "--table", "holds")[0] == 0
    table = pyarrow.parquet.read_table(tmp_path / "x.parquet")
    assert table.column("ns").to_pylist() == [110, 150, 30, 10]
    assert table.column("class").to_pylist() == ["vm_map", "vm_object", "vm_object", "page_spin"]
    assert table.column("operation").to_pylist() == ["fault", "fault", "fork", "fork"]
    assert str(table.schema.field("ns").type) == "double" and str(table.schema.field("lock").type) == "int64"


def test_waits_say_what_was_waited_for(run, capsys):
    assert rows(capsys, run, "select * from waits") == [
        [1, 70, 110, "vm_object", "exclusive", TOKEN, NAMES[TOKEN], "fork.token", "fork", 1, 2],
    ]


def test_sums_in_sql_are_those_of_the_analysis(run, capsys):
    spans = waits(load(run))
    assert rows(capsys, run, "select count(*), sum(ns) from Waits") == [[len(spans.begin), spans.nanoseconds.sum()]]
    by_class = rows(
        capsys, run, "select class, count(*) from events where action = 'acquire' group by class order by 1"
    )
    assert by_class == [["vm_map", 2], ["vm_object", 2]]


@pytest.mark.parametrize("query", ["show tables", " SHOW  ALL TABLES; "])
def test_the_tables_shown_are_those_to_use(query, run, capsys):
    shown = [name for (name,) in rows(capsys, run, query)]
    assert shown == ["events", "waits", "holds", "run"]
    assert all(rows(capsys, run, f"describe {name}") for name in shown)


def test_tables_can_be_joined(run, capsys):
    query = "select program, seed, (select max(ns) from holds) from run where protocol = 'chained'"
    assert rows(capsys, run, query) == [["story", 7, 150]]


def test_a_table_says_how_many_rows_it_leaves_out_and_csv_leaves_none(run, capsys):
    query = "select range as n, null as nothing, 'x' as word from range(105)"
    _, out, _ = ask(capsys, "sql", run, query)
    assert out.splitlines()[-1].startswith("5 more rows are left out") and out.splitlines()[1].split() == [
        "0",
        "null",
        "x",
    ]
    _, out, _ = ask(capsys, "sql", run, query, "--csv")
    assert out.splitlines()[0] == "n,nothing,word" and out.splitlines()[-1] == "104,,x" and len(out.splitlines()) == 106
    _, out, _ = ask(capsys, "sql", run, "select 1 as n")
    assert out.splitlines() == ["n", "1"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["export", "svg", "RUN", "-o", "OUT"], "FORMAT 'svg' is unknown; choose one of perfetto, pprof,"),
        (["export", "folded", "RUN", "-o", "OUT", "--weight", "x"], "--weight 'x' is unknown; choose one of count"),
        (["export", "csv", "RUN", "-o", "OUT", "--table", "x"], "--table 'x' is unknown; choose one of events"),
        (
            ["export", "dot", "RUN", "-o", "OUT", "--weight", "wait"],
            "--weight has no effect on dot: it is for pprof, fol",
        ),
        (["export", "folded", "RUN", "-o", "OUT", "--table", "run"], "--table has no effect on folded: it is for csv,"),
        (["export", "dot", "RUN", "-o", "OUT/x/y"], "cannot be written: No such file or directory"),
        (["export", "dot", "OUT", "-o", "OUT"], "is no run"),
        (["sql", "RUN", "select nothing from events"], "the query failed: Binder Error"),
        (["sql", "RUN", "select 1", "--csv", "--json"], "--csv and --json are two ways to print"),
    ],
)
def test_what_is_refused_is_said_in_a_line(arguments, complaint, run, tmp_path, capsys):
    words = [word.replace("RUN", str(run)).replace("OUT", str(tmp_path / "out")) for word in arguments]
    code, out, said = ask(capsys, *words)
    assert code == 2 and complaint in out + said and len((out + said).splitlines()) == 1
    assert not list(tmp_path.glob("out*"))


def test_the_formats_of_the_help_are_those_there_are():
    assert set(FORMATS.split(", ")) == {*formats.PLAIN, *formats.WEIGHTED, *formats.TABULAR}


def test_without_duckdb_it_is_said_what_to_install(run, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    for arguments in (["sql", run, "select 1"], ["export", "csv", run, "-o", tmp_path / "x"]):
        code, _, said = ask(capsys, *arguments)
        assert code == 2 and "pip install 'vmconc[sql]'" in said
    assert ask(capsys, "export", "folded", run, "-o", tmp_path / "x")[0] == 0


@pytest.mark.parametrize("form", FORMATS.split(", "))
def test_runs_of_programs_about_locks_are_written_too(form, tmp_path, capsys):
    run = write_story(tmp_path / "run", machine_cpus=0)
    code, out, _ = ask(capsys, "export", form, run, "-o", tmp_path / "x", "--json")
    told = json.loads(out)
    assert code == 0 and told["bytes"] == (tmp_path / "x").stat().st_size > 0 and told["notes"]


def test_an_export_says_that_events_were_lost(tmp_path, capsys):
    run = write_story(tmp_path / "lossy", lost=3)
    _, out, _ = ask(capsys, "export", "folded", run, "-o", tmp_path / "x")
    assert "not in it: 3 events that were lost" in out
