"""The directory a session leaves behind: made once, locked while its owner lives, written atomically."""

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import portalocker

from vmconc.analysis.unended import BEGUN, CLOCKS
from vmconc.coordinator.errors import UsageError


class RunDirectory:
    """`runs/<id>/`.  The lock goes with the process, however that ends, so no two sessions ever share a directory."""

    def __init__(self, runs: Path, label: str):
        self.path = make_unique(runs, label)
        self.lock = portalocker.Lock(self.path / "lock", mode="w", flags=portalocker.LOCK_EX | portalocker.LOCK_NB)
        self.lock.acquire()

    def write_json(self, name: str, content: bytes) -> Path:
        """Write a file so that a reader sees all of it or nothing."""
        target = self.path / name
        draft = self.path / f".{name}.{os.getpid()}"
        draft.write_bytes(content)
        draft.replace(target)
        return target

    def announce(
        self, fd: int, protocol: str, mode: str, bugs: tuple[str, ...] = (),
        program: tuple[str, dict[str, int]] = ("", {}),
    ) -> None:  # fmt: skip
        """Write how another process reaches the live mapping; of a program about locks also its file and options."""
        pid = os.getpid()
        build = {"protocol": protocol, "mode": mode, "bugs": bugs, "program": program}
        live = {"pid": pid, "fd": fd, "path": f"/proc/{pid}/fd/{fd}", **build}
        self.write_json("live.json", json.dumps(live).encode())

    def close(self, keep: bool = True) -> None:
        """Say that nothing lives here any more and give the lock up."""
        (self.path / "live.json").unlink(missing_ok=True)
        if (self.path / "run.json").exists():  # which says all that these say, and more
            for name in (BEGUN, CLOCKS):
                (self.path / name).unlink(missing_ok=True)
        self.lock.release()
        (self.path / "lock").unlink(missing_ok=True)
        if not keep:
            shutil.rmtree(self.path, ignore_errors=True)


def make_unique(runs: Path, label: str) -> Path:
    """Create a directory that nobody else has, named after the time and the label."""
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{label}"
    for number in range(1000):
        path = runs / (f"{stem}-{number}" if number else stem)
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(f"--runs-dir {runs}: cannot make {path}: {error.strerror}; choose another") from error
        return path
    raise UsageError(f"--runs-dir {runs} has 1000 directories named {stem}; choose another")


def is_live(path: Path) -> bool:
    """Tell whether the owner of a run directory is alive."""
    lock: Any = portalocker.Lock(path / "lock", mode="a", flags=portalocker.LOCK_EX | portalocker.LOCK_NB, timeout=0)
    if not (path / "lock").exists():
        return False
    try:
        lock.acquire()
    except portalocker.LockException:
        return True
    lock.release()
    return False
