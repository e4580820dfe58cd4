"""Makes two processes that compile at the same time take turns at writing the cache.

Numba reads an index, picks the next free file name, writes the index and then the file.  Two processes that do so at
once can pick the same name for different functions: one entry is lost or, worse, leads to the other's code.
"""

import fcntl
from pathlib import Path
from typing import Any

from numba.core import caching

LOCK_NAME = "write-lock"


def install(directory: Path) -> None:
    """Have every write of a cache entry hold a lock of `directory`.  Calling it again changes nothing."""
    save: Any = caching.IndexDataCacheFile.save
    if getattr(save, "takes_turns", False):
        return

    def save_in_turn(self: Any, key: Any, data: Any) -> None:
        """Save one entry while nobody else does."""
        with open(directory / LOCK_NAME, "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            save(self, key, data)

    save_in_turn.takes_turns = True
    caching.IndexDataCacheFile.save = save_in_turn
