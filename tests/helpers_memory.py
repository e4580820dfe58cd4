"""Structs and kernels for the memory layer's tests: each kernel is also called as plain Python (`.py_func`)."""

from vmconc.locks.cpu import Cpu  # noqa: F401  a CPU owns free lists
from vmconc.memory.atomics import atomic_add, atomic_and, atomic_cas, atomic_or, atomic_swap, fence
from vmconc.memory.jit import kernel
from vmconc.memory.operation import implements, operation
from vmconc.memory.pagebytes import page_copy, page_zero
from vmconc.memory.queries import bug, controlled, tracked
from vmconc.memory.refs import at, null, offset, words_at
from vmconc.memory.segment import HEADER
from vmconc.memory.struct import Embed, Refs, Same, Words, guard
from vmconc.memory.system import cpu_pause, nanoseconds, processor_yield
from vmconc.memory.table import alive, table, table_give, table_take
from vmconc.memory.twins import struct
from vmconc.schedule.engine import pass_point


@struct(align=8)
class Inner:
    """A record made to be embedded."""

    one: int = guard("atomic")
    two: int = guard("atomic")
    three: int = guard("atomic")


@struct
class Node:
    """A record with one field of each kind, fit for a table."""

    life: int = guard("atomic")
    next_free: int = guard("atomic")
    number: int = guard("inner", "const")
    link: "Node" = guard("const")
    inner: Embed("Inner") = guard("itself")
    words: Words(5) = guard("atomic")
    nodes: Refs("Node", 3) = guard("atomic")
    alias: Same("inner.two") = guard("atomic")
    link_alias: Same("link") = guard("const")
    last: int = guard("const")


@struct
class Owner:
    """Words that say who has which record."""

    words: Words(4096) = guard("atomic")
    gate: int = guard("atomic")
    bad: int = guard("atomic")


@kernel
def fill(node, other):
    """Write every kind of field."""
    node.number = 11
    node.link = other
    node.inner.one = 12
    node.alias = 13
    node.inner.three = 14
    for i in range(5):
        node.words[i] = 100 + i
    node.nodes[0] = node
    node.nodes[1] = other
    node.nodes[2] = null(node)
    node.last = -1


@kernel
def digest(node):
    """Read every kind of field, through references too."""
    total = node.number + 2 * node.inner.one + 3 * node.inner.two + 5 * node.inner.three + 7 * node.alias + node.last
    for i in range(5):
        total = total * 3 + node.words[i]
    total = total * 3 + offset(node.link) + offset(node.link_alias)
    for i in range(3):
        total = total * 3 + offset(node.nodes[i])
    return total


@kernel
def walk(node, limit):
    """Follow links to null, as the kernel's loops do; return how many."""
    n = 0
    while node and n < limit:
        n += 1
        node = node.link
    return n


@kernel
def compare(a, b):
    """Return what each way of comparing says, as bits."""
    result = 0
    if a == b:
        result |= 1
    if a != b:
        result |= 2
    if a:
        result |= 4
    if not b:
        result |= 8
    if a is not None and null(a) == null(b):
        result |= 16
    return result


@kernel
def same(node):
    """Give a reference back: unboxed and boxed."""
    return node


@kernel
def second_of(node):
    """Return a reference computed from a reference."""
    return node.nodes[1]


@kernel
def node_at(near, off):
    """Return the node at an offset."""
    return at(near, "Node", off)


@kernel
def raw(near, off, i):
    """Read a word by its place."""
    return words_at(near, off)[i]


@kernel
def store_bool(node, flag):
    """Store truth values and small integers as words."""
    node.number = flag
    node.words[0] = flag
    return node.number + node.words[0]


@kernel
def rmw(node, op, value, other):
    """Perform one atomic operation on a field and the same on an array's element; return both answers in one."""
    if op == 0:
        return int(atomic_cas(node, "number", value, other)) * 2 + int(atomic_cas(node.words, 3, value, other))
    if op == 1:
        return atomic_add(node, "number", value) * 1000003 + atomic_add(node.words, 3, value)
    if op == 2:
        return atomic_or(node, "number", value) * 1000003 + atomic_or(node.words, 3, value)
    if op == 3:
        return atomic_and(node, "number", value) * 1000003 + atomic_and(node.words, 3, value)
    fence()
    return atomic_swap(node, "number", value) * 1000003 + atomic_swap(node.words, 3, value)


@kernel
def embedded_rmw(node):
    """Atomics reach embedded and aliased words."""
    return atomic_add(node.inner, "two", 5) * 100 + atomic_add(node, "alias", 6)


