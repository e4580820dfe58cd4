"""What a result says about the machine and the software that produced it."""

import os
import platform
from importlib import metadata

import psutil

import vmconc

PACKAGES = ("numba", "llvmlite", "numpy", "msgspec", "psutil", "typer", "rich")


def machine() -> dict[str, object]:
    """Return the facts on which a rate depends."""
    memory = psutil.virtual_memory()
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "processor": processor(),
        "cores": os.cpu_count() or 1,
        "cores_allowed": len(os.sched_getaffinity(0)),
        "memory_bytes": memory.total,
        "memory_available": memory.available,
        "load": os.getloadavg()[0],
    }


def processor() -> str:
    """Return the processor's name."""
    try:
        with open("/proc/cpuinfo") as lines:
            named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        named = []
    return named[0] if named else platform.processor()


def versions() -> dict[str, str]:
    """Return the versions of vmconc, Python and the packages that matter."""
    found = {"vmconc": vmconc.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        found[package] = metadata.version(package)
    return found
