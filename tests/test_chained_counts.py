"""Locks of single faults under `chained`: exactly those that a calculator says, for chains of any depth."""

from collections import Counter

import pytest
from helpers_chained import Chain

from vmconc.program.plan import file_word

DEPTHS = range(9)


def expected(types: str, resident=(), blocks=(), write=False) -> dict[str, int]:
    """Count the explicit acquisitions of one fault from the protocol's description alone.

    `types`: layers from the front, D or V; `resident`: layers that have the page; `blocks`: layers whose file has it.
    """
    count: Counter[str] = Counter()
    bottom, first_shared, shared = len(types) - 1, True, True
    resident = set(resident)

    def lock(name, is_shared):
        count[f"{name}_{'S' if is_shared else 'X'}"] += 1

    def enter(layer, is_shared):
        lock("tok", is_shared)
        if layer:
            chain_and_pip(layer)

    def chain_and_pip(layer):
        if types[layer] == "D":
            lock("chain", shared)
        count["pip"] += 1

    while True:
        count["attempts"] += 1
        count["map_S"] += 1
        enter(0, first_shared)
        count["tok_S"] += bottom
        count["tok_vnwalk"] += bottom
        count["vnode_S"] += types[bottom] == "V"
        chain_and_pip(0)
        map_held, layer, junk, again = True, 0, False, False
        while True:
            if layer in resident:
                count["busy"] += 1
                break
            if layer == 0 or types[layer] == "V":
                if first_shared if layer == 0 else shared:
                    first_shared, shared, again = False, shared and layer == 0, True
                    break
                count["page_alloc"] += 1
                count["busy"] += 1
                if types[layer] == "V":
                    count["map_unlock_for_io"] += map_held
                    map_held = False
                    count["getpage"] += 1
                    if layer in blocks:
                        count["io"] += 1
                        break
                    count["page_free"] += layer > 0
                junk = junk or layer == 0
            if layer == bottom:
                count["zfill"] += 1
                layer, junk = 0, False
                break
            layer += 1
            enter(layer, shared)
        if again:
            count["page_free"] += junk
            continue
        if layer and write:
            count["copy"] += 1
            junk = False
        count["map_relock_timed"] += not map_held
        count["page_free"] += junk
        count["pmap_enter"] += 1
        return {name: number for name, number in count.items() if number}


def check(chain, types, write, **where):
    """Resolve the fault and compare."""
    assert chain.fault(write) == expected(types, write=write, **where)
    assert chain.machine.broken() == []


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("depth", DEPTHS)
def test_hit_in_front(depth, write):
    """Case a: one attempt; the walk to a file takes a token for each layer."""
    types = "D" * (depth + 1)
    chain = Chain(types, resident=[0])
    check(chain, types, write, resident=[0])
    assert chain.word() == 1000 and chain.writable()


@pytest.mark.parametrize("write", [False, True])
def test_hit_in_file(write):
    """Case a': a resident page of a file mapping."""
    chain = Chain("V", resident=[0])
    check(chain, "V", write, resident=[0])
    assert chain.word() == 1000


@pytest.mark.parametrize("depth", DEPTHS)
def test_read_from_below(depth):
    """Case a2: a read of a page in the bottom layer allocates a page in front and frees it again."""
    types = "D" * (depth + 1)
    chain = Chain(types, resident=[depth])
    check(chain, types, False, resident=[depth])
    assert chain.word() == 1000 + depth and chain.writable() == (depth == 0)


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("depth", DEPTHS)
def test_zero_fill(depth, write):
    """Cases b and b': nobody has the page."""
    types = "D" * (depth + 1)
    chain = Chain(types)
    check(chain, types, write)
    assert not chain.frame().any() and chain.writable()


@pytest.mark.parametrize("depth", DEPTHS)
def test_copy_from_below(depth):
    """Case c: a write copies the page up."""
    types = "D" * (depth + 1)
    chain = Chain(types, resident=[depth])
    check(chain, types, True, resident=[depth])
    assert chain.word() == 1000 + depth and chain.writable()


@pytest.mark.parametrize("depth", range(2, 9))
def test_nearest_layer_wins(depth):
    """A page in a middle layer hides the one at the bottom."""
    types, middle = "D" * (depth + 1), depth // 2
    chain = Chain(types, resident=[middle, depth])
    check(chain, types, True, resident=[middle, depth])
    assert chain.word() == 1000 + middle


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("depth", range(1, 9))
def test_resident_file_page_below(depth, write):
    """The page of a file below anonymous layers is resident."""
    types = "D" * depth + "V"
    chain = Chain(types, resident=[depth])
    check(chain, types, write, resident=[depth])
    assert chain.word() == 1000 + depth and chain.writable() == write


@pytest.mark.parametrize("write", [False, True])
def test_page_in_of_file(write):
    """Case d: the map is dropped for the transfer and locked again."""
    chain = Chain("V")
    check(chain, "V", write, blocks=[0])
    assert chain.word() == file_word(0, 3, 0)


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("depth", range(1, 9))
def test_page_in_below(depth, write):
    """Case d': the file below anonymous layers has to be read; everything must be exclusive for that."""
    types = "D" * depth + "V"
    chain = Chain(types)
    check(chain, types, write, blocks=[depth])
    assert chain.word() == file_word(0, 3 + depth, 0) and chain.writable() == write


@pytest.mark.parametrize(
    ("types", "where", "tokens", "chains"),
    [("DD", {"resident": [1]}, 5, 3), ("DDDDD", {"resident": [4]}, 14, 6), ("D" * 9, {"resident": [8]}, 26, 10)],
)
def test_published_totals(types, where, tokens, chains):
    """The totals of the specification's table, so that the calculator above is itself held against something."""
    found = expected(types, write=True, **where)
    assert (found["tok_S"] + found["tok_X"], found["chain_S"]) == (tokens, chains)
