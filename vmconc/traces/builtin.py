"""The traces that come with vmconc, found by file name."""

from pathlib import Path

_DATA = Path(__file__).parent / "data"
SUFFIX = ".vmtrace"


def names() -> list[str]:
    """Return the names of all built-in traces."""
    return sorted(file.stem for file in _DATA.glob(f"*{SUFFIX}"))


def path(name: str) -> Path:
    """Return the file of a built-in trace."""
    return _DATA / f"{name}{SUFFIX}"
