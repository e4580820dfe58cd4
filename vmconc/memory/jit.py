"""The only module that decides how kernels are compiled and cached.

Numba's own cache notices an edit of the file a kernel stands in and of no other file, and it does not
notice NUMBA_OPT or NUMBA_BOUNDSCHECK.  So the cache directory carries a digest of every kernel source
and of those settings: an edit costs one recompilation and never a wrong answer.
"""

import hashlib
import os
import platform
import shutil
from pathlib import Path

import llvmlite
import numba

from vmconc.memory import cachelock
from vmconc.memory.outline import outline, without_literals

PACKAGE = Path(__file__).resolve().parent.parent
KERNEL_LAYERS = ("memory", "schedule", "locks", "vm", "protocols")
KERNEL_FILES = ("concurrent.py",)
KEPT_DIGESTS = 3
VARIANT = "__variant__"  # global of a program's file: the options that it is loaded with
MACHINE = platform.machine()
SWITCHING = ("x86_64", "aarch64")  # where stacks.py can switch stacks in compiled code
SETTINGS = ("NUMBA_OPT", "NUMBA_BOUNDSCHECK", "NUMBA_DEBUGINFO", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")


NO_COMPILING = "" if MACHINE in SWITCHING else f"vmconc compiles for {' and '.join(SWITCHING)} only, this is {MACHINE}"
if NO_COMPILING:
    numba.config.DISABLE_JIT = 1  # CPUs that take turns are greenlets then


def jit_off() -> bool:
    """Tell whether kernels run as plain Python."""
    return bool(numba.config.DISABLE_JIT)


def why_off() -> str:
    """Return why kernels run as plain Python; empty if they are compiled."""
    return NO_COMPILING or ("NUMBA_DISABLE_JIT=1" if jit_off() else "")


def kernel_sources() -> list[Path]:
    """List every file whose text can change what a kernel does, sorted."""
    files = [PACKAGE / name for name in KERNEL_FILES if (PACKAGE / name).exists()]
    return sorted(files + [path for layer in KERNEL_LAYERS for path in (PACKAGE / layer).rglob("*.py")])


def source_digest() -> str:
    """Return 12 hex digits over all kernel sources, the compiler versions and the settings that change code."""
    digest = hashlib.sha256()
    for path in kernel_sources():
        digest.update(str(path.relative_to(PACKAGE)).encode() + b"\0" + path.read_bytes() + b"\0")
    versions = (numba.__version__, llvmlite.__version__, platform.python_version(), MACHINE)
    settings = tuple(f"{name}={os.environ.get(name, '')}" for name in SETTINGS)
    digest.update("\0".join(versions + settings).encode())
    return digest.hexdigest()[:12]


def cache_home() -> Path:
    """Return the directory above all digests: $VMCONC_CACHE, else the user's cache directory."""
    chosen = os.environ.get("VMCONC_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vmconc"


def prune(home: Path, current: Path) -> None:
    """Remove all but the newest digests; a concurrent remover is harmless."""
    others = [path for path in home.iterdir() if path.is_dir() and path != current and len(path.name) == 12]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in others[KEPT_DIGESTS - 1 :]:
        shutil.rmtree(path, ignore_errors=True)


def open_cache() -> Path:
    """Create the directory of today's digest, tell Numba of it, prune old ones."""
    current = cache_home() / source_digest()
    current.mkdir(parents=True, exist_ok=True)
    os.utime(current)
    prune(current.parent, current)
    cachelock.install(current)
    numba.config.CACHE_DIR = str(current)
    return current


CACHE = None if jit_off() else open_cache()


def kernel(function, apart=False, within=False):
    """Compile `function` for shared memory: cached on disk, GIL released, C division.

    `apart`: it is called by symbol however short it is: what it calls in turn would bloat its many callers.
    `within`: it is part of its callers however long it is: they are few, and a call would cost more than it does.
    The options of a program's file are constants of its kernels, so they are part of their names on disk.
    """
    if function.__globals__.get(VARIANT):
        function.__qualname__ += f"[{function.__globals__[VARIANT]}]"
    if not within:
        outline(function, apart)
    options = {"cache": True, "nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
    compiled = numba.njit(**options, **({"forceinline": True} if within else {}))(function)
    return compiled if jit_off() else without_literals(compiled)
