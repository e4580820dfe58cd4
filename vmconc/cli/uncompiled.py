"""Says that a search or replay runs uncompiled where vmconc has no assembly to switch stacks with."""

import sys


def say_if_uncompiled() -> None:
    """Say so on standard error, in one line: why, and what it costs (measured on x86-64: `docs/limits.md`)."""
    from vmconc.memory.jit import NO_COMPILING

    if NO_COMPILING:
        print(f"vmconc: {NO_COMPILING}: running uncompiled, 150 to 700 times slower", file=sys.stderr)
