"""Random numbers that are the same compiled and interpreted: a linear congruential generator of 48 bits (drand48)."""

from vmconc.memory.jit import kernel

MULTIPLIER, INCREMENT = 0x5DEECE66D, 0xB
STATE = (1 << 48) - 1
DRAWN_BITS = 31


@kernel
def draw(engine, n):
    """Return a random number of 0 .. n - 1; n below 2**31."""
    engine.random = engine.random * MULTIPLIER + INCREMENT & STATE
    return (engine.random >> 48 - DRAWN_BITS) * n >> DRAWN_BITS
