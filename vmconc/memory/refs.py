"""Typed references to shared records: the Numba types, and their plain-Python twins.

A reference is (base address of the mapping, byte offset); offset 0 is null.  Reading or writing an
attribute is one atomic 64-bit load or store (relaxed: ordering comes from the locks).  An embedded
record or an array is reached without a load.  The build is part of the type (`build.py`).
"""

import operator
import weakref
from typing import ClassVar

from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_getattr_generic, lower_setattr_generic
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_global, signature
from numba.extending import (
    NativeValue,
    box,
    infer_getattr,
    lower_builtin,
    lower_cast,
    models,
    overload,
    register_model,
    typeof_impl,
    unbox,
)

from vmconc.memory.build import ALWAYS, Build
from vmconc.memory.jit import jit_off
from vmconc.memory.lines import lowered_line, running_line
from vmconc.memory.lowering import WORD, constant, load_invariant, lowers, parts
from vmconc.memory.struct import LINE_BYTES, STRUCTS, WORD_BYTES, WRITES, Embed, Field, Refs, Words, declare
from vmconc.memory.written import Notes, note

LAYOUT = ("layout",)  # guard of what is set before any compiled code sees the mapping
TWINS: dict[str, type] = {}
POINTED: dict[str, type] = {}  # the twins of builds whose accesses are schedule points
ACCESS: dict = {}  # by when accesses are schedule points: the kernel of one, (near, what, line)


class RefType(types.Type):
    """The Numba type of a reference to `struct` under `build`."""

    def __init__(self, struct: str, build: Build):
        self.struct, self.build = struct, build
        super().__init__(name=f"{struct}*{build}")

    def points(self, field: Field) -> str:
        """Return which schedule point an access to a field is (a key of ACCESS), empty: none in this build."""
        declared = STRUCTS[self.struct].points
        return declared if field.shared and self.build.points(declared) else ""

    @property
    def private(self) -> bool:
        """Tell whether one processor at a time reaches its records, and nobody brings them back."""
        return STRUCTS[self.struct].private

    def field(self, name: str) -> Field | None:
        """Return the declaration of a field, None if there is none of that name."""
        return STRUCTS[self.struct].fields.get(name)


class ArrayType(types.Type):
    """The Numba type of a fixed array of words (`struct` empty) or of references inside a record."""

    def __init__(self, struct: str, build: Build, points: str = "", private: bool = False):
        self.struct, self.build, self.points, self.private = struct, build, points, private
        super().__init__(name=f"{struct or 'word'}[{points}{'-' if private else ''}]*{build}")


@register_model(RefType)
@register_model(ArrayType)
class PairModel(models.StructModel):
    """Base address and byte offset."""

    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, [("base", types.int64), ("off", types.int64)])


class Memory:
    """One mapping as this process sees it.  `words` is its content as signed 64-bit integers."""

    live: ClassVar[weakref.WeakValueDictionary] = weakref.WeakValueDictionary()  # by address

    def __init__(self, buffer, base: int):
        self.buffer, self.base = buffer, base
        self.words = memoryview(buffer).cast("B").cast("q")
        self.notes: Notes | None = None
        self.bodies: dict = {}  # byte offset of a Stack -> body, end, argument; with the JIT off
        self.near = None  # a reference to the machine, where CPUs take turns
        Memory.live[base] = self


class Reference:
    """What a reference is in plain Python: the same attributes over the same words."""

    __slots__ = ("build", "memory", "off")
    struct = ""

    def __init__(self, memory: Memory, off: int, build: Build):
        self.memory, self.off, self.build = memory, off, build

    @property
    def base(self) -> int:
        """Return the address the mapping has in this process."""
        return self.memory.base

    def __bool__(self) -> bool:
        return self.off != 0

    def __eq__(self, other) -> bool:
        return self.off == other.off

    def __hash__(self) -> int:
        return hash(self.off)

    def __repr__(self) -> str:
        return f"{self.struct}@{self.off:#x}"


