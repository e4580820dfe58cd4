"""The few things a kernel asks of the machine: the clock, a pause, a futex, the end of the process."""

import ctypes
import os
import platform
import time
from collections.abc import Callable

from llvmlite import ir
from numba import types
from numba.core import cgutils

from vmconc.memory.lowering import I64, constant, lowers, parts
from vmconc.memory.reftypes import ArrayType

FUTEX_NUMBER = 202 if platform.machine() == "x86_64" else 98  # what newer architectures have in common
FUTEX_WAIT, FUTEX_WAKE = 0, 1
CLOCK_MONOTONIC = 1
EVERYBODY = 1 << 30
SECOND = 1_000_000_000
STOPS: list[Callable[[int], None]] = []  # who is told of each step, with the JIT off


def nanoseconds() -> int:
    """Return the monotonic clock in nanoseconds, the same on every CPU and as `time.monotonic_ns`."""
    return time.monotonic_ns()


def ticks() -> int:
    """Return the processor's counter of time: the same rate on every CPU, cheaper than the clock."""
    return time.monotonic_ns()


def cpu_pause() -> None:
    """Tell the processor that this is a spin loop."""


def processor_yield() -> None:
    """Let another process run on this processor."""
    os.sched_yield()


def debugger_point(step) -> None:
    """Let a debugger stop at this step of an execution, if one is told to (with the JIT off)."""
    if STOPS:
        STOPS[-1](step)


def futex_wait(words, expected: int, timeout: int) -> None:
    """Sleep while the low 32 bits of `words[0]` equal `expected`, at most `timeout` ns; may return early."""
    futex(words, FUTEX_WAIT, expected, (ctypes.c_int64 * 2)(*divmod(timeout, SECOND)))


def futex_wake(words) -> None:
    """Wake every sleeper on `words[0]`."""
    futex(words, FUTEX_WAKE, EVERYBODY, None)


def futex(words, operation: int, value: int, timeout) -> None:
    """Make the system call from Python: the CPUs of a controlled replay may be processes with the JIT off too."""
    address = ctypes.c_void_p(words.base + words.off)
    ctypes.CDLL(None).syscall(FUTEX_NUMBER, address, operation, ctypes.c_int64(value), timeout, None, 0)


def leave_process(status: int) -> None:
    """End this process at once, running nothing more of it."""
    os._exit(status)


def external(builder, name: str, result, arguments):
    """Declare (once) and return a C function of the process or an LLVM intrinsic."""
    module = builder.module
    if name in module.globals:
        return module.globals[name]
    return ir.Function(module, ir.FunctionType(result, arguments), name)


@lowers(nanoseconds, lambda: types.int64)
def lower_nanoseconds(context, builder, sig, args):
    """Call clock_gettime, which is a vDSO function."""
    spec = cgutils.alloca_once(builder, I64, size=2)
    clock = external(builder, "clock_gettime", ir.IntType(32), [ir.IntType(32), I64.as_pointer()])
    builder.call(clock, [ir.Constant(ir.IntType(32), CLOCK_MONOTONIC), spec])
    seconds = builder.load(spec)
    rest = builder.load(builder.gep(spec, [constant(1)]))
    return builder.add(builder.mul(seconds, constant(SECOND)), rest)


COUNTER = {"x86_64": "rdtsc; shlq $$32, %rdx; orq %rdx, %rax", "aarch64": "mrs $0, cntvct_el0"}
COUNTER_OPERANDS = {"x86_64": "={rax},~{rdx},~{flags}", "aarch64": "=r"}


@lowers(ticks, lambda: types.int64)
def lower_ticks(context, builder, sig, args):
    """Read the counter: about 20 ns less than the clock takes."""
    machine = platform.machine()
    return builder.asm(ir.FunctionType(I64, []), COUNTER[machine], COUNTER_OPERANDS[machine], [], True)


@lowers(cpu_pause, lambda: types.none)
def lower_pause(context, builder, sig, args):
    """Emit `pause` on x86-64, nothing elsewhere."""
    if platform.machine() == "x86_64":
        builder.call(external(builder, "llvm.x86.sse2.pause", ir.VoidType(), []), [])
    return context.get_dummy_value()


def futex_call(context, builder, words_type, words, operation, value, timeout):
    """Call syscall(SYS_futex, address, operation, value, timeout, 0, 0)."""
    pair = parts(context, builder, words_type, words)
    syscall = external(builder, "syscall", I64, [I64] * 7)
    address = builder.add(pair.base, pair.off)
    zero = constant(0)
    builder.call(syscall, [constant(FUTEX_NUMBER), address, constant(operation), value, timeout, zero, zero])
    return context.get_dummy_value()


def is_words(typ) -> bool:
    """Tell whether a type is an array of words."""
    return isinstance(typ, ArrayType) and not typ.struct


@lowers(futex_wait, lambda words, expected, timeout: types.none if is_words(words) else None)
def lower_futex_wait(context, builder, sig, args):
    """Make the system call with a timespec on the stack."""
    spec = cgutils.alloca_once(builder, I64, size=2)
    timeout = context.cast(builder, args[2], sig.args[2], types.int64)
    builder.store(builder.sdiv(timeout, constant(SECOND)), spec)
    builder.store(builder.srem(timeout, constant(SECOND)), builder.gep(spec, [constant(1)]))
    expected = context.cast(builder, args[1], sig.args[1], types.int64)
    address = builder.ptrtoint(spec, I64)
    return futex_call(context, builder, sig.args[0], args[0], FUTEX_WAIT, expected, address)


@lowers(futex_wake, lambda words: types.none if is_words(words) else None)
def lower_futex_wake(context, builder, sig, args):
    """Make the system call."""
    return futex_call(context, builder, sig.args[0], args[0], FUTEX_WAKE, constant(EVERYBODY), constant(0))


@lowers(leave_process, lambda status: types.none)
def lower_leave(context, builder, sig, args):
    """Call _exit."""
    leave = external(builder, "_exit", ir.VoidType(), [ir.IntType(32)])
    builder.call(leave, [builder.trunc(context.cast(builder, args[0], sig.args[0], types.int64), ir.IntType(32))])
    return context.get_dummy_value()


@lowers(processor_yield, lambda: types.none)
def lower_yield(context, builder, sig, args):
    """Call sched_yield."""
    builder.call(external(builder, "sched_yield", ir.IntType(32), []), [])
    return context.get_dummy_value()


@lowers(debugger_point, lambda step: types.none)
def lower_debugger_point(context, builder, sig, args):
    """Nothing: there is no debugger of compiled code."""
    return context.get_dummy_value()
