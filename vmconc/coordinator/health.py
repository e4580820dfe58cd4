"""Looks at everything a run depends on: the system calls, the memory, the compile cache, the limits."""

import ctypes
import os
import resource
import shutil
import sys
from pathlib import Path
from typing import Any

from vmconc.coordinator import facts
from vmconc.coordinator.options import FRAMES, FRAMES_MAX

Check = dict[str, Any]
EAGAIN = 11


def check(name: str, ok: bool, found: object, needed: bool = True) -> Check:
    """Return one line of the report."""
    return {"name": name, "ok": ok, "found": str(found), "needed": needed}


def examine(directory: Path) -> list[Check]:
    """Run every check."""
    return [*software(), *hardware(), *system(directory), *cache()]


def software() -> list[Check]:
    """Look at Python and the packages."""
    versions = facts.versions()
    known = ", ".join(f"{name} {version}" for name, version in versions.items() if name not in ("python", "vmconc"))
    return [
        check("vmconc", True, f"{versions['vmconc']} in {Path(__file__).parent.parent}"),
        check("python", sys.version_info >= (3, 11), f"{versions['python']} ({sys.executable})"),
        check("packages", True, known),
        check("compiler", os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0"), jit_state()),
        check(
            "perf",
            shutil.which("perf") is not None,
            shutil.which("perf") or "not installed: perf.data cannot be read",
            False,
        ),
    ]


def jit_state() -> str:
    """Say whether kernels are compiled."""
    off = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
    return "off (NUMBA_DISABLE_JIT): no worker processes" if off else "on"


def hardware() -> list[Check]:
    """Look at the machine."""
    seen = facts.machine()
    from vmconc.memory.jit import NO_COMPILING

    gib = int(str(seen["memory_available"])) / 2**30
    return [
        check("processor", not NO_COMPILING, f"{seen['processor']} ({seen['architecture']})"),
        check("cores", True, f"{seen['cores_allowed']} of {seen['cores']} may be used; load {seen['load']:.2f}"),
        check("memory", gib > 0.5, f"{gib:.1f} GiB available"),
    ]


def system(directory: Path) -> list[Check]:
    """Look at what the kernel offers."""
    processes = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return [
        nameless(directory),
        room(directory),
        futex(),
        check("limits", True, f"{say_limit(processes)} processes, {say_limit(files)} open files"),
    ]


def say_limit(value: int) -> str:
    """Write a resource limit."""
    return "unlimited" if value == resource.RLIM_INFINITY else f"{value:,}"


def nameless(directory: Path) -> Check:
    """Try a nameless file, which is how a mapping leaves nothing behind."""
    try:
        os.close(os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600))
    except OSError as error:
        return check("nameless files", False, f"{directory}: {error.strerror}; choose another --dir")
    return check("nameless files", True, f"work in {directory}")


def room(directory: Path) -> Check:
    """See how many frames fit."""
    try:
        seen = os.statvfs(directory)
    except OSError as error:
        return check("shared memory", False, f"{directory}: {error.strerror}; choose another --dir")
    free = seen.f_bavail * seen.f_frsize
    frames = min(FRAMES_MAX, free // 4096)
    return check(
        "shared memory", frames >= FRAMES, f"{free / 2**30:.1f} GiB free in {directory}: up to {frames:,} frames"
    )


def futex() -> Check:
    """Wait on a word that does not hold the expected value: the kernel must say so at once."""
    from vmconc.memory.system import FUTEX_NUMBER, FUTEX_WAIT

    libc = ctypes.CDLL(None, use_errno=True)
    word = ctypes.c_uint32(1)
    result = libc.syscall(FUTEX_NUMBER, ctypes.byref(word), FUTEX_WAIT, 0, None, None, 0)
    return check("futex", result == -1 and ctypes.get_errno() == EAGAIN, f"system call {FUTEX_NUMBER} works")


def cache() -> list[Check]:
    """Look at the compiled code on disk."""
    from vmconc.memory.jit import cache_home, source_digest

    home, current = cache_home(), source_digest()
    if not home.is_dir():
        return [check("compile cache", True, f"{home} is empty", False)]
    lines = [check("compile cache", os.access(home, os.W_OK), home)]
    for path in sorted(path for path in home.iterdir() if path.is_dir()):
        files = [file for file in path.rglob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in files)
        warmed = ", ".join(sorted(file.name.removeprefix("warm-") for file in files if file.name.startswith("warm-")))
        state = f"current; compiled: {warmed or 'nothing yet'}" if path.name == current else "stale"
        lines.append(
            check(f"  {path.name}", path.name == current, f"{size / 2**20:.1f} MiB, {len(files)} files, {state}", False)
        )
    return lines


def clear_cache() -> str:
    """Remove all compiled code, of every version."""
    from vmconc.memory.jit import CACHE, cache_home

    home = cache_home()
    for path in home.iterdir() if home.is_dir() else ():
        if path.is_dir() and len(path.name) == 12:
            shutil.rmtree(path, ignore_errors=True)
    if CACHE is not None:
        CACHE.mkdir(parents=True, exist_ok=True)
    return f"removed the compiled code in {home}"


def warm_all(show: bool) -> str:
    """Compile every protocol, counted and off."""
    from vmconc.coordinator.options import MODES
    from vmconc.coordinator.warm import is_cold, warm
    from vmconc.memory.build import Build
    from vmconc.protocols import protocol_names

    builds = [Build(mode, name) for name in protocol_names() for mode in MODES]
    cold = [build for build in builds if is_cold(build)]
    warm(builds, show)
    return f"compiled {', '.join(str(build) for build in cold)}" if cold else "everything was compiled already"
