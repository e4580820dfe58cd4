"""The Perfetto trace of a run, read with Perfetto's own messages."""

from collections import defaultdict

import numpy as np
import pytest
from helpers_exported import CPU_0, CPU_1, write_story
from hypothesis import given
from hypothesis import strategies as st
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

from vmconc.analysis.events import load
from vmconc.analysis.lanes import lanes
from vmconc.export.formats import export
from vmconc.export.wire import varint, wide
from vmconc.schedule.steps import STEP_ACQUIRE, STEP_RELEASE


class Read:
    """A trace with its numbers replaced by what they stand for: slices are (process, track, name, site, from, to)."""

    def __init__(self, path):
        trace = Trace.FromString(path.read_bytes())
        self.tracks, self.names, self.sites = {}, {}, {}
        self.slices, self.leaving, self.arriving = [], {}, {}
        opened = defaultdict(list)
        for packet in trace.packet:
            assert packet.trusted_packet_sequence_id == 1
            self.learn(packet)
        for packet in sorted(trace.packet, key=lambda packet: packet.timestamp):  # as Perfetto's own reader does
            if packet.HasField("track_event"):
                self.event(packet.timestamp, packet.track_event, opened[packet.track_event.track_uuid])
        assert not any(opened.values())
        self.slices.sort()

    def learn(self, packet):
        if packet.HasField("track_descriptor"):
            track = packet.track_descriptor
            self.tracks[track.uuid] = track
        self.names |= {name.iid: name.name for name in packet.interned_data.event_names}
        self.sites |= {site.iid: site.str.decode() for site in packet.interned_data.debug_annotation_string_values}

    def event(self, time, event, opened):
        """Follow the slices of a track: what is open when another one begins would be taken for its parent."""
        if event.type == TrackEvent.TYPE_SLICE_BEGIN:
            assert not opened
            site = [self.sites[said.string_value_iid] for said in event.debug_annotations]
            track = self.tracks[event.track_uuid]
            process = self.tracks[track.parent_uuid].process
            opened.append((process.process_name, track.name, self.names[event.name_iid], *(site or [""]), time))
            self.arriving |= dict.fromkeys(event.terminating_flow_ids, opened[0])
        else:
            assert event.type == TrackEvent.TYPE_SLICE_END
            self.slices.append((*opened.pop(), time))
            self.leaving |= dict.fromkeys(event.flow_ids, self.slices[-1])


def exported(path, **more):
    """Return the trace of a story and what was said about it."""
    events = load(write_story(path / "run", **more))
    said = export(events, "perfetto", path / "trace", lambda text: None, "wait", "events")
    return Read(path / "trace"), said


def test_every_slice_is_on_its_track_with_its_times_in_ns(tmp_path):
    read, said = exported(tmp_path)
    assert read.slices == sorted([
        ("cpu 0", "operations", "fault", "", 0, 200),
        ("cpu 0", "vm_map held", "Vnode 0 shared", "lookup.shared", 10, 120),
        ("cpu 0", "vm_object held", "VmObject 0 token exclusive", "fault.token", 20, 170),
        ("cpu 1", "waiting", "VmObject 0 token exclusive", "fork.token", 70, 180),
        ("cpu 1", "vm_object held", "VmObject 0 token exclusive", "fork.token", 190, 220),
        ("cpu 1", "page_spin held", "VmPage 0 exclusive", "fork.token", 200, 210),
    ])  # fmt: skip
    assert said == ["6 slices, 1 arrows", "left out: 2 operations, page-ins, waits and holds that did not end"]


def test_an_arrow_leads_from_a_release_to_the_next_acquisition_of_another_cpu(tmp_path):
    read, _ = exported(tmp_path)
    assert read.leaving.keys() == read.arriving.keys() and len(read.leaving) == 1
    (flow,) = read.leaving
    assert read.leaving[flow][0] == "cpu 0" and read.leaving[flow][-1] == 170
    assert read.arriving[flow][0] == "cpu 1" and read.arriving[flow][-1] == 190


def test_there_is_no_arrow_to_the_same_cpu_and_none_by_clocks(tmp_path):
    again = [(t + 500, a, lock, 2 * (lock > 0), c, m, s) for t, a, lock, _, c, m, s in CPU_0]
    read, _ = exported(tmp_path, cpus=([*CPU_0, *again], []))
    assert read.leaving == {} and len(read.slices) == 6
    late = [(t, a, lock, n + 5 * (lock > 0), c, m, s) for t, a, lock, n, c, m, s in CPU_0]  # now CPU 1 was first
    read, _ = exported(tmp_path / "late", cpus=(late, CPU_1))
    assert [arrow[0] for arrow in read.leaving.values()] == ["cpu 1"]


def test_behind_the_cpus_of_a_machine_comes_its_disk(tmp_path):
    assert {slice[0] for slice in exported(tmp_path / "one", machine_cpus=1)[0].slices} == {"cpu 0", "disk"}
    assert {slice[0] for slice in exported(tmp_path / "none", machine_cpus=0)[0].slices} == {"cpu 0", "cpu 1"}


def test_holds_of_one_class_that_overlap_are_on_tracks_of_their_own(tmp_path):
    rows = [
        (1000 + 10 * i, action, 0x2010 + 0x10 * lock, 1, 10, 1, 0)
        for i, (action, lock) in enumerate([
            (STEP_ACQUIRE, 0), (STEP_ACQUIRE, 1), (STEP_RELEASE, 0), (STEP_ACQUIRE, 2), (STEP_RELEASE, 1),
            (STEP_RELEASE, 2),
        ])
    ]  # fmt: skip
    read, _ = exported(tmp_path, cpus=(rows, []))
    assert [(name, begin, end) for _, name, _, _, begin, end in sorted(read.slices, key=lambda s: s[-2])] == [
        ("vm_object held", 0, 10), ("vm_object held", 5, 20), ("vm_object held", 15, 25),
    ]  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=40))
def test_lanes_do_not_overlap_and_are_as_few_as_can_be(spans):
    events = sorted((place, kind, number) for number, (begin, length) in enumerate(spans)
                    for place, kind in ((begin, 1), (begin + length, 0)))  # fmt: skip
    places = {(number, kind): place for place, (_, kind, number) in enumerate(events)}
    rows = sorted((places[number, 1], places[number, 0]) for number in range(len(spans)))
    begin, end = (np.array(column, np.int64) for column in zip(*rows, strict=True)) if rows else (np.zeros(0, int),) * 2
    lane, deepest, open_now = lanes(begin, end), 0, 0
    for number in set(lane.tolist()):
        own = lane == number
        assert (begin[own][1:] > end[own][:-1]).all()
    for _, kind, _ in events:
        open_now += 1 if kind else -1
        deepest = max(deepest, open_now)
    assert len(set(lane.tolist())) == deepest


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**27])
def test_wide_numbers_are_what_a_reader_takes_for_the_same(value):
    (row,) = wide(np.array([value]), 4)
    assert sum((int(byte) & 0x7F) << 7 * place for place, byte in enumerate(row)) == value
    assert (row[:-1] >= 0x80).all() and row[-1] < 0x80
    assert sum((byte & 0x7F) << 7 * place for place, byte in enumerate(varint(value))) == value
