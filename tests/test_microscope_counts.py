"""Every case of the cost tables that needs no swap: counters equal the formulas, field by field, at depths 0 to 16."""

import importlib.util
from collections import Counter
from pathlib import Path

import pytest
from lock_count_formulas import TABLE, brief, cost

from vmconc.explore.microscope import Scene
from vmconc.explore.microscope_scene import look
from vmconc.memory.jit import jit_off
from vmconc.protocols import protocol_names

pytestmark = pytest.mark.timeout(600)  # the first test may have to compile every kernel

DEPTHS = range(17)
MODE = "controlled" if jit_off() else "counted"
CALCULATOR = Path("/work/shared/design/lock_counts.py")


def scenes(depth):
    """List (layers, page, paged_out) of every chain of this depth and every place of the page."""
    found = []
    for bottom in "DV":
        layers = "D" * depth + bottom
        places = [None, 0, *([depth] if depth else []), *([depth // 2] if depth > 1 else [])]
        found += [(layers, page, False) for page in dict.fromkeys(places)]
        if bottom == "V":
            found.append((layers, depth, True))
    return found


def counted(protocol, layers, page, paged_out, write, heuristic, needs_copy=False):
    """Execute the fault and return its counts without zeros."""
    scene = Scene(layers, page, write, heuristic, needs_copy, paged_out)
    return +Counter(look(scene, protocol, MODE)["counts"])


@pytest.mark.parametrize("heuristic", [False, True], ids=["off", "on"])
@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("protocol", protocol_names())
def test_counters_equal_the_formulas(protocol, depth, write, heuristic):
    for layers, page, paged_out in scenes(depth):
        expected = cost(protocol, layers, page, write, heuristic=heuristic, paged_out=paged_out)
        assert counted(protocol, layers, page, paged_out, write, heuristic) == expected, (layers, page, paged_out)


@pytest.mark.skipif(not jit_off(), reason="only the step log tells what the new layer costs")
@pytest.mark.parametrize("heuristic", [False, True], ids=["off", "on"])
@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
@pytest.mark.parametrize("protocol", protocol_names())
def test_needs_copy_costs_an_upgrade_and_a_downgrade(protocol, write, heuristic):
    for depth in (0, 1, 2, 5):
        for layers, page, paged_out in scenes(depth):
            if write and (layers == "V" or page == 0):
                continue
            flags = {"heuristic": heuristic, "needs_copy": True}
            expected = cost(protocol, layers, page, write, paged_out=paged_out, **flags)
            assert counted(protocol, layers, page, paged_out, write, **flags) == expected, (layers, page, paged_out)


@pytest.mark.parametrize("case", TABLE)
@pytest.mark.parametrize("protocol", ["chained", "backing"])
def test_the_walk_that_counts_agrees_with_the_closed_formulas(protocol, case):
    make, before, after, after_heuristic = TABLE[case]
    for depth in DEPTHS:
        if not make(depth):
            continue
        layers, page, paged_out = make(depth)
        for write in (False, True):
            for heuristic in (False, True):
                formula = before if protocol == "chained" else after_heuristic if heuristic else after
                found = cost(protocol, layers, page, write, paged_out=paged_out, heuristic=heuristic)
                assert brief(found) == formula(depth), (depth, write, heuristic)


@pytest.mark.skipif(not CALCULATOR.exists(), reason="the design folder is not here")
@pytest.mark.parametrize("needs_copy", [False, True])
def test_the_walk_that_counts_agrees_with_the_design(needs_copy):
    spec = importlib.util.spec_from_file_location("lock_counts", CALCULATOR)
    design = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(design)
    for depth in DEPTHS:
        for layers, page, paged_out in scenes(depth):
            for protocol, era in (("chained", "PRE"), ("backing", "POST")):
                for write in (False, True):
                    for heur in (False, True):
                        there = set() if page is None or paged_out else {page}
                        blocks = {page} if paged_out else ()
                        theirs, _ = design.fault(era, layers, there, blocks, write, heur, needs_copy)
                        flags = {"heuristic": heur, "needs_copy": needs_copy, "paged_out": paged_out}
                        assert cost(protocol, layers, page, write, **flags) == +theirs, (layers, page, flags)
