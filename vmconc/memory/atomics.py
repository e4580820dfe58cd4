"""Named read-modify-write operations on a field of a record or an element of an array.

The Python body says what each does; the lowering is one LLVM instruction, sequentially consistent, and
so also a fence.  The body is atomic only while one CPU runs at a time: with the JIT off only the
controlled engine runs several CPUs.
"""

from numba import types

from vmconc.memory.lowering import WORD, as_word, constant, lowers, parts
from vmconc.memory.refs import access_point
from vmconc.memory.reftypes import ArrayType, RefType
from vmconc.memory.struct import ATOMIC, STRUCTS, WORD_BYTES, WRITES, Words
from vmconc.memory.twins import pass_access
from vmconc.memory.written import note


def place(ref, name) -> int:
    """Return the index, in the mapping's words, of the field `name` of a record or of element `name` of an array.

    It is about to be written: the schedule point comes first, if it is one.
    """
    if isinstance(name, str):
        field = STRUCTS[ref.struct].fields[name]
        byte = field.offset
        points = STRUCTS[ref.struct].points if field.shared else ""
    else:
        byte, points = name * WORD_BYTES, ref.points
    if ref.build.points(points):
        pass_access(ref, points, ref.off + byte | WRITES | ATOMIC)
    return (ref.off + byte) // WORD_BYTES


def atomic_cas(ref, name, old, new) -> bool:
    """If the word equals `old` store `new` and return True, else return False."""
    words, index = ref.memory.words, place(ref, name)
    if words[index] != old:
        return False
    words[index] = new
    return True


def atomic_add(ref, name, delta) -> int:
    """Add `delta`, return what was there before."""
    words, index = ref.memory.words, place(ref, name)
    before = words[index]
    words[index] = before + delta
    return before


def atomic_or(ref, name, bits) -> int:
    """Set `bits`, return what was there before."""
    words, index = ref.memory.words, place(ref, name)
    before = words[index]
    words[index] = before | bits
    return before


def atomic_and(ref, name, mask) -> int:
    """Keep only the bits of `mask`, return what was there before."""
    words, index = ref.memory.words, place(ref, name)
    before = words[index]
    words[index] = before & mask
    return before


def atomic_swap(ref, name, value) -> int:
    """Store `value`, return what was there before."""
    words, index = ref.memory.words, place(ref, name)
    before = words[index]
    words[index] = value
    return before


def atomic_store(ref, name, value) -> None:
    """Store `value` after everything before it (release)."""
    ref.memory.words[place(ref, name)] = value


def fence() -> None:
    """Order everything before against everything after, on every CPU."""


def addressable(ref, name) -> bool:
    """Tell whether (ref, name) names a word: a word field by literal name, or an element of a word array."""
    if isinstance(ref, RefType):
        if not isinstance(name, types.StringLiteral):
            return False
        field = ref.field(name.literal_value)
        return field is not None and not isinstance(field.kind, Words)
    return isinstance(ref, ArrayType) and not ref.struct and isinstance(name, types.Integer)


def pointer(context, builder, sig, args):
    """Return the LLVM pointer to the word that the first two arguments name, which will be written."""
    ref_type, name_type = sig.args[:2]
    pair = parts(context, builder, ref_type, args[0])
    if isinstance(ref_type, RefType):
        field = ref_type.field(name_type.literal_value)
        delta, points = constant(field.offset), ref_type.points(field)
    else:
        delta = builder.mul(as_word(context, builder, args[1], name_type), constant(WORD_BYTES))
        points = ref_type.points
    off = builder.add(pair.off, delta)
    access_point(context, builder, ref_type.build, points, pair.base, off, WRITES | ATOMIC)
    note(builder, ref_type, pair.base, off)
    return builder.inttoptr(builder.add(pair.base, off), WORD)


def operand(context, builder, sig, args, i):
    """Return argument `i` as a word."""
    return as_word(context, builder, args[i], sig.args[i])


@lowers(atomic_cas, lambda ref, name, old, new: types.boolean if addressable(ref, name) else None)
def lower_cas(context, builder, sig, args):
    """One cmpxchg."""
    old, new = (operand(context, builder, sig, args, i) for i in (2, 3))
    pair = builder.cmpxchg(pointer(context, builder, sig, args), old, new, "seq_cst", "seq_cst")
    return builder.extract_value(pair, 1)


def lower_rmw(function, operation: str) -> None:
    """Register `function(ref, name, value)` as one LLVM atomicrmw."""

    def codegen(context, builder, sig, args):
        value = operand(context, builder, sig, args, 2)
        return builder.atomic_rmw(operation, pointer(context, builder, sig, args), value, "seq_cst")

    lowers(function, lambda ref, name, value: types.int64 if addressable(ref, name) else None)(codegen)


lower_rmw(atomic_add, "add")
lower_rmw(atomic_or, "or")
lower_rmw(atomic_and, "and")
lower_rmw(atomic_swap, "xchg")


@lowers(atomic_store, lambda ref, name, value: types.none if addressable(ref, name) else None)
def lower_store(context, builder, sig, args):
    """One store with release ordering: a plain store on x86-64."""
    value = operand(context, builder, sig, args, 2)
    builder.store_atomic(value, pointer(context, builder, sig, args), "release", 8)
    return context.get_dummy_value()


@lowers(fence, lambda: types.none)
def lower_fence(context, builder, sig, args):
    """One sequentially consistent fence."""
    builder.fence("seq_cst")
    return context.get_dummy_value()
