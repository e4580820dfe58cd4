"""Recorded page faults of real programs, read into plans; the format is recognised by content, never by file name."""

import difflib
from pathlib import Path

from vmconc.program.plan import Plan
from vmconc.traces import builtin, compact, perf
from vmconc.traces.errors import TraceError

__all__ = ["TraceError", "builtin", "open_trace"]


def open_trace(path_or_name: str | Path, skip_bad: bool = False) -> Plan:
    """Read a trace from a file, or a built-in one by name."""
    path = Path(path_or_name)
    if not path.exists() and str(path_or_name) in builtin.names():
        path = builtin.path(str(path_or_name))
    if not path.is_file():
        raise TraceError(str(path), 0, _missing(path))
    try:
        with open(path, "rb") as f:
            magic = f.read(len(compact.MAGIC))
        return compact.load(path) if magic == compact.MAGIC else perf.read_perf(path, skip_bad)
    except OSError as error:
        raise TraceError(str(path), 0, error.strerror or str(error)) from None


def _missing(path: Path) -> str:
    """Say what is wrong with a path that is no file."""
    if path.is_dir():
        return "is a directory, not a trace"
    close = difflib.get_close_matches(str(path), builtin.names(), 1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"no such file or built-in trace; {hint}(built in: {', '.join(builtin.names())})"
