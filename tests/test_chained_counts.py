"""Locks of single faults under `chained`: exactly those that a calculator says, for chains of any depth."""

import pytest
from helpers_chained import Chain
from lock_count_formulas import cost

from vmconc.program.plan import file_word

DEPTHS = range(9)


def check(chain, types, page, write, paged_out=False):
    """Resolve the fault and compare.  `page`: the layer in which it is found, None for nowhere."""
    assert chain.fault(write) == cost("chained", types, page, write, paged_out=paged_out)
    assert chain.machine.broken() == []


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("depth", DEPTHS)
def test_hit_in_front(depth, write):
    """Case a: one attempt; the walk to a file takes a token for each layer."""
    types = "D" * (depth + 1)
    chain = Chain(types, resident=[0])
    check(chain, types, 0, write)
    assert chain.word() == 1000 and chain.writable()


@pytest.mark.parametrize("write", [False, True])
def test_hit_in_file(write):
    """Case a': a resident page of a file mapping."""
    chain = Chain("V", resident=[0])
    check(chain, "V", 0, write)
    assert chain.word() == 1000


@pytest.mark.parametrize("depth", DEPTHS)
def test_read_from_below(depth):
    """Case a2: a read of a page in the bottom layer allocates a page in front and frees it again."""
    types = "D" * (depth + 1)
    chain = Chain(types, resident=[depth])
    check(chain, types, depth, False)
    assert chain.word() == 1000 + depth and chain.writable() == (depth == 0)


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("depth", DEPTHS)
def test_zero_fill(depth, write):
    """Cases b and b': nobody has the page."""
    types = "D" * (depth + 1)
    chain = Chain(types)
    check(chain, types, None, write)
    assert not chain.frame().any() and chain.writable()


@pytest.mark.parametrize("depth", DEPTHS)
def test_copy_from_below(depth):
    """Case c: a write copies the page up."""
    types = "D" * (depth + 1)
    chain = Chain(types, resident=[depth])
    check(chain, types, depth, True)
    assert chain.word() == 1000 + depth and chain.writable()


@pytest.mark.parametrize("depth", range(2, 9))
def test_nearest_layer_wins(depth):
    """A page in a middle layer hides the one at the bottom."""
    types, middle = "D" * (depth + 1), depth // 2
    chain = Chain(types, resident=[middle, depth])
    check(chain, types, middle, True)
    assert chain.word() == 1000 + middle


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("depth", range(1, 9))
def test_resident_file_page_below(depth, write):
    """The page of a file below anonymous layers is resident."""
    types = "D" * depth + "V"
    chain = Chain(types, resident=[depth])
    check(chain, types, depth, write)
    assert chain.word() == 1000 + depth and chain.writable() == write


@pytest.mark.parametrize("write", [False, True])
def test_page_in_of_file(write):
    """Case d: the map is dropped for the transfer and locked again."""
    chain = Chain("V")
    check(chain, "V", 0, write, paged_out=True)
    assert chain.word() == file_word(0, 3, 0)


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("depth", range(1, 9))
def test_page_in_below(depth, write):
    """Case d': the file below anonymous layers has to be read; everything must be exclusive for that."""
    types = "D" * depth + "V"
    chain = Chain(types)
    check(chain, types, depth, write, paged_out=True)
    assert chain.word() == file_word(0, 3 + depth, 0) and chain.writable() == write


@pytest.mark.parametrize(("depth", "tokens", "chains"), [(1, 5, 3), (4, 14, 6), (8, 26, 10)])
def test_published_totals(depth, tokens, chains):
    """The totals of the specification's table, so that the calculator is itself held against something."""
    found = cost("chained", "D" * (depth + 1), depth, True)
    assert (found["tok_S"] + found["tok_X"], found["chain_S"]) == (tokens, chains)
