"""Memory for many large arrays that live for a short time."""

import ctypes

MMAP_MAX, TRIM_THRESHOLD = -4, -1  # of mallopt(3)
NEVER = -1


def keep_memory() -> None:
    """Have this process keep memory that arrays gave back, for the next ones; without mallopt nothing changes.

    Else each large array is pages that the kernel has to map and clear, which with ten million events took 11 s of 28.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(MMAP_MAX, 0)
        mallopt(TRIM_THRESHOLD, NEVER)
