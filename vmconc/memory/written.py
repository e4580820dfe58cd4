"""Brings a mapping back to an earlier state by copying back only the cache lines that were written since.

Compiled code of the mode `controlled` notes each line that it stores to, once.  Notes and the copy lie in memory that
this process shares with those it forks, reached from the mapping's first page by their distance from it.  With the JIT
off all is copied back.
"""

import ctypes
import hashlib
import mmap
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from vmconc.memory.lowering import I8, I64, WORD, as_word, constant, load_invariant, lowers, parts

LINE_SHIFT = 6
LINE_WORDS = 8
LINE = ir.VectorType(I64, LINE_WORDS).as_pointer()
MIX = -0x61C8864680B583EB  # 2**64 divided by the golden ratio, as a signed word
WRITTEN = 4032  # byte offset of the four words below: at the end of the first page, whose start null references lead to
MAP, LIST, COUNT, COPY = range(4)  # distances of: a byte for each line, the lines noted, (their number), the copy


class Notes:
    """Where one mapping's written lines are noted, and the copy that they are brought back from."""

    def __init__(self, memory: Any, size: int):
        self.memory, self.size, self.lines = memory, size, -(-size >> LINE_SHIFT)
        self.area = mmap.mmap(-1, self.lines * (1 + LINE_WORDS))
        self.copy: mmap.mmap | None = None
        self.kept: list[tuple[int, int]] = []  # byte offsets: from, up to
        where = ctypes.addressof(ctypes.c_char.from_buffer(self.area)) - memory.base
        self.words()[MAP], self.words()[LIST] = where, where + self.lines

    def words(self) -> memoryview:
        """Return the four words of the mapping."""
        return self.memory.words[WRITTEN // 8 : WRITTEN // 8 + 4]

    def map(self) -> np.ndarray:
        """Return a byte for each line: whether it is noted already."""
        return np.frombuffer(self.area, np.uint8, self.lines)

    def keep(self, first: int, length: int) -> None:
        """Never bring back the lines of [first, first + length)."""
        begin, end = first >> LINE_SHIFT, -(-(first + length) >> LINE_SHIFT)
        self.map()[begin:end] = 1
        self.kept.append((begin << LINE_SHIFT, end << LINE_SHIFT))

    def take_copy(self) -> None:
        """Make the state as it is now the one that is brought back."""
        self.copy = self.copy or mmap.mmap(-1, self.size)
        self.words()[COUNT] = 0
        self.words()[COPY] = ctypes.addressof(ctypes.c_char.from_buffer(self.copy)) - self.memory.base
        self.copy[:] = self.memory.buffer[: self.size]
        edges = np.flatnonzero(np.diff(self.map() == 0, prepend=False, append=False)) << LINE_SHIFT
        self.spans = [(int(first), min(int(end), self.size)) for first, end in edges.reshape(-1, 2)]

    def bring_back(self) -> None:
        """Copy back every line that is not kept: what nobody noted may have been written too."""
        begin = 0
        for end, following in [*sorted(self.kept), (self.size, self.size)]:
            self.memory.buffer[begin:end] = self.copy[begin:end]
            begin = following


def note_pointer(builder, base, index: int):
    """Return the LLVM pointer to one of the four words."""
    return builder.inttoptr(builder.add(base, constant(WRITTEN + 8 * index)), I64.as_pointer())


def at_distance(builder, base, index: int, more):
    """Return the address that lies `more` bytes behind what one of the words points to."""
    return builder.add(builder.add(base, load_invariant(builder, note_pointer(builder, base, index))), more)


def note_line(module: ir.Module) -> ir.Function:
    """Declare (once) a function of the module that notes a line: (base, line)."""
    name = "vmconc_note_line"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64, I64]), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block())
    base, line = function.args
    builder.store(ir.Constant(I8, 1), builder.inttoptr(at_distance(builder, base, MAP, line), I8.as_pointer()))
    count = note_pointer(builder, base, COUNT)
    place = at_distance(builder, base, LIST, builder.mul(builder.load(count), constant(8)))
    builder.store(line, builder.inttoptr(place, WORD))
    builder.store(builder.add(builder.load(count), constant(1)), count)
    builder.ret_void()
    return function


