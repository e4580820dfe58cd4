"""`@struct` declarations: the header file of the system.  Layout and guards as data, no code generation.

Every field is a number of 64-bit words and names what guards it:

* `layout`  set before any compiled code sees the mapping: within a kernel it is read once
* `const`   set before the record is published, then never changed
* `atomic`  no lock: any CPU may change it, read-modify-write by a named atomic operation
* `cpu`     written by the owning CPU only; others read it as a hint
* `hint`    written by any CPU without a lock; a lost update does no harm
* `peek`    only behind a lock: it is also read without, by who can do with a value that is old
* `order`   written by whoever the program's order says is alone with it
* `init`    written while no worker runs
* a lock    the name of a lock field of this record, or a path to one: through a field (`object.token`), or through
  the record this one belongs to, by the name of its kind (`map.lock`, `queue.spin`, `page.spin`, `owner.token`)

Two guards separated by a comma mean: either to read, both to write (FreeBSD `sys/vm/vm_page.h`).  `atomic` behind a
lock means that an atomic operation needs no lock.
"""

from dataclasses import dataclass, field
from typing import Any

WORD_BYTES = 8
WRITES, ATOMIC = 1, 2  # what an access to the word at a byte offset is, in the offset's lowest bits
LINE_BYTES = 64
UNSHARED = ("const", "cpu", "init")  # guards of what no CPU changes while another one looks
PAIR_BYTES = 2 * LINE_BYTES  # processors fetch lines in pairs: what two CPUs write all the time stands this far apart


@dataclass(frozen=True)
class Embed:
    """A record inside the record."""

    struct: str


@dataclass(frozen=True)
class Words:
    """A fixed array of integers."""

    length: int


@dataclass(frozen=True)
class Refs:
    """A fixed array of references to one struct."""

    struct: str
    length: int


@dataclass(frozen=True)
class Same:
    """Another name for a field reached by a dotted path: a union's second member."""

    path: str


@dataclass(frozen=True)
class Field:
    """One field: its place in bytes, its kind (`int`, a struct's name, `Embed`, `Words`, `Refs`), its guards."""

    name: str
    offset: int
    kind: Any
    guard: tuple[str, ...]
    words: int

    @property
    def shared(self) -> bool:
        """Tell whether a CPU may change the field while another one looks."""
        return self.guard[0] not in UNSHARED


@dataclass(frozen=True)
class Struct:
    """One declaration.  `stride` is in bytes; a multiple of a cache line unless the struct is made to be embedded."""

    name: str
    doc: str
    fields: dict[str, Field] = field(hash=False, compare=False)
    stride: int = 0
    points: str = ""  # when each access is a schedule point of controlled builds (build.py); empty: never
    private: bool = False  # one processor at a time reaches it, and it is never brought back: plain loads and stores


STRUCTS: dict[str, Struct] = {}


def guard(*names: str) -> tuple[str, ...]:
    """Name the locks that guard a field."""
    return names


def words_of(kind: Any) -> int:
    """Return how many words a field of this kind takes."""
    if isinstance(kind, Embed):
        return STRUCTS[kind.struct].stride // WORD_BYTES
    return kind.length if isinstance(kind, (Words, Refs)) else 1


def resolve(fields: dict[str, Field], path: str) -> Field:
    """Follow a dotted path through embedded records; the offset is from the outer record."""
    first, *rest = path.split(".")
    found = fields[first]
    for name in rest:
        inner = STRUCTS[found.kind.struct].fields[name]
        found = Field(name, found.offset + inner.offset, inner.kind, inner.guard, inner.words)
    return found


def declare(cls: type, align: int, points: str = "", private: bool = False) -> Struct:
    """Lay the annotated fields of `cls` out in order and register the declaration."""
    fields: dict[str, Field] = {}
    offset = 0
    for name, kind in cls.__annotations__.items():
        guards = getattr(cls, name)
        if isinstance(kind, Same):
            target = resolve(fields, kind.path)
            fields[name] = Field(name, target.offset, target.kind, guards, 0)
            continue
        words = words_of(kind)
        fields[name] = Field(name, offset, kind, guards, words)
        offset += words * WORD_BYTES
    stride = -(-offset // align) * align
    if cls.__name__ in STRUCTS:
        raise TypeError(f"struct {cls.__name__} is declared twice")
    STRUCTS[cls.__name__] = Struct(cls.__name__, cls.__doc__ or "", fields, stride, points, private)
    return STRUCTS[cls.__name__]
