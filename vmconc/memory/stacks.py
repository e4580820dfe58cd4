"""Stacks for CPUs that take turns in one process: a switch is a handful of instructions, about 4 ns.

`stack_switch` is an LLVM function of its own without prologue: to its caller it is an ordinary call, so only the
registers that a call must preserve are saved, on the stack that is left.  With the JIT off a stack is a greenlet.
"""

from dataclasses import dataclass

import greenlet
from llvmlite import ir
from numba import types

from vmconc.memory.jit import MACHINE
from vmconc.memory.lowering import I64, constant, lowers, parts
from vmconc.memory.reftypes import RefType
from vmconc.memory.struct import STRUCTS, guard
from vmconc.memory.twins import struct

STACK_BYTES = 256 << 10


@struct(align=8, private=True)
class Stack:
    """What one CPU runs on.  Addresses are those of the one process in which the CPUs take turns."""

    pointer: int = guard("cpu")  # address of the saved registers while others run
    top: int = guard("const")  # address of its end
    body: int = guard("const")  # address of the compiled kernel that it begins with
    end: int = guard("const")  # address of the compiled kernel that follows; it does not return
    argument: int = guard("const")  # byte offset of a record for the body, beside the CPU


@dataclass(frozen=True)
class Frame:
    """Saved registers of a stack, lowest address first, in words; `entry` is where it goes on."""

    names: tuple[str, ...]
    words: int
    entry: int


FIRST_REGISTERS = ("near", "off", "end", "body", "results", "argument")
FRAME = {
    "x86_64": Frame(FIRST_REGISTERS, 7, 6),  # r15 r14 r13 r12 rbx rbp, return address
    "aarch64": Frame(FIRST_REGISTERS, 20, 11),  # x19 to x30, d8 to d15
}
SWITCH = {
    "x86_64": """
        pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
        movq %rsp, (%rdi)
        movq %rsi, %rsp
        popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
        retq""",
    "aarch64": """
        sub sp, sp, #160
        stp x19, x20, [sp, #0]; stp x21, x22, [sp, #16]; stp x23, x24, [sp, #32]
        stp x25, x26, [sp, #48]; stp x27, x28, [sp, #64]; stp x29, x30, [sp, #80]
        stp d8, d9, [sp, #96]; stp d10, d11, [sp, #112]; stp d12, d13, [sp, #128]; stp d14, d15, [sp, #144]
        mov x9, sp
        str x9, [x0]
        mov sp, x1
        ldp x19, x20, [sp, #0]; ldp x21, x22, [sp, #16]; ldp x23, x24, [sp, #32]
        ldp x25, x26, [sp, #48]; ldp x27, x28, [sp, #64]; ldp x29, x30, [sp, #80]
        ldp d8, d9, [sp, #96]; ldp d10, d11, [sp, #112]; ldp d12, d13, [sp, #128]; ldp d14, d15, [sp, #144]
        add sp, sp, #160
        ret""",
}
# A fresh stack begins here: it calls the body, then the end.  Compiled kernels take (results, results, arguments ...).
ENTRY = {
    "x86_64": """
        movq %rbx, %rdi; leaq 8(%rbx), %rsi; movq %r15, %rdx; movq %r14, %rcx; movq %r15, %r8; movq %rbp, %r9
        callq *%r12
        movq %rbx, %rdi; leaq 8(%rbx), %rsi; movq %r15, %rdx; movq %r14, %rcx
        callq *%r13
        ud2""",
    "aarch64": """
        mov x0, x23; add x1, x23, #8; mov x2, x19; mov x3, x20; mov x4, x19; mov x5, x24
        blr x22
        mov x0, x23; add x1, x23, #8; mov x2, x19; mov x3, x20
        blr x21
        brk #1""",
}
GREENLETS: dict[int, greenlet.greenlet] = {}  # by byte offset of the Stack, with the JIT off


def stack_switch(here, there) -> None:
    """Leave one stack and go on on another.  Returns when somebody switches back to `here`."""
    GREENLETS[here.off] = greenlet.getcurrent()
    GREENLETS[there.off].switch()


def stack_fresh(stack, cpu) -> None:
    """Have the next switch to a stack begin with the body, called with `cpu` and its argument."""
    body, end, argument = stack.memory.bodies[stack.off]

    def run() -> None:
        body(cpu, argument) if argument is not None else body(cpu)
        end(cpu)

    GREENLETS[stack.off] = greenlet.greenlet(run)


def assembly(module: ir.Module, name: str, arguments: int, code: str) -> ir.Function:
    """Declare (once) a function of the module that consists of assembly only."""
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * arguments), name)
    function.linkage = "internal"
    for attribute in ("naked", "noinline", "nounwind"):
        function.attributes.add(attribute)
    builder = ir.IRBuilder(function.append_basic_block())
    lines = "\n\t".join(part.strip() for line in code.split("\n") for part in line.split(";"))
    builder.asm(ir.FunctionType(ir.VoidType(), []), lines.strip(), "~{memory}", [], True)
    builder.unreachable()
    return function


def is_stack(typ) -> bool:
    """Tell whether a type is a reference to a Stack."""
    return isinstance(typ, RefType) and typ.struct == "Stack"


def field_pointer(context, builder, typ, stack, name: str):
    """Return the LLVM pointer to a field of a Stack."""
    pair = parts(context, builder, typ, stack)
    place = builder.add(pair.off, constant(STRUCTS["Stack"].fields[name].offset))
    return builder.inttoptr(builder.add(pair.base, place), I64.as_pointer())


@lowers(stack_switch, lambda here, there: types.none if is_stack(here) and is_stack(there) else None)
def lower_switch(context, builder, sig, args):
    """Save into one, load from the other."""
    here, there = (field_pointer(context, builder, sig.args[i], args[i], "pointer") for i in (0, 1))
    switch = assembly(builder.module, "vmconc_stack_switch", 2, SWITCH[MACHINE])
    builder.call(switch, [builder.ptrtoint(here, I64), builder.load(there)])
    return context.get_dummy_value()


@lowers(stack_fresh, lambda stack, cpu: types.none if is_stack(stack) and isinstance(cpu, RefType) else None)
def lower_fresh(context, builder, sig, args):
    """Lay the frame out that a switch will restore."""
    frame = FRAME[MACHINE]

    def value_of(name):
        return builder.load(field_pointer(context, builder, sig.args[0], args[0], name))

    cpu = parts(context, builder, sig.args[1], args[1])
    results = builder.sub(value_of("top"), constant(64))
    pointer = builder.sub(results, constant(frame.words * 8))
    entry = builder.ptrtoint(assembly(builder.module, "vmconc_stack_entry", 0, ENTRY[MACHINE]), I64)
    values = {"near": cpu.base, "off": cpu.off, "results": results}
    words = [values[name] if name in values else value_of(name) for name in frame.names]
    start = builder.inttoptr(pointer, I64.as_pointer())
    for place, word in [*enumerate(words), (frame.entry, entry)]:
        builder.store(word, builder.gep(start, [constant(place)]))
    builder.store(pointer, field_pointer(context, builder, sig.args[0], args[0], "pointer"))
    return context.get_dummy_value()


