"""Typed references to shared records in compiled code: how attributes and elements are typed and lowered.

A reference is (base address of the mapping, byte offset); offset 0 is null.  Reading or writing an
attribute is one 64-bit load or store that is never torn (relaxed: ordering comes from the locks; a second load of
what no other CPU changes meanwhile may be left out).  An embedded record or an array is reached without a load.
The build is part of the type (`build.py`).
"""

import operator

from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_getattr_generic, lower_setattr_generic
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_global, signature
from numba.extending import NativeValue, box, infer_getattr, lower_builtin, lower_cast, overload, unbox

from vmconc.memory.build import Build
from vmconc.memory.lines import lowered_line
from vmconc.memory.lowering import WORD, constant, load_invariant, lowers, parts
from vmconc.memory.reftypes import ArrayType, RefType
from vmconc.memory.struct import WORD_BYTES, WRITES, Embed, Field, Refs, Words
from vmconc.memory.twins import ACCESS, POINTED, TWINS, Array, twin_of
from vmconc.memory.written import note

LAYOUT = "layout"  # guard of what is set before any compiled code sees the mapping


@unbox(RefType)
@unbox(ArrayType)
def unbox_pair(typ, obj, c):
    """Take base and offset out of a twin."""
    pair = cgutils.create_struct_proxy(typ)(c.context, c.builder)
    for name in ("base", "off"):
        attribute = c.pyapi.object_getattr_string(obj, name)
        setattr(pair, name, c.pyapi.long_as_longlong(attribute))
        c.pyapi.decref(attribute)
    return NativeValue(pair._getvalue(), is_error=cgutils.is_not_null(c.builder, c.pyapi.err_occurred()))


@box(RefType)
def box_ref(typ, value, c):
    """Give Python the twin."""
    pair = parts(c.context, c.builder, typ, value)
    maker = c.pyapi.unserialize(c.pyapi.serialize_object(twin_of))
    args = [c.pyapi.long_from_longlong(pair.base), c.pyapi.long_from_longlong(pair.off)]
    args += [c.pyapi.unserialize(c.pyapi.serialize_object(part)) for part in (typ.struct, typ.build)]
    made = c.pyapi.call_function_objargs(maker, args)
    for held in [maker, *args]:
        c.pyapi.decref(held)
    return made


def type_of_field(field: Field, owner: RefType):
    """Return the Numba type that reading a field of a record of type `owner` gives."""
    kind, build = field.kind, owner.build
    if kind is int:
        return types.int64
    if isinstance(kind, Embed):
        return RefType(kind.struct, build)
    if isinstance(kind, (Words, Refs)):
        element = kind.struct if isinstance(kind, Refs) else ""
        return ArrayType(element, build, owner.points(field), owner.ordering(field))
    return RefType(kind, build)


@infer_getattr
class RefAttributes(AttributeTemplate):
    """The fields of a reference."""

    key = RefType

    def generic_resolve(self, typ, attr):
        field = typ.field(attr)
        return field and type_of_field(field, typ)


def make_pair(context, builder, typ, base, off):
    """Build a reference or array value."""
    pair = cgutils.create_struct_proxy(typ)(context, builder)
    pair.base, pair.off = base, off
    return pair._getvalue()


def access_point(context, builder, build: Build, points: str, base, off, kind: int):
    """Call the engine's schedule point for an access, if it is one; `kind`: 0, or WRITES with or without ATOMIC."""
    if points not in ACCESS:
        return
    near = RefType("Machine", build)
    point = context.typing_context.resolve_value_type(ACCESS[points])
    sig = point.get_call_type(context.typing_context, (near, types.int64, types.int64), {})
    call = context.get_function(point, sig)
    context.add_linking_libs(getattr(call, "libs", ()))
    what = builder.or_(off, constant(kind))
    call(builder, (make_pair(context, builder, near, base, constant(0)), what, constant(lowered_line())))


def load_word(builder, pointer, ordering: str):
    """Load a word; `ordering`: LLVM's, empty: a plain load, `layout`: it does not change while compiled code runs."""
    if ordering == LAYOUT:
        return load_invariant(builder, pointer)
    return builder.load_atomic(pointer, ordering, WORD_BYTES) if ordering else builder.load(pointer)


def load(context, builder, owner, points, base, off, typ, ordering):
    """Load the word at base + off, in a record or array of type `owner`, as `typ` (int64 or a reference)."""
    access_point(context, builder, owner.build, points, base, off, 0)
    word = load_word(builder, builder.inttoptr(builder.add(base, off), WORD), ordering)
    return make_pair(context, builder, typ, base, word) if isinstance(typ, RefType) else word


def store(context, builder, owner, points, base, off, typ, value, ordering):
    """Store `value`, an integer or a reference, at base + off, in a record or array of type `owner`."""
    access_point(context, builder, owner.build, points, base, off, WRITES)
    note(builder, owner, base, off)
    if isinstance(typ, RefType):
        word = parts(context, builder, typ, value).off
    else:
        word = context.cast(builder, value, typ, types.int64)
    pointer = builder.inttoptr(builder.add(base, off), WORD)
    builder.store_atomic(word, pointer, ordering, WORD_BYTES) if ordering else builder.store(word, pointer)


