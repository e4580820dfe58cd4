"""Durations, rates and probabilities as users write them: `5ms`, `200MB/s`, `0.01`.  No dependency at all."""

import re

from vmconc.coordinator.errors import UsageError

NANOSECONDS = {
    "ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000, "min": 60_000_000_000,
    "h": 3_600_000_000_000,
}  # fmt: skip
BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def split(option: str, text: str, example: str) -> tuple[float, str]:
    """Split `12.5ms` into number and unit."""
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([A-Za-z/]*)\s*", text)
    if match is None:
        raise UsageError(f"{option} {text!r} is no number with a unit; write for example {option} {example}")
    return float(match[1]), match[2]


def duration(option: str, text: str) -> int:
    """Return nanoseconds; a bare 0 needs no unit, any other bare number means seconds."""
    number, unit = split(option, text, "5ms")
    if unit and unit.lower() not in NANOSECONDS:
        raise UsageError(f"{option} {text!r} has no known unit; use one of {', '.join(NANOSECONDS)}")
    return round(number * NANOSECONDS[unit.lower() or "s"])


def bandwidth(option: str, text: str) -> float:
    """Return bytes per second, 0 for no limit."""
    number, unit = split(option, text, "200MB/s")
    size = unit.removesuffix("/s").upper() or "B"
    if size not in BYTES:
        raise UsageError(f"{option} {text!r} has no known unit; use for example KB/s, MB/s or MiB/s")
    return number * BYTES[size]


def probability(option: str, value: float) -> float:
    """Return the value if it lies in 0..1."""
    if not 0 <= value <= 1:
        raise UsageError(f"{option} {value:g} is no probability; choose a number from 0 to 1")
    return value


def say_duration(nanoseconds: float) -> str:
    """Write a duration for people."""
    for unit, size in (("s", 10**9), ("ms", 10**6), ("us", 10**3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.0f} ns"
