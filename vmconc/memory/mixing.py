"""Mixing two words into one: the same 64 bits compiled and interpreted."""

from llvmlite import ir
from numba import types

from vmconc.memory.lowering import I64, as_word, constant, lowers

FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9  # odd: the golden ratio's, and SplitMix64's second
HALF, REST = 32, 29
WORD_END = 1 << 64


def mix(a: int, b: int) -> int:
    """Return a word in which every bit depends on all of two others, in their order.

    (After Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014.)
    """
    value = (a * FIRST + b) % WORD_END
    value = (value ^ value >> HALF) * SECOND % WORD_END
    value ^= value >> REST
    return value - WORD_END if value >> 63 else value


@lowers(mix, lambda a, b: types.int64)
def lower_mix(context, builder, sig, args):
    """Two multiplications."""
    a, b = (as_word(context, builder, args[i], sig.args[i]) for i in (0, 1))
    value = builder.add(builder.mul(a, ir.Constant(I64, FIRST)), b)
    value = builder.mul(builder.xor(value, builder.lshr(value, constant(HALF))), ir.Constant(I64, SECOND))
    return builder.xor(value, builder.lshr(value, constant(REST)))