@lower_getattr_generic(RefType)
def get_field(context, builder, typ, value, attr):
    """Read a field: one load, plain in private structs and of LAYOUT, else atomic; none of what is embedded."""
    field, pair = typ.field(attr), parts(context, builder, typ, value)
    off = builder.add(pair.off, constant(field.offset))
    result = type_of_field(field, typ)
    if isinstance(field.kind, (Embed, Words, Refs)):
        return make_pair(context, builder, result, pair.base, off)
    ordering = LAYOUT if field.guard == (LAYOUT,) else typ.ordering(field)
    return load(context, builder, typ, typ.points(field), pair.base, off, result, ordering)


@lower_setattr_generic(RefType)
def set_field(context, builder, sig, args, attr):
    """Write a field: one store, plain in private structs, else atomic."""
    typ, value_type = sig.args
    field, pair = typ.field(attr), parts(context, builder, typ, args[0])
    off = builder.add(pair.off, constant(field.offset))
    store(context, builder, typ, typ.points(field), pair.base, off, value_type, args[1], typ.ordering(field))


def element_type(array: ArrayType):
    """Return the Numba type of an element."""
    return RefType(array.struct, array.build) if array.struct else types.int64


@infer_global(operator.getitem)
class ArrayGet(AbstractTemplate):
    """`array[i]`."""

    def generic(self, args, kws):
        if len(args) == 2 and isinstance(args[0], ArrayType) and isinstance(args[1], types.Integer):
            return signature(element_type(args[0]), args[0], types.int64)
        return None


@infer_global(operator.setitem)
class ArraySet(AbstractTemplate):
    """`array[i] = value`."""

    def generic(self, args, kws):
        if len(args) == 3 and isinstance(args[0], ArrayType) and isinstance(args[1], types.Integer):
            return signature(types.none, args[0], types.int64, element_type(args[0]))
        return None


@lower_builtin(operator.getitem, ArrayType, types.int64)
def array_get(context, builder, sig, args):
    """Load one element."""
    array, pair = sig.args[0], parts(context, builder, sig.args[0], args[0])
    off = builder.add(pair.off, builder.mul(args[1], constant(WORD_BYTES)))
    return load(context, builder, array, array.points, pair.base, off, sig.return_type, array.ordering)


@lower_builtin(operator.setitem, ArrayType, types.int64, types.Any)
def array_set(context, builder, sig, args):
    """Store one element."""
    array, pair = sig.args[0], parts(context, builder, sig.args[0], args[0])
    off = builder.add(pair.off, builder.mul(args[1], constant(WORD_BYTES)))
    store(context, builder, array, array.points, pair.base, off, sig.args[2], args[2], array.ordering)
    return context.get_dummy_value()


@lower_cast(RefType, types.boolean)
def ref_to_bool(context, builder, fromty, toty, value):
    """Null is false."""
    return builder.icmp_signed("!=", parts(context, builder, fromty, value).off, constant(0))


def offset(ref) -> int:
    """Return the byte offset of a reference or array: 0 for null.  It names the record on every CPU."""
    return ref.off


@lowers(offset, lambda ref: types.int64 if isinstance(ref, (RefType, ArrayType)) else None)
def lower_offset(context, builder, sig, args):
    """Take the second half of the pair."""
    return parts(context, builder, sig.args[0], args[0]).off


def null(ref):
    """Return the null reference of the same type."""
    return type(ref)(ref.memory, 0, ref.build)


@lowers(null, lambda ref: ref if isinstance(ref, RefType) else None)
def lower_null(context, builder, sig, args):
    """Keep the base, drop the offset."""
    return make_pair(context, builder, sig.return_type, parts(context, builder, sig.args[0], args[0]).base, constant(0))


def at(near, name: str, off: int):
    """Return the reference to the `name` record at byte offset `off` of the mapping that `near` lies in."""
    return (POINTED if near.build.accesses else TWINS)[name](near.memory, off, near.build)


def type_at(near, name, off):
    """Type `at`: the struct's name must be a literal."""
    known = isinstance(near, (RefType, ArrayType)) and isinstance(name, types.StringLiteral)
    return RefType(name.literal_value, near.build) if known and isinstance(off, types.Integer) else None


@lowers(at, type_at)
def lower_at(context, builder, sig, args):
    """Keep the base, take the offset given."""
    off = context.cast(builder, args[2], sig.args[2], types.int64)
    return make_pair(context, builder, sig.return_type, parts(context, builder, sig.args[0], args[0]).base, off)


def words_at(near, off: int):
    """Return the words that begin at byte offset `off`, as an array."""
    return Array(near.memory, off, near.build, "")


@lowers(words_at, lambda near, off: ArrayType("", near.build) if isinstance(near, RefType) else None)
def lower_words_at(context, builder, sig, args):
    """Keep the base, take the offset given."""
    off = context.cast(builder, args[1], sig.args[1], types.int64)
    return make_pair(context, builder, sig.return_type, parts(context, builder, sig.args[0], args[0]).base, off)


@overload(bool)
def ref_bool(ref):
    """`if ref:`."""
    if isinstance(ref, RefType):
        return lambda ref: offset(ref) != 0
    return None


@overload(operator.not_)
def ref_not(ref):
    """`not ref`."""
    if isinstance(ref, RefType):
        return lambda ref: offset(ref) == 0
    return None


@overload(operator.eq)
def ref_eq(a, b):
    """Same record."""
    if isinstance(a, RefType) and isinstance(b, RefType):
        return lambda a, b: offset(a) == offset(b)
    return None


@overload(operator.ne)
def ref_ne(a, b):
    """Another record."""
    if isinstance(a, RefType) and isinstance(b, RefType):
        return lambda a, b: offset(a) != offset(b)
    return None
