"""The bytes of a frame, 4096 each: clear and copy, which really move them, and prefetch."""

from llvmlite import ir
from numba import types
from numba.core import cgutils

from vmconc.memory.lowering import I8, constant, lowers, parts
from vmconc.memory.reftypes import RefType
from vmconc.memory.struct import LINE_BYTES
from vmconc.memory.written import note_page

PAGE_SIZE = 4096
PAGE_SHIFT = 12
PAGE_WORDS = PAGE_SIZE // 8
PREFETCH_BYTES = 1024  # of a page: more would keep the processor's few outstanding misses from the records


def page_zero(near, off: int) -> None:
    """Clear the 4096 bytes at byte offset `off` of the mapping."""
    near.memory.buffer[off : off + PAGE_SIZE] = bytes(PAGE_SIZE)


def page_copy(near, source: int, target: int) -> None:
    """Copy 4096 bytes from offset `source` to offset `target`."""
    buffer = near.memory.buffer
    buffer[target : target + PAGE_SIZE] = buffer[source : source + PAGE_SIZE]


def page_prefetch(near, off: int) -> None:
    """Have the processor begin to bring the page at `off`, which will soon be written, into its cache."""


def line_prefetch(near, off: int) -> None:
    """Have the processor begin to bring the cache line at `off`, which will soon be written, into its cache."""


def pointer(context, builder, near_type, near, off, off_type, written=False):
    """Return an i8 pointer to a byte offset of the mapping; `written`: the page there will be."""
    base = parts(context, builder, near_type, near).base
    off = context.cast(builder, off, off_type, types.int64)
    if written:
        note_page(builder, near_type.build, base, off, PAGE_SIZE)
    return builder.inttoptr(builder.add(base, off), I8.as_pointer())


def call_memory(builder, name: str, arguments):
    """Call an LLVM memory intrinsic of `arguments`, for one page, not volatile."""
    flag = ir.Constant(ir.IntType(1), 0)
    arguments = [*arguments, constant(PAGE_SIZE), flag]
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(ir.VoidType(), [a.type for a in arguments]), name)
    builder.call(function, arguments)


@lowers(page_zero, lambda near, off: types.none if isinstance(near, RefType) else None)
def lower_zero(context, builder, sig, args):
    """One memset."""
    target = pointer(context, builder, sig.args[0], args[0], args[1], sig.args[1], written=True)
    call_memory(builder, "llvm.memset.p0.i64", [target, ir.Constant(I8, 0)])
    return context.get_dummy_value()


@lowers(page_copy, lambda near, source, target: types.none if isinstance(near, RefType) else None)
def lower_copy(context, builder, sig, args):
    """One memcpy."""
    source = pointer(context, builder, sig.args[0], args[0], args[1], sig.args[1])
    target = pointer(context, builder, sig.args[0], args[0], args[2], sig.args[2], written=True)
    call_memory(builder, "llvm.memcpy.p0.p0.i64", [target, source])
    return context.get_dummy_value()


@lowers(page_prefetch, lambda near, off: types.none if isinstance(near, RefType) else None)
def lower_prefetch(context, builder, sig, args):
    """One prefetch for each of the first lines, for writing; the rest follows when the page is written in order."""
    start = pointer(context, builder, sig.args[0], args[0], args[1], sig.args[1])
    for line in range(0, PREFETCH_BYTES, LINE_BYTES):
        call_prefetch(builder, builder.gep(start, [constant(line)]))
    return context.get_dummy_value()


def call_prefetch(builder, address):
    """Call LLVM's prefetch for writing."""
    number = ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
    prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    write, keep, data = number(1), number(3), number(1)
    builder.call(prefetch, [address, write, keep, data])


@lowers(line_prefetch, lambda near, off: types.none if isinstance(near, RefType) else None)
def lower_line_prefetch(context, builder, sig, args):
    """One prefetch."""
    call_prefetch(builder, pointer(context, builder, sig.args[0], args[0], args[1], sig.args[1]))
    return context.get_dummy_value()
