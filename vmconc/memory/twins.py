"""The plain-Python twins of typed references, and how a struct is declared."""

import weakref
from typing import ClassVar

from numba.extending import typeof_impl

from vmconc.memory.build import ALWAYS, Build
from vmconc.memory.jit import jit_off
from vmconc.memory.lines import running_line
from vmconc.memory.reftypes import ArrayType, RefType
from vmconc.memory.struct import LINE_BYTES, WORD_BYTES, WRITES, Embed, Field, Refs, Words, declare
from vmconc.memory.written import Notes

TWINS: dict[str, type] = {}
POINTED: dict[str, type] = {}  # the twins of builds whose accesses are schedule points
ACCESS: dict = {}  # by when accesses are schedule points: the kernel of one, (near, what, line)


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
        return twins_of(self.build)[self.struct](self.memory, word, self.build) if self.struct else word

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


def twins_of(build: Build) -> dict[str, type]:
    """Return the twins of a build."""
    return POINTED if build.accesses else TWINS


def twin_of(base: int, off: int, name: str, build: Build) -> Reference:
    """Make the twin of a compiled reference; `base` must be a mapping of this process."""
    return twins_of(build)[name](Memory.live[base], off, build)
