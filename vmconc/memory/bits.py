"""How many bits a number has: one instruction in compiled code."""

from llvmlite import ir
from numba import types

from vmconc.memory.lowering import I64, as_word, constant, lowers


def bit_length(number: int) -> int:
    """Return how many bits a number that is not negative has; 0 has none."""
    return number.bit_length()


@lowers(bit_length, lambda number: types.int64 if isinstance(number, types.Integer) else None)
def lower_bit_length(context, builder, sig, args):
    """Count the zeros in front."""
    word = as_word(context, builder, args[0], sig.args[0])
    zeros = builder.ctlz(word, ir.Constant(ir.IntType(1), 0))
    return builder.sub(constant(I64.width), zeros)