class Array:
    """What an array field is in plain Python."""

    __slots__ = ("build", "memory", "off", "points", "struct")

    def __init__(self, memory: Memory, off: int, build: Build, struct: str, points: str = ""):
        self.memory, self.off, self.build, self.struct, self.points = memory, off, build, struct, points

    @property
    def base(self) -> int:
        """Return the address the mapping has in this process."""
        return self.memory.base

    def __getitem__(self, index: int):
        pass_access(self, self.points, self.off + index * WORD_BYTES)
        word = self.memory.words[self.off // WORD_BYTES + index]
        return at(self, self.struct, word) if self.struct else word

    def __setitem__(self, index: int, value) -> None:
        pass_access(self, self.points, self.off + index * WORD_BYTES | WRITES)
        self.memory.words[self.off // WORD_BYTES + index] = value.off if self.struct else value


def pass_access(near, points: str, what: int) -> None:
    """Pass the schedule point of an access to `what` (byte offset, plus WRITES, plus ATOMIC), if it is one."""
    if points in ACCESS and near.memory.near is not None and jit_off():
        ACCESS[points](near.memory.near, what, running_line())


def twin_property(field: Field, twins: dict[str, type], points: str) -> property:
    """Return the Python property of one field; what it refers to is one of `twins`."""
    offset, kind = field.offset, field.kind
    if isinstance(kind, Embed):
        return property(lambda self: twins[kind.struct](self.memory, self.off + offset, self.build))
    if isinstance(kind, (Words, Refs)):
        target = kind.struct if isinstance(kind, Refs) else ""
        return property(lambda self: Array(self.memory, self.off + offset, self.build, target, points))

    def get(self):
        word = self.memory.words[(self.off + offset) // WORD_BYTES]
        return word if kind is int else twins[kind](self.memory, word, self.build)

    def put(self, value):
        self.memory.words[(self.off + offset) // WORD_BYTES] = int(value) if kind is int else value.off

    return stepwise(get, put, offset, points) if points else property(get, put)


def stepwise(get, put, offset: int, points: str) -> property:
    """Return a property whose accesses are schedule points."""

    def get_after(self):
        pass_access(self, points, self.off + offset)
        return get(self)

    def put_after(self, value):
        pass_access(self, points, self.off + offset | WRITES)
        put(self, value)

    return property(get_after, put_after)


def struct(cls=None, *, align: int = LINE_BYTES, points: str = "", private: bool = False):
    """Declare a struct from annotations and return its plain-Python twin; `align=8` for one made to be embedded.

    `points`: when each access to a field is a schedule point, where CPUs take turns (build.py).  `private`: one
    processor at a time reaches the records, and they are kept when a mapping is brought back.
    """
    if cls is None:
        return lambda decorated: struct(decorated, align=align, points=points, private=private)
    declared = declare(cls, align, points, private)
    for twins, there in ((TWINS, points == ALWAYS), (POINTED, points != "")):
        members: dict[str, object] = {
            name: twin_property(field, twins, points if there and field.shared else "")
            for name, field in declared.fields.items()
        }
        members |= {"__slots__": (), "__doc__": cls.__doc__, "struct": declared.name}
        twins[declared.name] = type(cls.__name__, (Reference,), members)
        typeof_impl.register(twins[declared.name])(lambda value, context: RefType(declared.name, value.build))
    return TWINS[declared.name]


typeof_impl.register(Array)(lambda value, context: ArrayType(value.struct, value.build, value.points))


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


def twins_of(build: Build) -> dict[str, type]:
    """Return the twins of a build."""
    return POINTED if build.accesses else TWINS


def twin_of(base: int, off: int, name: str, build: Build) -> Reference:
    """Make the twin of a compiled reference; `base` must be a mapping of this process."""
    return twins_of(build)[name](Memory.live[base], off, build)


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
        return ArrayType(kind.struct if isinstance(kind, Refs) else "", build, owner.points(field), owner.private)
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


def load(context, builder, owner, points, base, off, typ, layout=False):
    """Load the word at base + off, in a record or array of type `owner`, as `typ` (int64 or a reference).

    `layout`: the word does not change while compiled code runs.
    """
    access_point(context, builder, owner.build, points, base, off, 0)
    pointer = builder.inttoptr(builder.add(base, off), WORD)
    if layout:
        word = load_invariant(builder, pointer)
    else:
        word = builder.load(pointer) if owner.private else builder.load_atomic(pointer, "monotonic", 8)
    return make_pair(context, builder, typ, base, word) if isinstance(typ, RefType) else word


def store(context, builder, owner, points, base, off, typ, value):
    """Store `value`, an integer or a reference, at base + off, in a record or array of type `owner`."""
    access_point(context, builder, owner.build, points, base, off, WRITES)
    note(builder, owner, base, off)
    if isinstance(typ, RefType):
        word = parts(context, builder, typ, value).off
    else:
        word = context.cast(builder, value, typ, types.int64)
    pointer = builder.inttoptr(builder.add(base, off), WORD)
    builder.store(word, pointer) if owner.private else builder.store_atomic(word, pointer, "monotonic", 8)


@lower_getattr_generic(RefType)
def get_field(context, builder, typ, value, attr):
    """Read a field: one atomic load, or no load for what is embedded."""
    field, pair = typ.field(attr), parts(context, builder, typ, value)
    off = builder.add(pair.off, constant(field.offset))
    result = type_of_field(field, typ)
    if isinstance(field.kind, (Embed, Words, Refs)):
        return make_pair(context, builder, result, pair.base, off)
    return load(context, builder, typ, typ.points(field), pair.base, off, result, field.guard == LAYOUT)


@lower_setattr_generic(RefType)
def set_field(context, builder, sig, args, attr):
    """Write a field: one atomic store."""
    typ, value_type = sig.args
    field, pair = typ.field(attr), parts(context, builder, typ, args[0])
    off = builder.add(pair.off, constant(field.offset))
    store(context, builder, typ, typ.points(field), pair.base, off, value_type, args[1])


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
    return load(context, builder, array, array.points, pair.base, off, sig.return_type)


@lower_builtin(operator.setitem, ArrayType, types.int64, types.Any)
def array_set(context, builder, sig, args):
    """Store one element."""
    array, pair = sig.args[0], parts(context, builder, sig.args[0], args[0])
    off = builder.add(pair.off, builder.mul(args[1], constant(WORD_BYTES)))
    store(context, builder, array, array.points, pair.base, off, sig.args[2], args[2])
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