@kernel
def add_many(owner, rounds, careful, cpus):
    """Add one `rounds` times, atomically or (broken twin) by load and store, beginning all together."""
    atomic_add(owner, "bad", 1)
    while owner.bad < cpus:
        cpu_pause()
        processor_yield()
    for _ in range(rounds):
        if careful != 0:
            atomic_add(owner, "gate", 1)
        else:
            owner.gate += 1


@kernel
def cas_many(owner, rounds):
    """Count by compare-and-set loops; return how often it had to try again."""
    again = 0
    for _ in range(rounds):
        while True:
            old = owner.words[0]
            if atomic_cas(owner.words, 0, old, old + 1):
                break
            again += 1
    return again


@kernel
def wait_for_word(owner, nanos):
    """Spin on a plain field until another process changes it; False after `nanos`.  A hoisted load never sees it."""
    end = nanoseconds() + nanos
    while owner.gate == 0:
        cpu_pause()
        if nanoseconds() > end:
            return False
    return True


@kernel
def set_gate(owner):
    """Change the word that `wait_for_word` looks at."""
    owner.gate = 1


@kernel
def take_node(cpu):
    """Allocate a node: its offset or 0."""
    return table_take(cpu, table(cpu, "Node"))


@kernel
def give_node(cpu, off):
    """Free a node."""
    return table_give(cpu, table(cpu, "Node"), off)


@kernel
def node_alive(node):
    """Tell whether a node is allocated."""
    return alive(node)


@kernel
def churn(cpu, owner, rounds, batch):
    """Take and give `batch` nodes at a time, claimed in `owner.words` while ours; count double ownership."""
    nodes = table(cpu, "Node")
    taken = 0
    for r in range(rounds):
        first = (cpu.index + 1) * 512  # this CPU's part of `owner.words`: what it holds
        got = 0
        for _ in range((r * 7 + cpu.index) % batch + 1):
            off = table_take(cpu, nodes)
            if off == 0:
                break
            place = (off - nodes.first) // nodes.stride
            if atomic_add(owner.words, place, 1) != 0:
                atomic_add(owner, "bad", 1)
            node = at(cpu, "Node", off)
            if node.number != 0 or node.last != 0 or node.words[4] != 0:
                atomic_add(owner, "bad", 1)
            node.number = cpu.index + 1
            owner.words[first + got] = off
            got += 1
        pass_point(cpu, 0)
        for i in range(got):
            off = owner.words[first + i]
            node = at(cpu, "Node", off)
            if node.number != cpu.index + 1:
                atomic_add(owner, "bad", 1)
            atomic_add(owner.words, (off - nodes.first) // nodes.stride, -1)
            if not table_give(cpu, nodes, off):
                atomic_add(owner, "bad", 1)
        taken += got
    return taken


@kernel
def free_in_step(cpu, owner, node, rounds):
    """Two CPUs free the same record at the same instant, again and again; return how often this one was told it did."""
    done = 0
    for r in range(rounds):
        if cpu.index == 0:
            node.life |= 1  # allocated again
        atomic_add(owner, "gate", 1)
        while owner.gate < 2 * (2 * r + 1):
            cpu_pause()
        if table_give(cpu, table(cpu, "Node"), offset(node)):
            done += 1
        atomic_add(owner, "gate", 1)
        while owner.gate < 2 * (2 * r + 2):
            cpu_pause()
    return done


@kernel
def move_pages(near, source, target):
    """Copy a page, then clear the source."""
    page_copy(near, source, target)
    page_zero(near, source)


@kernel
def describe(ref):
    """Say as bits what the build of a reference is."""
    result = 0
    if tracked(ref):
        result |= 1
    if controlled(ref):
        result |= 2
    if bug(ref, "lost"):
        result |= 4
    if bug(ref, "stale"):
        result |= 8
    return result


@operation
def greet(ref, amount):
    """Do what the protocol does."""


@operation
def part(ref, amount):
    """An operation that only one protocol provides."""


@implements(greet, "first")
def greet_first(ref, amount):
    """Add."""
    ref.number += amount
    return ref.number


@implements(greet, "second")
def greet_second(ref, amount):
    """Take away."""
    ref.number -= amount
    return ref.number


@implements(part, "first")
def part_first(ref, amount):
    """Call another operation from inside one."""
    return greet(ref, amount) * 2


@kernel
def meet(ref, amount):
    """Call an operation by name."""
    return greet(ref, amount)


@kernel
def leave(ref, amount):
    """Call the operation that `second` lacks."""
    return part(ref, amount)


@kernel
def machine_seed(near):
    """Read the header through any reference."""
    return at(near, "Machine", HEADER).seed
