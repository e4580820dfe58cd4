"""Structs and references: one layout, two readers (compiled code and plain Python), the same memory."""

import re

import numba
import numpy as np
import pytest
from conftest import MODE, make_segment
from helpers_memory import (
    Inner,
    Node,
    compare,
    describe,
    digest,
    fill,
    machine_seed,
    move_pages,
    node_at,
    raw,
    same,
    second_of,
    store_bool,
    walk,
)

from vmconc.memory.build import Build
from vmconc.memory.jit import jit_off
from vmconc.memory.pagebytes import PAGE_SIZE
from vmconc.memory.refs import null, offset
from vmconc.memory.segment import layout_digest
from vmconc.memory.struct import LINE_BYTES, STRUCTS, Embed, Field, Refs, Same, Words, guard
from vmconc.memory.twins import TWINS, struct

WORD = re.compile(r"[a-z_0-9]+(\.[a-z_0-9]+)*")


@pytest.fixture
def nodes():
    """Return three nodes of a fresh segment."""
    segment = make_segment({"Node": 3}, frames=3, seed=77)
    return segment, *[segment.nth("Node", i) for i in range(3)]


def python(kernel):
    """Return a kernel's Python body."""
    return getattr(kernel, "py_func", kernel)


def test_layout():
    """Fields follow one another, embedded records and arrays take their room, the stride is whole cache lines."""
    fields = STRUCTS["Node"].fields
    offsets = {name: field.offset // 8 for name, field in fields.items()}
    assert offsets == {
        "life": 0, "next_free": 1, "number": 2, "link": 3, "inner": 4, "words": 7, "nodes": 12, "alias": 5,
        "link_alias": 3, "last": 15,
    }  # fmt: skip
    assert STRUCTS["Node"].stride == 2 * LINE_BYTES and STRUCTS["Inner"].stride == 24
    assert fields["number"].guard == ("inner", "const") and STRUCTS["Node"].doc.startswith("A record with one field")


def test_every_guard_of_every_struct_can_be_read():
    """Guards are data: controlled mode, the documentation and the race report parse them."""
    for name, declared in STRUCTS.items():
        for field in declared.fields.values():
            assert isinstance(field, Field) and field.guard, f"{name}.{field.name} has no guard"
            assert all(WORD.fullmatch(text) for text in field.guard), f"{name}.{field.name}: {field.guard}"


def test_a_field_without_a_guard_is_refused():
    """Nothing is shared by accident."""
    with pytest.raises((AttributeError, TypeError)):
        struct(type("NoGuard", (), {"__annotations__": {"word": int}, "__doc__": "x"}))


def test_a_struct_is_declared_once():
    """Two layouts of one name would be read as one another."""
    with pytest.raises(TypeError, match="Inner is declared twice"):
        struct(type("Inner", (), {"__annotations__": {"one": int}, "one": guard("const"), "__doc__": "x"}))


def test_digest_changes_with_the_layout(monkeypatch):
    """Another name, another place, another kind, another struct: each is another layout."""
    seen = {layout_digest({"Node"})}
    node = STRUCTS["Node"]
    variants = [
        {"last": Field("last", node.fields["last"].offset + 8, int, ("const",), 1)},
        {"last": Field("last", node.fields["last"].offset, "Node", ("const",), 1)},
        {"more": Field("more", node.fields["last"].offset + 8, int, ("const",), 1)},
        {"words": Field("words", node.fields["words"].offset, Words(4), ("const",), 4)},
    ]
    for change in variants:
        changed = type(node)(node.name, node.doc, {**node.fields, **change}, node.stride)
        monkeypatch.setitem(STRUCTS, "Node", changed)
        seen.add(layout_digest({"Node"}))
    assert len(seen) == 5
    monkeypatch.setitem(STRUCTS, "Node", node)
    assert layout_digest({"Node"}) in seen


def test_kernel_and_twin_write_and_read_the_same_memory(nodes):
    """Every kind of field, written by one and read by the other, both ways round; and as a NumPy view."""
    segment, a, b, c = nodes
    fill(a, b)
    python(fill)(c, b)
    assert digest(a) == python(digest)(a)
    assert digest(c) == python(digest)(c)
    assert [a.number, a.inner.one, a.inner.two, a.alias, a.inner.three, a.last] == [11, 12, 13, 13, 14, -1]
    assert [a.words[i] for i in range(5)] == [100, 101, 102, 103, 104]
    assert (a.nodes[0], a.nodes[1], bool(a.nodes[2])) == (a, b, False)
    rows = segment.view("Node")
    for name in ("number", "link", "inner", "words", "last"):
        assert rows[name][0] == rows[name][2] if rows[name].ndim == 1 else (rows[name][0] == rows[name][2]).all()
    assert rows["inner"]["two"][0] == 13 and "alias" not in rows.dtype.names
    assert rows.dtype.itemsize == STRUCTS["Node"].stride


def test_view_is_live_and_writable(nodes):
    """No copy is made."""
    segment, a, *_ = nodes
    rows = segment.view("Node")
    a.number = 5
    assert rows["number"][0] == 5
    rows["words"][0][2] = 9
    assert a.words[2] == 9


def test_writing_one_record_leaves_its_neighbours(nodes):
    """Strides and offsets do not overlap."""
    segment, a, b, _ = nodes
    fill(b, a)
    rows = segment.view("Node")
    for i in (0, 2):
        assert not np.frombuffer(rows[i : i + 1].tobytes(), np.int64).any()


def test_alias_is_the_same_word(nodes):
    """Both ways; an alias of a reference too."""
    _, a, b, _ = nodes
    a.alias = 3
    assert a.inner.two == 3
    a.inner.two = 4
    assert a.alias == 4
    a.link_alias = b
    assert a.link == b


def test_null_equality_and_truth(nodes):
    """As pointers in C; a reference compares by what it points to."""
    _, a, b, _ = nodes
    assert not null(a) and offset(null(a)) == 0 and bool(a)
    for first, second in ((a, a), (a, b), (null(a), b), (a, null(b)), (null(a), null(b))):
        assert compare(first, second) == python(compare)(first, second)
    assert compare(a, a) == 1 | 4 | 16 and compare(a, null(a)) == 2 | 4 | 8 | 16
    assert a == same(a) and a != b and len({a, same(a), b}) == 2


def test_walk_to_null(nodes):
    """`while node:` ends at null and reads each link once."""
    _, a, b, c = nodes
    a.link, b.link = b, c
    assert walk(a, 10) == python(walk)(a, 10) == 3
    assert walk(null(a), 10) == 0
    c.link = a
    assert walk(a, 10) == 10


def test_boxing_and_unboxing(nodes):
    """What a kernel returns is a twin of the right struct, build and mapping."""
    segment, a, b, _ = nodes
    fill(a, b)
    back = second_of(a)
    assert type(back) is Node and back == b and back.build == a.build and back.memory is segment.memory
    back.number = 21
    assert b.number == 21
    assert type(same(a.inner)) is Inner and same(a.inner).off == a.off + 32
    bugs = make_segment({"Node": 1}, protocol="p", bugs=("lost", "stale")).nth("Node", 0)
    assert same(bugs).build == Build(MODE, "p", ("lost", "stale"))


def test_boxing_leaks_nothing(nodes):
    """A thousand returned references leave no object alive."""
    import gc

    _, a, b, _ = nodes
    fill(a, b)
    second_of(a)
    gc.collect()
    before = sum(isinstance(o, Node) for o in gc.get_objects())
    for _ in range(1000):
        second_of(a)
    gc.collect()
    assert sum(isinstance(o, Node) for o in gc.get_objects()) <= before + 2


def test_at_and_words_at(nodes):
    """From any reference to any record of the mapping."""
    _, a, b, _ = nodes
    fill(b, a)
    assert node_at(a, b.off) == b == python(node_at)(a, b.off)
    assert raw(a, b.off, 2) == 11 == python(raw)(a, b.off, 2)
    assert machine_seed(b) == 77


def test_truth_values_are_stored_as_words(nodes):
    """`True` is 1 in memory, compiled or not."""
    _, a, _, _ = nodes
    assert store_bool(a, True) == python(store_bool)(a, True) == 2
    assert store_bool(a, False) == 0


def test_two_mappings_do_not_mix(nodes):
    """A reference carries its mapping; the same offset elsewhere is another record."""
    _, a, b, _ = nodes
    other = make_segment({"Node": 3}, frames=3)
    fill(a, b)
    twin = other.nth("Node", 0)
    assert twin.off == a.off and twin.number == 0
    fill(twin, twin)
    assert second_of(twin).memory is other.memory and second_of(a).memory is a.memory


def test_pages_move(nodes):
    """4096 bytes exactly, neither neighbour touched."""
    segment, a, *_ = nodes
    frames = segment.frames()
    assert frames.shape == (3, 512)
    pool = segment.machine.pool
    for move in (move_pages, python(move_pages)):
        for i in range(3):
            frames[i] = np.arange(512) + 1000 * i
        move(a, pool + PAGE_SIZE, pool)
        assert (frames[0] == np.arange(512) + 1000).all() and not frames[1].any() and frames[2][0] == 2000


@pytest.mark.parametrize(
    ("mode", "bugs", "bits"),
    [
        ("off", (), 0),
        ("counted", (), 1),
        ("controlled", (), 3),
        ("counted", ("lost",), 5),
        ("counted", ("lost", "stale"), 13),
    ],
)
def test_questions_about_the_build(mode, bugs, bits):
    """Compiled code and Python give the same answers for every build."""
    if jit_off() and mode != "controlled":
        pytest.skip("needs the JIT")
    machine = make_segment(mode=mode, bugs=bugs).machine
    assert describe(machine) == python(describe)(machine) == bits


@pytest.mark.skipif(jit_off(), reason="needs the JIT")
def test_questions_about_the_build_are_constants():
    """The branch not taken is not there: in mode off the whole function is one constant."""
    machine = make_segment(mode="off").machine
    assert numba.njit(describe.py_func)(machine) == 0
    body = code_of(describe.py_func, machine)
    assert " br " not in body and "store i64 0" in body


def code_of(function, *arguments):
    """Return the LLVM text of a function compiled for these arguments."""
    compiled = numba.njit(function)  # not from the disk cache, which keeps no LLVM text
    compiled(*arguments)
    functions = compiled.inspect_llvm(compiled.signatures[0]).split("define ")[1:]
    name = function.__name__
    return next(text for text in functions if name in text.split("(")[0] and "cpython" not in text.split("(")[0])


@pytest.mark.skipif(jit_off(), reason="needs the JIT")
def test_a_second_load_is_left_out_only_of_what_no_other_cpu_changes_meanwhile(nodes):
    """Each look at a shared word is one: whoever waits for it looks again."""

    def shared_twice(node):
        return node.life + node.life

    def own_twice(node):
        return node.last + node.last

    assert code_of(shared_twice, nodes[1]).count("load atomic i64") == 2
    assert code_of(own_twice, nodes[1]).count("load atomic i64") == 1


@pytest.mark.skipif(jit_off(), reason="needs the JIT")
@pytest.mark.parametrize("body", ["node.nothing", "at(node, 'NoSuch', 8).number"])
def test_a_misspelt_name_does_not_compile(nodes, body):
    """An error, not a wrong offset."""
    scope = {}
    exec(f"from vmconc.memory.refs import at\ndef wrong(node):\n    {body}\n    return 0\n", scope)
    with pytest.raises((numba.TypingError, KeyError)):
        numba.njit(scope["wrong"])(nodes[1])


@pytest.mark.skipif(jit_off(), reason="needs the JIT")
def test_a_reference_to_another_struct_cannot_be_stored(nodes):
    """`node.link` takes nodes: the header file of the system is typed."""
    scope = {}
    exec("def wrong(node):\n    node.link = node.inner\n    return 0\n", scope)
    with pytest.raises(numba.TypingError):
        numba.njit(scope["wrong"])(nodes[1])


def test_every_struct_has_a_twin():
    """By name, as `at` finds it."""
    assert set(STRUCTS) <= set(TWINS)
    assert Embed("Inner") == Embed("Inner") and Refs("Node", 3) != Refs("Node", 2) and Same("a") != Same("b")
