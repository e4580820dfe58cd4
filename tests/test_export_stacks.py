"""Stacks of a run: folded, for speedscope, for pprof; each read as the tool that it is for would."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from helpers_exported import write_story
from helpers_pprof import read_profile

from vmconc.analysis.events import load
from vmconc.analysis.spans import holds, waits
from vmconc.export.formats import export

SCHEMA = json.loads((Path(__file__).parent / "data" / "speedscope-1.25.0.schema.json").read_text())  # npm speedscope
STACKS = {  # by hand: weight -> stack -> weight
    "wait": {"fork;fork.token;vm_object exclusive": 110},
    "hold": {
        "fault;lookup.shared;vm_map shared": 110, "fault;fault.token;vm_object exclusive": 150,
        "fork;fork.token;vm_object exclusive": 30, "fork;fork.token;page_spin exclusive": 10,
    },
    "count": {
        "fault;lookup.shared;vm_map shared": 1, "fault;fault.token;vm_object exclusive": 1,
        "fork;fork.token;vm_object exclusive": 1, "fork;fork.token;page_spin exclusive": 1,
        "fork;lookup.shared;vm_map shared": 1,
    },
}  # fmt: skip


@pytest.fixture
def written(tmp_path):
    """Return what exports the story in a format by a weight."""
    events = load(write_story(tmp_path / "run"))

    def write(form, weight):
        export(events, form, tmp_path / form, lambda text: None, weight, "events")
        return tmp_path / form

    return write


@pytest.mark.parametrize("weight", STACKS)
def test_folded_stacks_are_lines_of_frames_and_a_whole_number(written, weight):
    lines = written("folded", weight).read_text().splitlines()
    found = [re.fullmatch(r"story chained;([^;]+;[^;]+;[^;]+) (\d+)", line) for line in lines]
    assert {match[1]: int(match[2]) for match in found} == STACKS[weight]


@pytest.mark.parametrize("weight", STACKS)
def test_speedscope_files_keep_to_its_schema_and_have_a_profile_for_each_cpu(written, weight):
    file = json.loads(written("speedscope", weight).read_text())
    jsonschema.validate(file, SCHEMA)
    frames = [frame["name"] for frame in file["shared"]["frames"]]
    found = {}
    for profile in file["profiles"]:
        assert profile["endValue"] == sum(profile["weights"])
        for sample, worth in zip(profile["samples"], profile["weights"], strict=True):
            found[";".join(frames[frame] for frame in sample)] = worth
            assert profile["name"].startswith("cpu 0" if frames[sample[0]] == "fault" else "cpu 1")
    assert found == STACKS[weight]


def test_the_schema_refuses_what_is_no_file_of_speedscope():
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"$schema": "https://www.speedscope.app/file-format-schema.json", "profiles": []}, SCHEMA)


@pytest.mark.parametrize("weight", STACKS)
def test_pprof_profiles_have_all_weights_and_open_with_the_one_that_is_asked_for(written, weight):
    profile = read_profile(written("pprof", weight))
    texts = profile.string_table
    assert texts[0] == "" and texts[profile.default_sample_type] == weight and profile.duration_nanos == 1000
    assert [(texts[t.type], texts[t.unit]) for t in profile.sample_type] == [
        ("count", "count"), ("wait", "nanoseconds"), ("hold", "nanoseconds"),
    ]  # fmt: skip
    functions = {function.id: texts[function.name] for function in profile.function}
    names = {location.id: functions[location.line[0].function_id] for location in profile.location}
    found = {"count": {}, "wait": {}, "hold": {}}
    for sample in profile.sample:
        *frames, root = (names[place] for place in sample.location_id)
        assert root == "story chained" and texts[sample.label[0].key] == "cpu"
        assert texts[sample.label[0].str] == ("cpu 0" if frames[-1] == "fault" else "cpu 1")
        for name, value in zip(found, sample.value, strict=True):
            found[name] |= {";".join(reversed(frames)): value} if value else {}
    assert found == STACKS


def test_sums_over_stacks_are_sums_over_spans(written, tmp_path):
    events = load(tmp_path / "run")
    for weight, spans in (("wait", waits(events)), ("hold", holds(events))):
        lines = written("folded", weight).read_text().splitlines()
        assert sum(int(line.rsplit(" ", 1)[1]) for line in lines) == round(spans.nanoseconds.sum())
