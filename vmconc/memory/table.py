"""Type-stable tables of records with a free list per CPU.

A record never changes its type.  A freed one is filled with POISON, so a use after free is a value
everybody recognises, and its `life` word counts: odd while allocated, even while free.
"""

import zlib

from numba import types

from vmconc.memory.atomics import atomic_add, atomic_cas, atomic_store
from vmconc.memory.jit import kernel
from vmconc.memory.lowering import WORD, as_word, constant, load_invariant, lowers, parts
from vmconc.memory.refs import at, make_pair, offset, words_at
from vmconc.memory.reftypes import RefType
from vmconc.memory.struct import STRUCTS, Words, guard
from vmconc.memory.system import cpu_pause
from vmconc.memory.twins import struct

POISON = -0x5EED_5EED_5EED_5EED
LIFE, NEXT, CONTENT = 0, 1, 2  # words of every record of a table
SLOTS = 1024
BATCH = 8
SPARE = 32
ROOMY = 64  # with fewer records than this for each CPU no CPU keeps free ones to itself
DIRECTORY = 8192  # byte offset of the first Table record


@struct
class Table:
    """One table: where its records stand and which are free."""

    first: int = guard("layout")  # byte offset of record 0
    stride: int = guard("layout")  # bytes
    capacity: int = guard("layout")  # records
    slot: int = guard("layout")  # index into FreeLists
    name: int = guard("layout")  # a hash of the struct's name: several structs may have the same slot
    fresh: int = guard("atomic")  # records never yet handed out begin here
    spin: int = guard("atomic")
    head: int = guard("spin")  # shared free list
    batch: int = guard("layout")  # records that move between a CPU's list and the shared one at a time
    spare: int = guard("layout")  # free records a CPU keeps at most
    refused: int = guard("atomic")  # allocations that failed


@struct(align=8)
class FreeLists:
    """The records a CPU may hand out without asking anybody."""

    head: Words(SLOTS) = guard("cpu")
    count: Words(SLOTS) = guard("cpu")


def name_hash(name: str) -> int:
    """Return what tells the struct of a table."""
    return zlib.crc32(name.encode())


def slot_of(name: str) -> int:
    """Return the table number of a struct: from its name, so that it does not depend on the order of imports."""
    return name_hash(name) % SLOTS


def table(near, name: str):
    """Return the table of the struct `name` (a literal)."""
    return at(near, "Table", DIRECTORY + slot_of(name) * STRUCTS["Table"].stride)


def type_table(near, name):
    """Type `table`."""
    fits = isinstance(near, RefType) and isinstance(name, types.StringLiteral)
    return RefType("Table", near.build) if fits else None


@lowers(table, type_table)
def lower_table(context, builder, sig, args):
    """The offset is a constant."""
    off = DIRECTORY + slot_of(sig.args[1].literal_value) * STRUCTS["Table"].stride
    base = parts(context, builder, sig.args[0], args[0]).base
    return make_pair(context, builder, sig.return_type, base, constant(off))


def record(near, name: str, index: int):
    """Return record `index` of the table of the struct `name` (a literal)."""
    return at(near, name, table(near, name).first + index * STRUCTS[name].stride)


def type_record(near, name, index):
    """Type `record`."""
    fits = isinstance(near, RefType) and isinstance(name, types.StringLiteral) and isinstance(index, types.Integer)
    return RefType(name.literal_value, near.build) if fits else None


@lowers(record, type_record)
def lower_record(context, builder, sig, args):
    """The stride is a constant, so no table is asked for it."""
    name = sig.args[1].literal_value
    base = parts(context, builder, sig.args[0], args[0]).base
    place = DIRECTORY + slot_of(name) * STRUCTS["Table"].stride + STRUCTS["Table"].fields["first"].offset
    first = load_invariant(builder, builder.inttoptr(builder.add(base, constant(place)), WORD))
    index = as_word(context, builder, args[2], sig.args[2])
    off = builder.add(first, builder.mul(index, constant(STRUCTS[name].stride)))
    return make_pair(context, builder, sig.return_type, base, off)


@kernel
def table_lock(table):
    """Take the table's own spinlock: not one of the emulated locks, held for a few instructions."""
    while not atomic_cas(table, "spin", 0, 1):
        cpu_pause()


@kernel
def table_unlock(table):
    """Release the table's spinlock."""
    atomic_store(table, "spin", 0)


@kernel
def push_free(cpu, table, off):
    """Put a free record on the CPU's list."""
    slot = table.slot
    words_at(cpu, off)[NEXT] = cpu.free.head[slot]
    cpu.free.head[slot] = off
    cpu.free.count[slot] += 1


@kernel
def pop_free(cpu, table):
    """Take a record off the CPU's list: its offset, 0 if the list is empty."""
    slot = table.slot
    off = cpu.free.head[slot]
    if off != 0:
        cpu.free.head[slot] = words_at(cpu, off)[NEXT]
        cpu.free.count[slot] -= 1
    return off


@kernel
def refill_fresh(cpu, table):
    """Move a batch of records that were never used to the CPU's list."""
    first = atomic_add(table, "fresh", table.batch)
    last = min(first + table.batch, table.capacity)
    for index in range(first, last):
        push_free(cpu, table, table.first + index * table.stride)


@kernel
def refill_shared(cpu, table):
    """Move up to a batch of records from the shared list to the CPU's."""
    table_lock(table)
    moved = 0
    while moved < table.batch and table.head != 0:
        off = table.head
        table.head = words_at(cpu, off)[NEXT]
        push_free(cpu, table, off)
        moved += 1
    table_unlock(table)


@kernel
def return_spare(cpu, table):
    """Move a batch of records from the CPU's list to the shared one."""
    table_lock(table)
    for _ in range(table.batch):
        off = pop_free(cpu, table)
        words_at(cpu, off)[NEXT] = table.head
        table.head = off
    table_unlock(table)


@kernel
def table_take(cpu, table):
    """Allocate a record, all zero but its life: its byte offset, 0 if the table is exhausted."""
    off = pop_free(cpu, table)
    if off == 0 and table.fresh < table.capacity:
        refill_fresh(cpu, table)
        off = pop_free(cpu, table)
    if off == 0:
        refill_shared(cpu, table)
        off = pop_free(cpu, table)
    if off == 0:
        atomic_add(table, "refused", 1)
        return 0
    record = words_at(cpu, off)
    for i in range(NEXT, table.stride // 8):
        record[i] = 0
    record[LIFE] += 1
    return off


@kernel
def table_give(cpu, table, off):
    """Free and poison a record.  Return False, and do nothing, if it is not allocated."""
    record = words_at(cpu, off)
    life = record[LIFE]
    if life & 1 == 0 or not atomic_cas(record, LIFE, life, life + 1):
        return False
    for i in range(CONTENT, table.stride // 8):
        record[i] = POISON
    push_free(cpu, table, off)
    if cpu.free.count[table.slot] > table.spare:
        return_spare(cpu, table)
    return True


@kernel
def alive(ref):
    """Tell whether a table's record is allocated."""
    return words_at(ref, offset(ref))[LIFE] & 1 == 1
