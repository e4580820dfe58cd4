"""OpenMetrics and DOT, each read by a parser of its own."""

import pydot
import pytest
from helpers_exported import MAP, SPIN, TOKEN, S, X, write_story
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from vmconc.analysis.events import load
from vmconc.cli.failures import guarded
from vmconc.cli.main import app
from vmconc.export.formats import export
from vmconc.export.openmetrics import labels
from vmconc.locks.classes import PAGE_SPIN, VM_MAP, VM_OBJECT
from vmconc.schedule.steps import STEP_ACQUIRE, STEP_TRIED


def metrics(text):
    """Return the samples of an OpenMetrics text by name and labels."""
    families = list(text_string_to_metric_families(text))
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def written(path, form, **more):
    events = load(write_story(path / "run", **more))
    export(events, form, path / form, lambda text: None, "wait", "events")
    return (path / form).read_text()


def test_metrics_are_counters_and_histograms_by_class_and_mode(tmp_path):
    found = metrics(written(tmp_path, "openmetrics"))

    def value(name, cls, mode, **more):
        return found["vmconc_" + name, frozenset({"class": cls, "mode": mode, **more}.items())]

    assert value("acquisitions_total", "vm_map", "shared") == 2
    assert value("acquisitions_total", "vm_object", "exclusive") == 2
    assert value("wait_seconds_sum", "vm_object", "exclusive") == pytest.approx(110e-9)
    assert value("hold_seconds_sum", "vm_object", "exclusive") == pytest.approx(180e-9)
    assert value("hold_seconds_count", "vm_object", "exclusive") == 2
    assert value("hold_seconds_bucket", "vm_object", "exclusive", le="1e-07") == 1  # 30 ns, and not 150
    assert value("hold_seconds_bucket", "vm_object", "exclusive", le="+Inf") == 2
    assert found["vmconc_events_total", frozenset()] == 14 and found["vmconc_events_lost_total", frozenset()] == 0


def test_metrics_say_how_many_events_were_lost(tmp_path):
    assert metrics(written(tmp_path, "openmetrics", lost=3))["vmconc_events_lost_total", frozenset()] == 3


def test_labels_may_hold_anything():
    name = 'a "b" \\ c\nd'
    text = f"# TYPE x info\nx_info{labels(program=name)} 1\n# EOF\n"
    assert metrics(text) == {("x_info", frozenset({("program", name)})): 1}


def edges(text):
    """Return label, style and colour of the edges of a DOT text; what only keeps classes in their order is left out."""
    (graph,) = pydot.graph_from_dot_data(text)
    return {
        (edge.get_source().strip('"'), edge.get_destination().strip('"')):
        (edge.get_label().strip('"'), edge.get_style(), edge.get_color())
        for edge in graph.get_edges() if edge.get_style() != "invis"
    }  # fmt: skip


def test_the_graph_has_an_edge_for_each_pair_of_classes_of_which_one_was_asked_for_under_the_other(tmp_path):
    assert edges(written(tmp_path, "dot")) == {("vm_map", "vm_object"): ("S -> X\\n1, cpu 0", None, None)}


def test_the_graph_is_that_of_vmconc_order(tmp_path):
    text = written(tmp_path, "dot")
    assert guarded(app, ["order", str(tmp_path / "run"), "--dot", str(tmp_path / "order.dot")]) == 0
    assert (tmp_path / "order.dot").read_text() == text


def test_an_edge_against_the_order_is_red_and_a_try_makes_none(tmp_path):
    spin = (1000, STEP_ACQUIRE, SPIN, 1, PAGE_SPIN, X, 0)
    wrong = [spin, (1010, STEP_ACQUIRE, MAP, 1, VM_MAP, S, 0), (1020, STEP_ACQUIRE, TOKEN, 1, VM_OBJECT, X, 0)]
    found = edges(written(tmp_path / "wrong", "dot", cpus=(wrong, [])))
    assert found["page_spin", "vm_map"] == ("X -> S\\n1, cpu 0", None, "red")
    assert found["page_spin", "vm_object"][2] is None
    tried = [spin, (1010, STEP_TRIED, MAP, 1, VM_MAP, S, 0)]
    assert edges(written(tmp_path / "tried", "dot", cpus=(tried, []))) == {}
