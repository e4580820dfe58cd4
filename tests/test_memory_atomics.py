"""Atomics: the compiled instruction does what the Python body says, and is atomic between processes."""

import pytest
from conftest import make_segment, run_cpus
from helpers_memory import add_many, cas_many, embedded_rmw, rmw, set_gate, wait_for_word

from vmconc.memory.jit import jit_off

VALUES = [0, 1, -1, 7, -8, 1 << 40, -(1 << 62), (1 << 62) - 1, 0x80000000]


@pytest.mark.parametrize("op", range(5))
def test_compiled_operation_equals_its_body(op):
    """Every operation, on a field and on an element: the same answer and the same memory, signs and high bits too."""
    segment = make_segment({"Node": 2})
    compiled, plain = segment.nth("Node", 0), segment.nth("Node", 1)
    body = getattr(rmw, "py_func", rmw)
    for start in VALUES:
        for value in (start, 5, -3):
            small = start % 1000 if op else start
            for node in (compiled, plain):
                node.number = node.words[3] = small
            assert rmw(compiled, op, value, 99) == body(plain, op, value, 99), (op, start, value)
            assert (compiled.number, compiled.words[3]) == (plain.number, plain.words[3])
            assert compiled.words[2] == compiled.words[4] == 0


def test_compare_and_set_tells_and_changes_nothing_on_failure():
    """False means untouched."""
    node = make_segment({"Node": 1}).nth("Node", 0)
    assert rmw(node, 0, 1, 5) == 0 and (node.number, node.words[3]) == (0, 0)
    assert rmw(node, 0, 0, 5) == 3 and (node.number, node.words[3]) == (5, 5)


def test_atomics_reach_embedded_and_aliased_words():
    """`inner.two` and its alias are one word."""
    node = make_segment({"Node": 1}).nth("Node", 0)
    assert embedded_rmw(node) == 0 * 100 + 5
    assert node.inner.two == node.alias == 11 and node.inner.one == node.inner.three == 0


@pytest.mark.parallel
@pytest.mark.parametrize("careful", [1, 0])
def test_no_addition_is_lost_between_processes(careful):
    """Four processes on one word.  Broken twin: load and store lose some, so the test can see a loss."""
    rounds = 200_000
    for _ in range(5):
        segment = make_segment({"Owner": 1})
        owner = segment.nth("Owner", 0)
        run_cpus(segment, *[(add_many, owner, rounds, careful, 4)] * 4)
        if careful or owner.gate != 4 * rounds:
            break
    assert (owner.gate == 4 * rounds) == bool(careful)


@pytest.mark.parallel
def test_compare_and_set_loop_between_processes():
    """Every increment arrives, whoever had to try again."""
    segment = make_segment({"Owner": 1})
    owner = segment.nth("Owner", 0)
    run_cpus(segment, *[(cas_many, owner, 100_000)] * 4)
    assert owner.words[0] == 400_000


@pytest.mark.parallel
def test_a_spinning_reader_sees_a_plain_store():
    """A load in a loop is not hoisted out of it (numba#1351)."""
    segment = make_segment({"Owner": 1})
    owner = segment.nth("Owner", 0)
    answers = run_cpus(segment, (wait_for_word, owner, 5_000_000_000), (set_gate, owner), seconds=8)
    assert answers[0] == 1


def test_python_bodies_are_only_for_one_cpu_at_a_time():
    """With the JIT off other modes than `controlled` are refused; see test_memory_segment."""
    if jit_off():
        from vmconc.memory.segment import SegmentError

        with pytest.raises(SegmentError, match="controlled"):
            make_segment(mode="counted")
