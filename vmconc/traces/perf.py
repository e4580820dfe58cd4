"""The text of `perf script` read into a plan, plain or gzipped, line by line.

A line is `COMM PID/TID [CPU] TIME: EVENT: ARGUMENTS`.  What records mean is the business of `linux`.
"""

import gzip
import re
import shutil
import subprocess
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from vmconc.program import oracle
from vmconc.program.builder import PlanBuilder, number
from vmconc.program.errors import PlanError
from vmconc.program.plan import Plan
from vmconc.traces.errors import BadRecord, TraceError
from vmconc.traces.linux import LinuxReader
from vmconc.vm import opcodes as op

PERF_MAGIC, GZIP_MAGIC = b"PERFILE2", b"\x1f\x8b"
_SCRIPT = ("--show-mmap-events", "--show-task-events", "-F", "comm,pid,tid,cpu,time,event,trace")
_LINE = re.compile(r".*?(\d+)/(\d+) +\[\d+\] +[\d.]+: +(.*)")  # a COMM may hold blanks and brackets
_ENTER, _EXIT = "syscalls:sys_enter_", "syscalls:sys_exit_"
_PRESENT, _WRITE = 1, 2  # bits of a page fault's error code

_NO_FAULT = (
    "no page fault in the whole file; record the events exceptions:page_fault_user and page_fault_kernel, "
    "then print them with perf script"
)
OUTSIDE, FORBIDDEN = "user fault outside every mapping", "user fault that the mapping forbids"


def read_perf(path: Path, skip_bad: bool = False) -> Plan:
    """Read a trace made by perf: `perf script` text, gzipped text, or `perf.data`."""
    with open(path, "rb") as f:
        magic = f.read(8)
    if magic == PERF_MAGIC:
        return _read(path, _run_perf(path).splitlines(keepends=True), skip_bad)
    if magic.startswith(GZIP_MAGIC):
        with gzip.open(path, "rt", errors="replace") as text:
            return _read(path, text, skip_bad)
    with open(path, errors="replace") as text:
        return _read(path, text, skip_bad)


def _run_perf(path: Path) -> str:
    """Return what perf itself makes of a perf.data file."""
    if shutil.which("perf") is None:
        command = f"perf script -i {path.name} {' '.join(_SCRIPT)} | gzip > {path.stem}.perf.txt.gz"
        raise TraceError(str(path), 0, f"reading perf.data needs perf; on the machine that has it run: {command}")
    command_line = ["perf", "script", "-i", str(path), *_SCRIPT]
    done = subprocess.run(command_line, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise TraceError(str(path), 0, f"perf script failed: {reason}")
    return done.stdout


def _read(path: Path, text: Iterable[str], skip_bad: bool) -> Plan:
    """Read all lines."""
    build = PlanBuilder(path.name.split(".")[0])
    reader = LinuxReader(build)
    line_number = 0
    for line_number, line in _lines(path, text, skip_bad, build):
        try:
            _record(reader, line)
        except (ValueError, LookupError) as error:
            kind, reason = _reason(error, line)
            if not skip_bad:
                raise TraceError(str(path), line_number, reason) from None
            build.skip(kind)
    if not reader.faults:
        raise TraceError(str(path), max(line_number, 1), _NO_FAULT)
    reader.finish()
    return _plan(build)


def _reason(error: Exception, line: str) -> tuple[str, str]:
    """Return the kind of a bad record, to count by, and what to tell about this one."""
    if isinstance(error, BadRecord):
        return str(error).partition(":")[0], str(error)
    if isinstance(error, PlanError):
        return "impossible operation", f"impossible operation: {error}"
    return "unreadable record", f"cannot read this record: {line.strip()[:100]}"


def _lines(path: Path, text: Iterable[str], skip_bad: bool, build: PlanBuilder) -> Iterator[tuple[int, str]]:
    """Yield numbered lines that hold a record; a file that ends inside a line or a gzip stream is truncated."""
    line_number = 0
    try:
        for line_number, line in enumerate(text, 1):
            if not line.endswith("\n"):
                raise EOFError("the last line is cut off")
            if not (line.startswith("#") or line.isspace()):
                yield line_number, line
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        if not skip_bad:
            raise TraceError(str(path), max(line_number, 1), f"truncated or damaged file: {error}") from None
        build.skip("rest of a truncated or damaged file")


def _record(reader: LinuxReader, line: str) -> None:
    """Hand one record to the reader."""
    found = _LINE.match(line)
    if found is None:
        raise BadRecord("not a line of perf script: expected COMM PID/TID [CPU] TIME: EVENT")
    pid, tid, event = found.groups()
    name, _, args = event.rstrip().partition(": ")
    handle = reader.records.get(name)
    if handle:
        handle(pid, tid, args)
    elif name.startswith(_ENTER):
        reader.enter(name[len(_ENTER) :].rstrip(":"), pid, tid, args)
    elif name.startswith(_EXIT):
        reader.leave(name[len(_EXIT) :], pid, tid, args)
    elif name.startswith("PERF_RECORD_MMAP2 "):
        reader.mmap2(name[len("PERF_RECORD_MMAP2 ") :], args)
    elif name.startswith("PERF_RECORD_FORK("):
        reader.fork(name[len("PERF_RECORD_FORK") :])
    elif name.startswith("PERF_RECORD_EXIT("):
        reader.exit_(name[len("PERF_RECORD_EXIT") :])
    else:
        reader.build.skip(f"event not about memory: {name.split('(')[0].rstrip(':')[:40]}")


def _plan(build: PlanBuilder) -> Plan:
    """Return the plan, without the user faults that hit nothing and with what the kernel decided."""
    ops = build.draft()
    number(ops)
    found, reach = oracle.expect(ops, build.lwps, build.files)
    program = (ops["kind"] == op.TOUCH) & (ops["flags"] & op.TOUCH_KERNEL == 0)
    outside, forbidden = program & (found == oracle.NOTHING), program & (found == oracle.DENIED)
    build.skip(OUTSIDE, int(outside.sum()))
    build.skip(FORBIDDEN, int(forbidden.sum()))
    ops["recorded"] = _decisions(ops["recorded"] - 1, found)
    kept = ~(outside | forbidden)
    return build.seal(ops[kept], reach[kept])


def _decisions(code: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return RECORDED_* for error codes (-1: no fault) and what their touches found."""
    fault, write, present = code >= 0, code & _WRITE > 0, code & _PRESENT > 0
    in_file = found == oracle.FILE
    conditions = [
        ~fault | (found == oracle.NOTHING) | (found == oracle.DENIED), found == oracle.IN_SHARED, present & write,
        present, ~in_file, write,
    ]  # fmt: skip
    decisions = [0, op.RECORDED_SHARED, op.RECORDED_COPY, 0, op.RECORDED_ZERO, op.RECORDED_FILE_COPY]
    return np.select(conditions, decisions, op.RECORDED_FILE)
