"""Shared memory: declarations, typed references, atomics, tables.  Knows nothing of locks or virtual memory."""