def note(builder, owner, base, off) -> None:
    """Note the line at byte offset `off`, which belongs to a record or array of type `owner`.

    There is nothing to note of what is kept, and in builds that never go back.
    """
    if owner.build.mode == "controlled" and not owner.private:
        note_at(builder, base, off)


def note_at(builder, base, off) -> None:
    """Note the line at byte offset `off`."""
    line = builder.lshr(off, constant(LINE_SHIFT))
    noted = builder.load(builder.inttoptr(at_distance(builder, base, MAP, line), I8.as_pointer()))
    with builder.if_then(builder.icmp_unsigned("==", noted, ir.Constant(I8, 0)), likely=False):
        builder.call(note_line(builder.module), [base, line])


def note_page(builder, build, base, off, size: int) -> None:
    """Note every line of [off, off + size)."""
    if build.mode == "controlled":
        with cgutils.for_range(builder, constant(size >> LINE_SHIFT)) as loop:
            note_at(builder, base, builder.add(off, builder.shl(loop.index, constant(LINE_SHIFT))))


def written_hash(near, first: int, end: int) -> int:
    """Return a hash, not 0, of the lines written in [first, end): their places and what stands there."""
    digest = hashlib.blake2b(near.memory.buffer[first:end], digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True) | 1


def mixed(builder, value, more):
    """Mix one more word into a hash."""
    product = builder.mul(builder.xor(value, more), constant(MIX))
    return builder.xor(product, builder.lshr(product, constant(32)))


@lowers(written_hash, lambda near, first, end: types.int64)
def lower_written_hash(context, builder, sig, args):
    """Add up a hash of each line: they may have been written in any order."""
    base = parts(context, builder, sig.args[0], args[0]).base
    first, end = (as_word(context, builder, args[i], sig.args[i]) for i in (1, 2))
    lines = builder.inttoptr(at_distance(builder, base, LIST, constant(0)), WORD)
    total = cgutils.alloca_once_value(builder, constant(0))
    with cgutils.for_range(builder, builder.load(note_pointer(builder, base, COUNT))) as loop:
        where = builder.shl(builder.load(builder.gep(lines, [loop.index])), constant(LINE_SHIFT))
        inside = builder.and_(builder.icmp_signed(">=", where, first), builder.icmp_signed("<", where, end))
        with builder.if_then(inside):
            value = where
            words = builder.inttoptr(builder.add(base, where), WORD)
            for i in range(LINE_WORDS):
                value = mixed(builder, value, builder.load(builder.gep(words, [constant(i)])))
            builder.store(builder.add(builder.load(total), value), total)
    return builder.or_(builder.load(total), constant(1))


def bring_back(near) -> None:
    """Copy back what was written since `Notes.take_copy`, but for what is kept."""
    near.memory.notes.bring_back()


@lowers(bring_back, lambda near: types.none)
def lower_bring_back(context, builder, sig, args):
    """Copy each line noted, and forget the note."""
    base = parts(context, builder, sig.args[0], args[0]).base
    count = note_pointer(builder, base, COUNT)
    lines = builder.inttoptr(at_distance(builder, base, LIST, constant(0)), WORD)
    with cgutils.for_range(builder, builder.load(count)) as loop:
        line = builder.load(builder.gep(lines, [loop.index]))
        where = builder.shl(line, constant(LINE_SHIFT))
        source = builder.inttoptr(at_distance(builder, base, COPY, where), LINE)
        target = builder.inttoptr(builder.add(base, where), LINE)
        builder.store(builder.load(source, align=8), target, align=8)
        builder.store(ir.Constant(I8, 0), builder.inttoptr(at_distance(builder, base, MAP, line), I8.as_pointer()))
    builder.store(constant(0), count)
    return context.get_dummy_value()
