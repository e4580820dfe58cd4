"""Conditions on figures: what is written is what is read, and what cannot be answered is refused by name."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmconc.analysis import conditions
from vmconc.analysis.conditions import COUNTS, TIMES, Condition, ConditionError, check, failed, parse
from vmconc.analysis.figures import well_named

FIGURES = {"vm_object.wait.p99": 3e6, "vm_object.acquired": 12.0, "fault.rate": 5e3, "blame.a b.c": 7.0}
names = st.from_regex(r"[a-z_]+(\.[a-z0-9_ :]*[a-z0-9_])+", fullmatch=True)
bounds = st.floats(0, 1e300, allow_nan=False, allow_infinity=False)
absolute = st.builds(
    Condition, names, st.sampled_from([">", ">=", "<", "<="]), bounds, st.sampled_from([*TIMES, *COUNTS])
)
relative = st.builds(
    lambda name, relation, bound, sign: Condition(name, relation, sign * bound, "%"),
    names, st.sampled_from([">", "<"]), bounds, st.sampled_from([1, -1]),
)  # fmt: skip


@given(absolute | relative)
def test_a_condition_is_read_as_it_is_written(condition):
    assert parse(str(condition)) == condition


@given(st.text())
def test_anything_else_is_a_condition_or_refused(text):
    try:
        assert parse(str(parse(text))) == parse(text)
    except ConditionError as error:
        assert repr(text) in str(error)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("vm_object.wait.p99>2ms", ("vm_object.wait.p99", ">", 2.0, "ms")),
        (" fault.p99.9 <= .5 s ", ("fault.p99.9", "<=", 0.5, "s")),
        ("vm_object.wait.total>+10%", ("vm_object.wait.total", ">", 10.0, "%")),
        ("fault.rate<-5 %", ("fault.rate", "<", -5.0, "%")),
        ("blame.nobody: wake-up>=1us", ("blame.nobody: wake-up", ">=", 1.0, "us")),
        ("vm_map.acquired>1.5M", ("vm_map.acquired", ">", 1.5, "M")),
    ],
)
def test_blanks_and_units(text, condition):
    assert parse(text) == condition


@pytest.mark.parametrize(
    ("condition", "value", "told"),
    [
        ("a.wait.p99>2ms", 2e6, ""), ("a.wait.p99>=2ms", 2e6, "a.wait.p99>=2ms: it is 2 ms"),
        ("a.wait.p99>2ms", 2.5e6, "a.wait.p99>2ms: it is 2.5 ms"), ("a.acquired<3k", 2e3, "a.acquired<3k: it is 2 k"),
        ("a.acquired<=3", 4, ""), ("a.acquired>+10%", 9.9, ""), ("a.acquired>+10%", 12, "a.acquired>+10%: it is 12 %"),
        ("a.acquired<-10%", -9, ""), ("a.acquired<-10%", -11, "a.acquired<-10%: it is -11 %"),
    ],
)  # fmt: skip
def test_which_hold(condition, value, told):
    assert parse(condition).told(value) == told


def test_those_that_hold_of_a_run_are_told():
    asked = [parse(text) for text in ("vm_object.wait.p99>2ms", "vm_object.acquired>12", "blame.a b.c>5ns")]
    assert failed(asked, FIGURES) == ["vm_object.wait.p99>2ms: it is 3 ms", "blame.a b.c>5ns: it is 7 ns"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("vm_objekt.wait.p99>2ms", "vm_objekt is not known of this run; there are vm_object, fault, blame, site, inst"),
        ("vm_object.wait.p98>2ms", "wait.p98 is not known of vm_object; there are wait.p99, acquired"),
        ("vm_object.wait.p99>2", "vm_object.wait.p99 is a time; give ns, us, ms or s"),
        ("fault.rate>2ms", "fault.rate is a count"),
        ("fault.rate>+2%", "is about a change, for which two runs are needed"),
        ("fault.rate>2q", "unit 'q' is unknown; there are ns, us,"),
        ("fault.rate>2%", "a sign and % go together"),
        ("fault.rate>+2", "a sign and % go together"),
        ("fault.rate", "'fault.rate' is no condition"),
    ],
)
def test_what_cannot_be_answered_is_refused(text, complaint):
    with pytest.raises(ConditionError) as caught:
        check(parse(text), FIGURES, relative=False)
    assert complaint in str(caught.value)


OF_WAYS = {f"{subject}.{measure}": 5.0 for subject in ("site.a", "site.a.b") for measure in ("acquired", "wait.total")}


@pytest.mark.parametrize(
    ("figure", "complaint"),
    [
        ("site.a.wait.p98", "wait.p98 is not known of site.a; there are acquired, wait.total"),
        ("site.a.b.hold.p98", "hold.p98 is not known of site.a.b; there are acquired, wait.total"),
        ("site.c.wait.total", "site.c.wait.total is not known; by site there are a, a.b"),
        ("instance.VmPage 3 busy.hold.total", "not known; of instance.LOCK there are contended, wait.total, wait.avg"),
        ("instance.wait.total", "of instance.LOCK there are"),
        ("sites.a.wait.total", "there are site, instance, cpu"),
    ],
)
def test_the_reason_is_the_part_of_a_figure_that_is_wrong(figure, complaint):
    with pytest.raises(ConditionError) as caught:
        failed([parse(f"{figure}>1ms")], OF_WAYS)
    assert complaint in str(caught.value) and "VmPage 326" not in str(caught.value)


def test_a_lock_that_nobody_waited_for_has_nothing():
    asked = parse("instance.VmPage 3 busy.wait.total<1ms")
    assert failed([asked], {}) == ["instance.VmPage 3 busy.wait.total<1ms: it is 0 ms"]
    with pytest.raises(ConditionError, match="instance is not known of this run; there are site"):
        failed([asked], OF_WAYS, ["site", "cpu"])


NAMED = ["vm_map.wait.total", "vm_map.shared.hold.p99", "all.acquired", "site.a b.c.io.count", "instance.x.wait.max"]
MISNAMED = ["vm_mop.wait.total", "vm_map.wait.p98", "all.shared.acquired", "instance.x.hold.max", "fault.rate"]


def test_figures_of_locks_are_told_by_their_names():
    assert [well_named(name) for name in NAMED + MISNAMED] == [True] * len(NAMED) + [False] * len(MISNAMED)


def test_the_page_has_the_grammar():
    page = (Path(__file__).resolve().parent.parent / "docs" / "howto" / "diff.md").read_text()
    grammar = [line for line in conditions.__doc__.splitlines() if line.startswith("    ")]
    assert "\n".join(grammar) in page and len(grammar) == 6
