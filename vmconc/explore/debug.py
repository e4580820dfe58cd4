"""A replay in the Python debugger: uncompiled, stopped on the CPU that runs just before a step."""

import bdb
import contextlib
import os
import pdb
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from vmconc.memory.jit import PACKAGE, jit_off
from vmconc.memory.system import STOPS
from vmconc.memory.twins import ACCESS

NO_STOP = -1  # bdb's line to stop at after `continue`
# Of no interest to who debugs: what lies between a program or protocol and the engine.
MACHINERY = [PACKAGE / "memory", PACKAGE / "schedule", PACKAGE / "locks", PACKAGE / "vm" / "guards.py"]


def uncompiled() -> None:
    """Start this command again with the JIT off, if it is on.  Does not return then."""
    if not jit_off():
        sys.stdout.flush()
        environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
        os.execve(sys.executable, [sys.executable, "-m", "vmconc", *sys.argv[1:]], environment)


@contextlib.contextmanager
def stop_at(step: int) -> Iterator[None]:
    """Stop in the debugger before a step: in the frame of the protocol or program, not of what is below it."""

    def stop(now: int) -> None:
        if now == step:
            print(f"before step {step}, the last: s goes into it, w shows where it is", flush=True)
            enter(interesting(sys._getframe(1)))

    STOPS.append(stop)
    try:
        yield
    finally:
        STOPS.remove(stop)


def enter(frame: FrameType) -> None:
    """Talk to the user with `frame` as the current one, and go on as he says: pdb's own entry is a line too late."""
    debugger = pdb.Pdb()
    debugger.reset()
    outer: FrameType | None = frame
    while outer:
        outer.f_trace = debugger.trace_dispatch
        debugger.botframe = outer
        outer = outer.f_back
    points = dict(ACCESS)
    ACCESS.clear()  # what the user looks at is no step of the program
    try:
        debugger.interaction(frame, None)
    finally:
        ACCESS.update(points)
    if debugger.quitting:
        raise bdb.BdbQuit
    if debugger.stoplineno != NO_STOP or debugger.breaks:
        sys.settrace(debugger.trace_dispatch)


def interesting(frame: FrameType) -> FrameType:
    """Return the first frame, from the inside out, that is not machinery."""
    while frame.f_back and any(Path(frame.f_code.co_filename).is_relative_to(place) for place in MACHINERY):
        frame = frame.f_back
    return frame
